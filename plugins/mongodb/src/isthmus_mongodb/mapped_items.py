"""Single items of mapped collections: read, judge, and change nothing but the fields that differ.

Each write is applied only where the document is still as it was read. Nothing of Isthmus's own is put into documents,
so there is no operation id: a write whose answer is lost ends as ``OutcomeUnknown``.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from pymongo.errors import DuplicateKeyError

from isthmus.errors import Conflict, UniqueViolation
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.operations import Create, Delete, Get, Put, Update
from isthmus.results import DeleteResult, GetResult, WriteResult
from isthmus.values import Item, copy_item
from isthmus.writes import check_index_keys, visible, write
from isthmus_mongodb.mapped_changes import REMOVED, changed_fields
from isthmus_mongodb.mapped_keys import has_one_form, key_filter
from isthmus_mongodb.mapped_pages import fields_of
from isthmus_mongodb.mapped_tables import Mapped
from isthmus_mongodb.mapped_values import decode_item, encode_document
from isthmus_mongodb.mappings import ID
from isthmus_mongodb.native import Call
from isthmus_mongodb.revisions import check_seen, revision_of
from isthmus_mongodb.swapping import ATTEMPTS, Write, Written
from isthmus_mongodb.values import Document

Plan = Generator[Any, Any, Any]


# ---- reading ----


def get(mapped: Mapped, operation: Get) -> Plan:
    """Read one item; of the fields, only those that are asked for."""
    if operation.revision:
        return (yield from _get_with_revision(mapped, operation))
    names = names_of(mapped, operation.projection)
    arguments: tuple[Any, ...] = (key_filter(mapped.mapping, operation.key),)
    fields = fields_of(mapped.mapping, names)
    if fields is not None:
        arguments = (*arguments, fields)
    document = yield Call(mapped.collection, "find_one", arguments)
    return GetResult(shown(mapped, document, operation.projection))


def _get_with_revision(mapped: Mapped, operation: Get) -> Plan:
    document = yield Call(mapped.collection, "find_one", (key_filter(mapped.mapping, operation.key),))
    revision = revision_of(document, shown(mapped, document, None))
    return GetResult(shown(mapped, document, operation.projection), revision)


def names_of(mapped: Mapped, projection: tuple[Path, ...] | None) -> frozenset[str] | None:
    """The attributes that a projection and the expiry need, ``None`` for all."""
    if projection is None:
        return None
    ttl = mapped.table.ttl
    return frozenset(str(path[0]) for path in projection) | ({ttl} if ttl is not None else set())


def shown(mapped: Mapped, document: Document | None, projection: tuple[Path, ...] | None) -> Item | None:
    """What a reader sees of a document."""
    if document is None:
        return None
    found = decode_item(mapped.mapping, document, names_of(mapped, projection))
    item = visible(mapped.table, found, mapped.clock())
    return item if item is None or projection is None else project(item, projection)


# ---- writing ----


def create(mapped: Mapped, operation: Create) -> Plan:
    """Write an item whose key must be free."""
    if has_one_form(mapped.mapping, operation.key):
        check_mapped_indexes(mapped, operation, operation.item)
        if (yield from _insert(mapped, operation.item)):
            return _image(operation, Written(None, operation.item))
    return _image(operation, (yield from swap(mapped, operation)))


def put(mapped: Mapped, operation: Put) -> Plan:
    """Write an item in place of what has its key; hidden fields and ``_id`` stay."""
    return _image(operation, (yield from swap(mapped, operation)))


def update(mapped: Mapped, operation: Update) -> Plan:
    """Change attributes of one item."""
    return _image(operation, (yield from swap(mapped, operation)))


def delete(mapped: Mapped, operation: Delete) -> Plan:
    """Remove one item."""
    if operation.idempotent and mapped.table.ttl is None:
        deleted = yield Call(mapped.collection, "delete_one", (key_filter(mapped.mapping, operation.key),))
        return DeleteResult(existed=bool(deleted.deleted_count))
    written = yield from swap(mapped, operation)
    return DeleteResult(written.old if operation.returning == "old" else None, existed=written.old is not None)


def _image(operation: Create | Put | Update, written: Written) -> WriteResult:
    if operation.returning is None:
        return WriteResult()
    if operation.returning == "old":
        return WriteResult(written.old)
    return WriteResult(None if written.new is None else copy_item(written.new))


def swap(mapped: Mapped, operation: Write) -> Generator[Any, Any, Written]:
    """Apply a write by compare-and-swap.

    :raises Conflict: other writers were faster each time
    :raises UniqueViolation: another document holds a value that a unique index allows once
    """
    where = key_filter(mapped.mapping, operation.key)
    for _ in range(ATTEMPTS):
        document = yield Call(mapped.collection, "find_one", (where,))
        current, new = judged(mapped, operation, document, mapped.clock())
        if document is None:
            done = new is None or (yield from _insert(mapped, new))
        elif new is None:
            deleted = yield Call(mapped.collection, "delete_one", (unchanged(document),))
            done = bool(deleted.deleted_count)
        else:
            done = yield from _change(mapped, document, new)
        if done:
            return Written(current, new)
    raise Conflict("other writers changed the item each time before it could be written: retry")


def judged(mapped: Mapped, operation: Any, document: Document | None, now: float) -> tuple[Item | None, Item | None]:
    """The visible item before a write, and the item after it."""
    current = None
    if document is not None and not _is_blind(operation):
        current = visible(mapped.table, decode_item(mapped.mapping, document), now)
    check_seen(operation, document, current)
    new = write(operation, current, mapped.limits, now)
    check_mapped_indexes(mapped, operation, new)
    return current, new


def _is_blind(operation: Any) -> bool:
    """Whether a put replaces whatever is there, which need not be readable then."""
    return isinstance(operation, Put) and operation.idempotent


def check_mapped_indexes(mapped: Mapped, operation: Any, item: Item | None) -> None:
    """Check an item against the mapping's indexes, where the declaration has others.

    :raises InvalidKey: naming the attribute
    """
    if item is not None and mapped.table.indexes != operation.table.indexes:
        check_index_keys(mapped.table, item, mapped.limits)


def _insert(mapped: Mapped, item: Item) -> Generator[Any, Any, bool]:
    try:
        yield Call(mapped.collection, "insert_one", (encode_document(mapped.mapping, item),))
    except DuplicateKeyError as error:
        if not (yield from _is_key_taken(mapped, item, error)):
            raise unique_violation(mapped) from error
        return False
    return True


def _change(mapped: Mapped, document: Document, new: Item) -> Generator[Any, Any, bool]:
    stages = change_stages(changed_fields(mapped.mapping, document, new))
    if not stages:
        return True
    try:
        updated = yield Call(mapped.collection, "update_one", (unchanged(document), stages))
    except DuplicateKeyError as error:
        raise unique_violation(mapped) from error
    return bool(updated.matched_count)


def unchanged(document: Mapping[str, Any]) -> Document:
    """Matches the document while it is as it was read."""
    return {ID: document[ID], "$expr": {"$eq": ["$$ROOT", {"$literal": document}]}}


def change_stages(changes: Mapping[str, Any]) -> list[Document]:
    """An update that sets and removes whole fields, whatever their names are."""
    new: Any = "$$ROOT"
    for name, value in changes.items():
        set_to = "$$REMOVE" if value is REMOVED else {"$literal": value}
        new = {"$setField": {"field": {"$literal": name}, "input": new, "value": set_to}}
    return [{"$replaceWith": new}] if changes else []


def _is_key_taken(mapped: Mapped, item: Item, error: DuplicateKeyError) -> Generator[Any, Any, bool]:
    """Whether a duplicate is the key itself, and not another unique value of the collection."""
    pattern = set(dict((error.details or {}).get("keyPattern", {})))
    keys = {ID} if mapped.mapping.shape != "fields" else {key.field for key in mapped.mapping.keys}
    if not pattern < keys:
        return pattern == keys
    # A part of the key is unique by itself: the whole key is there, or another one with that part.
    return (yield Call(mapped.collection, "find_one", (key_filter(mapped.mapping, item), {ID: 1}))) is not None


def unique_violation(mapped: Mapped) -> UniqueViolation:
    """The error for a value that a unique index of the collection allows only once."""
    return UniqueViolation(
        f"another document of collection {mapped.collection!r} holds a value that a unique index allows once: change"
        " the value, or drop the index"
    )
