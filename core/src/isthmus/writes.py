"""What each write means for one item: pure functions that embedded backends, transactions and fallbacks share.

``current`` is always what is visible: an expired item is absent on every path (rule TTL-2).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import TypeGuard

from isthmus.capabilities import Limits
from isthmus.errors import (
    AlreadyExists,
    BackendError,
    ConditionFailed,
    InvalidArgument,
    InvalidKey,
    IsthmusError,
    ItemChanged,
    ItemNotFound,
)
from isthmus.evaluate import apply_changes, matches
from isthmus.expressions import Condition, Remove
from isthmus.expressions import Delete as DeleteMembers
from isthmus.operations import Action, Create, Delete, Put, Revision, Update
from isthmus.schema import Table
from isthmus.values import WIDE, Item, Value, ValueLimits, canonical_bytes, normalise_key_value

_NOTHING: Item = {}
ABSENT = Revision()
"""The revision of a key that no visible item has, on every backend."""


def expired(table: Table, item: Mapping[str, Value], now: float) -> bool:
    """Whether the item's expiry time has come; only a number expires an item (rule TTL-1)."""
    if table.ttl is None:
        return False
    expires = item.get(table.ttl)
    return is_number(expires) and expires <= now


def is_number(value: object) -> TypeGuard[int | Decimal]:
    """Whether a portable value is a number; a boolean is none."""
    return type(value) is int or type(value) is Decimal


def visible(table: Table, item: Item | None, now: float) -> Item | None:
    """The item, unless it is missing or expired."""
    return None if item is None or expired(table, item, now) else item


def revision_of(item: Item | None) -> Revision:
    """The revision of a visible item, for stores that hold nothing beside its attributes."""
    return ABSENT if item is None else Revision(sha256(canonical_bytes(item)).digest())


def require_unchanged(action: Action, found: Revision) -> None:
    """Judge what an action relies on having seen.

    :param found: the revision of what is stored
    :raises ItemChanged: it is another one
    """
    if action.unchanged is not None and action.unchanged != found:
        raise item_changed(action)


def item_changed(action: Action) -> ItemChanged:
    """The error of an action whose item is not as it was seen."""
    return ItemChanged(
        f"an item of table {action.table.name!r} was changed, created or removed since it was read: read it again and"
        " repeat"
    )


def write(action: Action, current: Item | None, limits: Limits, now: float) -> Item | None:
    """The item as it is after ``action``, or ``None`` when there is none.

    :param now: the time, seconds since the epoch, at which ``current`` was visible
    :raises ConditionFailed: the action's condition is false; it carries ``current``
    :raises AlreadyExists: a create met an item
    :raises ItemNotFound: an update without upsert met no item
    :raises InvalidArgument: the changes can't be applied to this item, or would let it expire at once
    :raises BackendError: judging failed in a way that nobody foresaw; nothing was written, so it is no unknown outcome
    """
    try:
        return _judged(action, current, limits, now)
    except IsthmusError:
        raise
    except Exception as error:
        raise BackendError(
            f"this {action.kind} failed before it wrote ({type(error).__name__}): see the cause"
        ) from error


def _judged(action: Action, current: Item | None, limits: Limits, now: float) -> Item | None:
    if isinstance(action, Create):
        return _create(action, current)
    require(action.condition, current)
    if isinstance(action, Put):
        return action.item
    if isinstance(action, Update):
        return _update(action, current, limits, now)
    return None if isinstance(action, Delete) else current


def require(condition: Condition | None, current: Item | None) -> None:
    """Judge a condition; a missing item counts as one without attributes (rule CND-1).

    :raises ConditionFailed: it is false
    """
    if condition is not None and not matches(condition, _NOTHING if current is None else current):
        state = "the item does not exist" if current is None else "see the error's current item"
        raise ConditionFailed(f"the condition is false: {state}", current=current)


def _create(action: Create, current: Item | None) -> Item:
    if current is not None:
        raise AlreadyExists(f"table {action.table.name!r} has an item with this key: use put to replace it")
    return action.item


def _update(action: Update, current: Item | None, limits: Limits, now: float) -> Item | None:
    if current is None:
        if not action.upsert:
            raise ItemNotFound(f"table {action.table.name!r} has no item with this key: use upsert=True to create it")
        if _removes_only(action):
            return None
    result = apply_changes(action.changes, dict(action.key) if current is None else current, value_limits(limits))
    check_index_keys(action.table, result, limits)
    _check_expiry(action.table, current, result, now)
    return result


def _check_expiry(table: Table, current: Item | None, result: Item, now: float) -> None:
    """Refuse an update after which the item would be expired (rule TTL-5)."""
    if table.ttl is not None and expired(table, result, now):
        before = None if current is None else current.get(table.ttl)
        if not (is_number(before) and before == result[table.ttl]):
            raise InvalidArgument(f"{table.ttl!r} becomes an expiry time that has passed: delete the item instead")


def _removes_only(action: Update) -> bool:
    """Whether nothing but removals is asked; these don't create an item (rule UPD-1).

    Callers can't change attributes that Isthmus maintains, so what concerns those was added by the core.
    """
    managed = action.table.managed
    asked = [change for change in action.changes.actions if change.path[0] not in managed]
    return bool(asked) and all(isinstance(change, (Remove, DeleteMembers)) for change in asked)


def value_limits(limits: Limits) -> ValueLimits:
    """The part of a backend's limits that concerns single values."""
    if limits.number_digits == WIDE.number_digits and limits.item_bytes == WIDE.item_bytes:
        return WIDE
    return ValueLimits(limits.item_bytes, limits.depth, limits.number_digits, limits.name_bytes)


def check_index_keys(table: Table, item: Mapping[str, Value], limits: Limits) -> None:
    """Refuse index key attributes that are present with a wrong type or empty (rule KEY-10).

    :raises InvalidKey: naming the attribute
    """
    for index in table.indexes:
        for key, size in zip(index.keys, (limits.partition_key_bytes, limits.sort_key_bytes), strict=False):
            if key.name in item:
                try:
                    normalise_key_value(item[key.name], key.type, size)
                except InvalidKey as error:
                    raise InvalidKey(
                        f"attribute {key.name!r} is a key of index {index.name!r}: {error.message}"
                    ) from None
