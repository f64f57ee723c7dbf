"""Sort-key ranges: what a query's conditions on the sort key mean, and what is left to filter."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from isthmus.expressions import Attribute, BeginsWith, Between, Comparison, Condition, all_of, split_conjuncts
from isthmus.operations import KeyRange
from isthmus.schema import Key
from isthmus.values import Value, successor_prefix, type_name

EVERYTHING = KeyRange()


def split_range(key: Key | None, condition: Condition | None) -> tuple[KeyRange | None, Condition | None]:
    """Take what constrains the sort key out of a condition (rule QRY-7).

    The range is ``None`` where nothing constrains the key, the condition where nothing is left.
    """
    if key is None or condition is None:
        return None, condition
    reach, rest = EVERYTHING, []
    for conjunct in split_conjuncts(condition):
        narrowed = _narrow(reach, key, conjunct)
        if narrowed is None:
            rest.append(conjunct)
        else:
            reach = narrowed
    return (None if reach == EVERYTHING else reach), (all_of(rest) if rest else None)


def _narrow(reach: KeyRange, key: Key, conjunct: Condition) -> KeyRange | None:
    """The range with one more constraint, or ``None`` if the conjunct has to be filtered."""
    here = Attribute((key.name,))
    match conjunct:
        case Comparison(operand, operator, value) if operand == here and _fits(key, value):
            return _compare(reach, operator, value)
        case Between(operand, low, high) if (
            operand == here and reach.prefix is None and _fits(key, low) and _fits(key, high)
        ):
            return _lower(_upper(reach, high, True), low, True)
        case BeginsWith(path, prefix) if path == here.path and _fits(key, prefix) and not prefix:
            return reach  # every key begins with nothing
        case BeginsWith(path, prefix) if path == here.path and _fits(key, prefix) and reach == EVERYTHING:
            return KeyRange(prefix=prefix)
        case _:
            return None


def _fits(key: Key, value: object) -> bool:
    return not isinstance(value, Attribute) and type_name(value) == key.type


def _compare(reach: KeyRange, operator: str, value: Value) -> KeyRange | None:
    if reach.prefix is not None or operator == "!=":
        return None
    if operator == "==":
        return _lower(_upper(reach, value, True), value, True)
    bound = _lower if operator[0] == ">" else _upper
    return bound(reach, value, operator.endswith("="))


def _lower(reach: KeyRange, value: Any, inclusive: bool) -> KeyRange:
    if reach.low is None or value > reach.low:
        return evolve(reach, low=value, low_inclusive=inclusive)
    return evolve(reach, low_inclusive=reach.low_inclusive and inclusive) if value == reach.low else reach


def _upper(reach: KeyRange, value: Any, inclusive: bool) -> KeyRange:
    if reach.high is None or value < reach.high:
        return evolve(reach, high=value, high_inclusive=inclusive)
    return evolve(reach, high_inclusive=reach.high_inclusive and inclusive) if value == reach.high else reach


def bounds(reach: KeyRange) -> KeyRange:
    """The same range without a prefix: ``low <= key < successor of the prefix`` (rule STR-8)."""
    if reach.prefix is None:
        return reach
    if not reach.prefix:
        return EVERYTHING
    prefix: Any = reach.prefix  # a type variable can't stand for a union
    return KeyRange(low=prefix, high=successor_prefix(prefix), high_inclusive=False)


def empty(reach: KeyRange | None) -> bool:
    """Whether no key can be in the range (rule NUL-8)."""
    if reach is None or reach.low is None or reach.high is None:
        return False
    low: Any = reach.low
    return bool(low > reach.high or (low == reach.high and not (reach.low_inclusive and reach.high_inclusive)))


def within(reach: KeyRange | None, value: Any) -> bool:
    """Whether a sort-key value is in the range."""
    if reach is None:
        return True
    limit = bounds(reach)
    above = limit.low is None or value > limit.low or (limit.low_inclusive and value == limit.low)
    below = limit.high is None or value < limit.high or (limit.high_inclusive and value == limit.high)
    return bool(above and below)
