"""Which keys a query reads: one condition for each key, and what has to be dropped afterwards (rules QRY-7, KEY-2)."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from isthmus.operations import KeyRange, Query
from isthmus.pages import used_index
from isthmus.ranges import empty
from isthmus.schema import Key
from isthmus.values import Value
from isthmus_dynamodb.placeholders import Placeholders

_SORT_KEY_BYTES: Final = 1_024


@frozen
class KeyCondition:
    """A query's keys.

    :param text: ``KeyConditionExpression``
    :param within: a range that the service does not apply exactly: items outside of it are dropped
    """

    text: str
    within: KeyRange | None = None


def queried_keys(query: Query) -> tuple[Key, ...]:
    """The keys of what a query reads: the table's, or an index's."""
    index = used_index(query)
    return query.table.keys if index is None else index.keys


def matches_nothing(query: Query) -> bool:
    """Whether no key can be in the query's range, so that nothing is asked (rule NUL-8)."""
    reach = query.range
    return reach is not None and (empty(reach) or reach.high in ("", b"") or _too_long(reach.prefix))


def key_condition(query: Query, placeholders: Placeholders) -> KeyCondition:
    """The condition on the keys of a query whose range is not empty."""
    partition, *sort = queried_keys(query)
    text = f"{placeholders.name(partition.name)} = {placeholders.value(query.partition)}"
    if query.range is None or not sort:
        return KeyCondition(text)
    reach = _askable(query.range)
    asked = _range_text(sort[0].name, reach, placeholders)
    return KeyCondition(f"{text} AND {asked}" if asked else text, query.range if _inexact(query.range, reach) else None)


def _askable(reach: KeyRange) -> KeyRange:
    """The range without bounds that the service refuses: empty ones, and longer ones than any key."""
    low = None if reach.low in ("", b"") or _too_long(reach.low) else reach.low
    return evolve(reach, low=low, high=None if _too_long(reach.high) else reach.high, prefix=reach.prefix or None)


def _inexact(reach: KeyRange, asked: KeyRange) -> bool:
    if _too_long(reach.low) or _too_long(reach.high):
        return True
    both = asked.low is not None and asked.high is not None
    return both and not (asked.low_inclusive and asked.high_inclusive)


def _too_long(bound: Value) -> bool:
    if not isinstance(bound, (str, bytes)):
        return False
    return len(bound.encode() if isinstance(bound, str) else bound) > _SORT_KEY_BYTES


def _range_text(name: str, reach: KeyRange, placeholders: Placeholders) -> str | None:
    """The condition on the sort key. Of two bounds both are inclusive: the service has no other form."""
    if reach.prefix is None and reach.low is None and reach.high is None:
        return None
    alias = placeholders.name(name)
    if reach.prefix is not None:
        return f"begins_with({alias}, {placeholders.value(reach.prefix)})"
    if reach.low is None:
        return f"{alias} {'<=' if reach.high_inclusive else '<'} {placeholders.value(reach.high)}"
    if reach.high is None:
        return f"{alias} {'>=' if reach.low_inclusive else '>'} {placeholders.value(reach.low)}"
    if reach.low == reach.high:
        return f"{alias} = {placeholders.value(reach.low)}"
    return f"{alias} BETWEEN {placeholders.value(reach.low)} AND {placeholders.value(reach.high)}"
