"""Read, judge and swap: a write of any meaning, applied only where the document is still as it was read.

What MongoDB can't express, or what a quicker form did not apply, ends here. The shared meaning of writes is evaluated
on the document as it was read, so errors are those of every other backend, and a result replaces exactly that document.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from enum import Enum
from typing import Any, Final

from attrs import frozen
from pymongo.errors import DuplicateKeyError

from isthmus import operation_ids
from isthmus.capabilities import Limits
from isthmus.errors import Conflict, OutcomeUnknown
from isthmus.operations import Create, Delete, Put, Update
from isthmus.values import Item
from isthmus.writes import check_index_keys, write
from isthmus_mongodb.layouts import OPERATION, REVISION, Layout
from isthmus_mongodb.locks import is_locked, locked, new_revision
from isthmus_mongodb.native import Call
from isthmus_mongodb.revisions import check_seen
from isthmus_mongodb.unique import violation
from isthmus_mongodb.values import Document, decode_item, decode_visible, encode_item, encode_key

Write = Create | Put | Update | Delete
Steps = Generator[Any, Any, Any]

ATTEMPTS: Final = 20
"""How often a document may change between reading and swapping, before the core waits and asks again."""


class _Unread(Enum):
    UNREAD = "unread"


@frozen
class Place:
    """Where an item lies and how it is judged.

    :param layout: of the table as it is stored
    :param clock: seconds since the epoch, by which items expire
    :param locks: whether transactions of the core's fallback may hold items
    """

    layout: Layout
    collection: str
    limits: Limits
    clock: Callable[[], float]
    locks: bool = False


@frozen
class Written:
    """A write that was applied: the visible item before it and the item after it.

    ``again`` says that an earlier attempt had applied it already, whose image before is lost.
    """

    old: Item | None
    new: Item | None
    again: bool = False


def swap(place: Place, operation: Write, document: Any = _Unread.UNREAD) -> Generator[Any, Any, Written]:
    """Apply a write by compare-and-swap.

    :param document: what the item's key had a moment ago, ``None`` for nothing, if that is known
    :raises Conflict: other writers were faster each time
    :raises Locked: a transaction holds the item
    :raises OutcomeUnknown: an earlier attempt may have been applied, and what it left is no longer there
    :raises UniqueViolation: another item holds a value that a unique index of the collection allows once
    """
    key = encode_key(place.layout, operation.key)
    for _ in range(ATTEMPTS):
        if document is _Unread.UNREAD:
            document = yield Call(place.collection, "find_one", ({"_id": key},))
        if place.locks and is_locked(document):
            raise locked()
        if was_applied(operation, document):
            return Written(None, decode_item(place.layout, document), again=True)
        now = place.clock()
        current = decode_visible(place.layout, document, now)
        check_seen(operation, document, current)
        new = write(operation, current, place.limits, now)
        check_stored_indexes(place, operation, new)
        if (yield from _replace(place, operation, key, document, new)):
            return Written(current, new)
        document = _Unread.UNREAD
    raise Conflict("other writers changed the item each time before it could be written: retry")


def was_applied(operation: Write, document: Mapping[str, Any] | None) -> bool:
    """Whether an earlier attempt of this write left the document.

    :raises OutcomeUnknown: an earlier attempt may have been applied, and what it left is no longer there
    """
    found = None if document is None else document.get(OPERATION)
    return operation_ids.was_applied(operation, found, present=document is not None)


def check_stored_indexes(place: Place, operation: Write, item: Item | None) -> None:
    """Check an item against indexes that the table was stored with, where the declaration has others.

    :raises InvalidKey: naming the attribute
    """
    stored = place.layout.table
    if item is not None and stored is not operation.table and stored.indexes != operation.table.indexes:
        check_index_keys(stored, item, place.limits)


def stamped(place: Place, operation: Write, document: Document) -> Document:
    """The document with the operation's id, if it has one, and a new revision, where documents have some."""
    if operation.context.operation_id is not None:
        document[OPERATION] = operation.context.operation_id
    if place.locks:
        document[REVISION] = new_revision()
    return document


def _replace(
    place: Place, operation: Write, key: Document, document: Mapping[str, Any] | None, new: Item | None
) -> Generator[Any, Any, bool]:
    """Put ``new`` in the place of ``document``; whether that was still there."""
    if document is None:
        return new is None or (yield from _insert(place, stamped(place, operation, encode_item(place.layout, new))))
    unchanged = {"_id": key, "$expr": {"$eq": ["$$ROOT", {"$literal": document}]}}
    if new is None:
        deleted = yield Call(place.collection, "delete_one", (unchanged,))
        return bool(deleted.deleted_count)
    image = stamped(place, operation, encode_item(place.layout, new))
    try:
        replaced = yield Call(place.collection, "replace_one", (unchanged, image))
    except DuplicateKeyError as error:
        raise violation(place.layout, error.details) from None
    return bool(replaced.matched_count)


def _insert(place: Place, image: Document) -> Generator[Any, Any, bool]:
    try:
        yield Call(place.collection, "insert_one", (image,))
    except DuplicateKeyError as error:
        if not is_key_taken(error):
            raise violation(place.layout, error.details) from None
        return False
    return True


def is_key_taken(error: DuplicateKeyError) -> bool:
    """Whether a duplicate is the primary key, and not another unique index of the collection (rule CND-3)."""
    return error.details is not None and dict(error.details.get("keyPattern", {})) == {"_id": 1}


def image_lost(operation: Write) -> OutcomeUnknown:
    """The error of a write that was applied, but whose answer held the image that was asked for."""
    return OutcomeUnknown(
        f"this {operation.kind} was applied, but the item as it was before was lost with the answer: read the item"
    )
