"""Revisions: what a reader saw of an item, as attributes that a condition can compare.

The service compares attributes, never whole items. That nothing was changed or removed is seen by comparing all of
them; that nothing was added, by the hidden attributes, one of which every write of ours changes. What another program
adds without touching anything else can't be seen.
"""

from __future__ import annotations

from attrs import field, frozen

from isthmus import operations as op
from isthmus.errors import QueryTooComplex
from isthmus.values import Item, canonical_bytes, copy_item
from isthmus.writes import ABSENT, require_unchanged
from isthmus_dynamodb.conditions import free_text, visible_text
from isthmus_dynamodb.hidden import HIDDEN
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.values import Attributes

# Beside what is seen there may be a caller's condition, and what a write needs by itself.
_PARTS = 120


@frozen
class Seen:
    """A visible item as it was read.

    :param marks: the hidden attributes, ``None`` for one that was not there
    """

    item: Item = field(eq=canonical_bytes)
    marks: tuple[str | None, ...]


def revision_of(stored: Attributes | None, item: Item | None) -> op.Revision:
    """The revision of what is stored under a key.

    :param item: the visible item behind the attributes; an expired one is absent
    """
    if stored is None or item is None:
        return ABSENT
    return op.Revision(Seen(copy_item(item), tuple([stored.get(name, {}).get("S") for name in HIDDEN])))


def check_seen(action: op.Action, stored: Attributes | None, current: Item | None) -> None:
    """Judge what an action relies on having seen.

    :raises ItemChanged: something else is stored now
    """
    if action.unchanged is not None:
        require_unchanged(action, revision_of(stored, current))


def seen_parts(action: op.Action, now: float, placeholders: Placeholders) -> list[str | None]:
    """What holds while an item is as it was seen, to be joined by ``AND``.

    :raises QueryTooComplex: it has more attributes than a condition may hold, and no hidden one to tell changes by
    """
    if action.unchanged is None:
        return []
    seen = action.unchanged.seen
    if not isinstance(seen, Seen):
        return [free_text(action.table, now, placeholders)]
    parts = _marks(seen, placeholders)
    attributes = _compared(action, seen)
    if len(attributes) <= _PARTS:
        parts += [f"{placeholders.name(name)} = {placeholders.value(seen.item[name])}" for name in attributes]
    elif not any(seen.marks):
        raise _too_many(action)
    return [
        f"attribute_exists({placeholders.name(action.table.key_names[0])})",
        *parts,
        visible_text(action.table, now, placeholders),
    ]


def compares_all(action: op.Action) -> bool:
    """Whether :func:`seen_parts` compares each attribute that an action's item has."""
    seen = None if action.unchanged is None else action.unchanged.seen
    return isinstance(seen, Seen) and len(_compared(action, seen)) <= _PARTS


def _compared(action: op.Action, seen: Seen) -> list[str]:
    return [name for name in seen.item if name not in action.table.key_names]


def _marks(seen: Seen, placeholders: Placeholders) -> list[str]:
    return [
        f"attribute_not_exists({placeholders.name(name)})"
        if mark is None
        else f"{placeholders.name(name)} = {placeholders.value(mark)}"
        for name, mark in zip(HIDDEN, seen.marks, strict=True)
    ]


def _too_many(action: op.Action) -> QueryTooComplex:
    return QueryTooComplex(
        f"an item of table {action.table.name!r} has more than the {_PARTS} attributes that DynamoDB compares, and no"
        " write of Isthmus has marked it: put it once, or split it"
    )
