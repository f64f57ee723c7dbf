"""Operation ids in items: an attempt that was applied is known again, and a late one can't follow it (rule CND-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus import operation_ids
from isthmus.capabilities import Limits
from isthmus.errors import OutcomeUnknown
from isthmus.operation_ids import floor
from isthmus.operations import Context, Create, Delete, Operation, Put, Update
from isthmus.schema import Table
from isthmus.values import Item, item_size
from isthmus_dynamodb.hidden import MARK, OPERATION_ID
from isthmus_dynamodb.placeholders import Placeholders

Write = Create | Put | Update | Delete

STAMP_BYTES = len(OPERATION_ID) + 24 + len(MARK) + 13
"""What the hidden attributes may add to the size of an item."""


def fence_text(context: Context, table: Table, placeholders: Placeholders) -> str | None:
    """What must hold for an item that an identified write is to change, to be joined by ``AND``.

    A first attempt must not follow its own repetition. A repetition must not follow anybody who may have written since:
    it needs an older id, or no item.
    """
    if context.operation_id is None:
        return None
    name = placeholders.name(OPERATION_ID)
    if context.repeated:
        missing = f"attribute_not_exists({placeholders.name(table.key_names[0])})"
        return f"({missing} OR {name} < {placeholders.value(floor(context.operation_id))})"
    return f"{name} <> {placeholders.value(context.operation_id)}"


def has_room(item: Item, limits: Limits) -> bool:
    """Whether an item can hold the hidden attributes."""
    return item_size(item) + STAMP_BYTES <= limits.item_bytes


def stored_id(stored: Mapping[str, Any] | None) -> str | None:
    """The id of the last identified write of an item, given as attribute values."""
    found = None if stored is None else stored.get(OPERATION_ID)
    return None if found is None else found.get("S")


def was_applied(operation: Write, stored: Mapping[str, Any] | None) -> bool:
    """Whether an attempt of this write left the item that stands in its way.

    :param stored: the item as attribute values, ``None`` if there is none
    :raises OutcomeUnknown: an earlier attempt may have been applied, and what it left is no longer there
    """
    return operation_ids.was_applied(operation, stored_id(stored), present=stored is not None)


def image_lost(operation: Operation) -> OutcomeUnknown:
    """The error of a write that was applied, but whose answer held the image that was asked for."""
    return OutcomeUnknown(
        f"this {operation.kind} was applied, but the item as it was before was lost with the answer: read the item"
    )
