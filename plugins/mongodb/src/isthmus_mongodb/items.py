"""The plans of single items: the quickest exact form first, compare-and-swap for what it did not apply."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Final

from pymongo.collection import ReturnDocument
from pymongo.errors import DuplicateKeyError, OperationFailure

from isthmus.errors import InvalidArgument
from isthmus.evaluate import matches, project
from isthmus.expressions import Path, attributes_used
from isthmus.operation_ids import floor, new_operation_id
from isthmus.operations import Create, Delete, Get, ItemKey, Put, Resolve, Returning, Update
from isthmus.results import DeleteResult, GetResult, ResolveResult, WriteResult
from isthmus.schema import Table
from isthmus.values import copy_item, normalise_key_value
from isthmus_mongodb.expressions import Reader
from isthmus_mongodb.layouts import OPERATION
from isthmus_mongodb.locks import UNLOCKED, WHOLE, decode_physical, held, is_locked
from isthmus_mongodb.names import escape
from isthmus_mongodb.native import Call
from isthmus_mongodb.operators import Operators, filter_for, operators_of, tests_of
from isthmus_mongodb.pipelines import Pipeline, put_pipeline, update_pipeline
from isthmus_mongodb.revisions import revision_of
from isthmus_mongodb.swapping import (
    Place,
    Write,
    Written,
    check_stored_indexes,
    image_lost,
    is_key_taken,
    stamped,
    swap,
)
from isthmus_mongodb.unique import violation
from isthmus_mongodb.values import Document, decode_item, decode_visible, encode_item, encode_key

Plan = Generator[Any, Any, Any]

# What `$inc` answers: the sum overflows, or the attribute is no number. The evaluator knows the error of the contract.
_ARITHMETIC: Final = frozenset({2, 14})
_LONGEST_KEY: Final = 2_048
_IMAGES: Final = {"old": ReturnDocument.BEFORE, "new": ReturnDocument.AFTER}


def identifies(operation: Any) -> bool:
    """Whether an operation is a write of one item that is known again by its operation id."""
    return isinstance(operation, (Create, Put, Update, Delete)) and not operation.idempotent


# ---- reading ----


def get(place: Place, operation: Get) -> Plan:
    """Read one item."""
    if operation.revision:
        return (yield from _get_with_revision(place, operation))
    layout, paths = place.layout, operation.projection
    arguments: tuple[Any, ...] = ({"_id": encode_key(layout, operation.key)},)
    if paths is not None:
        arguments = (*arguments, fields_of(place, paths))
    document = yield Call(place.collection, "find_one", arguments)
    whole = held(document) if place.locks and document is not None else None
    if whole is not None:
        return GetResult(decode_physical(layout, whole))
    item = decode_visible(layout, document, place.clock())
    return GetResult(item if item is None or paths is None else project(item, paths))


def _get_with_revision(place: Place, operation: Get) -> Plan:
    document = yield Call(place.collection, "find_one", ({"_id": encode_key(place.layout, operation.key)},))
    if place.locks and is_locked(document):
        return GetResult(decode_physical(place.layout, document))
    item = decode_visible(place.layout, document, place.clock())
    paths, revision = operation.projection, revision_of(document, item)
    return GetResult(item if item is None or paths is None else project(item, paths), revision)


def fields_of(place: Place, paths: Iterable[Path]) -> Document:
    """The fields that a projection and the expiry need, for ``find``; ``_id`` comes with them always."""
    layout = place.layout
    names = {str(path[0]) for path in paths} | ({layout.table.ttl} if layout.table.ttl is not None else set())
    fields = {escape(name): 1 for name in names if name not in layout.by_name}
    return {"_id": 1, **fields, **(WHOLE if place.locks else {})}


def resolve(place: Place, operation: Resolve) -> Plan:
    """Find out what became of a write, by the id in its item.

    Nobody can tell where the item is gone, or has no id: a plain put or a batch may have covered the write.
    """
    _check_key(place.layout.table, operation.key)
    key = {"_id": encode_key(place.layout, operation.key)}
    document = yield Call(place.collection, "find_one", (key, {OPERATION: 1}))
    found = None if document is None else document.get(OPERATION)
    if found == operation.operation_id:
        return ResolveResult("applied")
    return ResolveResult("not_applied" if found is not None and found < floor(operation.operation_id) else "unknown")


def _check_key(table: Table, key: ItemKey) -> None:
    """Check a key that comes from an operation id, which may have been made for a table of other keys.

    :raises InvalidArgument: it is no key of the table
    """
    if key.keys() != set(table.key_names):
        raise InvalidArgument("the operation id names another key than the table has: was the table made anew?")
    for declared in table.keys:
        normalise_key_value(key[declared.name], declared.type, _LONGEST_KEY)


# ---- creating and putting ----


def create(place: Place, operation: Create) -> Plan:
    """Write an item whose key must be free; an expired one is not in the way."""
    check_stored_indexes(place, operation, operation.item)
    if not operation.context.repeated and operation.unchanged is None:
        document = stamped(place, operation, encode_item(place.layout, operation.item))
        try:
            yield Call(place.collection, "insert_one", (document,))
        except DuplicateKeyError as error:
            if not is_key_taken(error):
                raise violation(place.layout, error.details) from None
        else:
            return _image(operation, Written(None, operation.item))
    return _image(operation, (yield from swap(place, operation)))


def put(place: Place, operation: Put) -> Plan:
    """Write an item in place of whatever has its key."""
    check_stored_indexes(place, operation, operation.item)
    written: Written | None = None
    if not operation.context.repeated and operation.unchanged is None:
        form = _replacing if operation.condition is None else _replacing_if
        written = yield from form(place, operation)
    return _image(operation, written or (yield from swap(place, operation)))


def _replacing(place: Place, operation: Put) -> Generator[Any, Any, Written | None]:
    """Without a condition."""
    document = stamped(place, operation, encode_item(place.layout, operation.item))
    where: Document = {"_id": document["_id"], **(UNLOCKED if place.locks else {})}
    try:
        if operation.returning != "old":
            yield Call(place.collection, "replace_one", (where, document), {"upsert": True})
            return Written(None, operation.item)
        if operation.context.operation_id is not None:
            where[OPERATION] = {"$ne": operation.context.operation_id}
        # This command could not tell which collection is meant, so it creates nothing.
        found = yield Call(place.collection, "find_one_and_replace", (where, document))
    except DuplicateKeyError as error:
        if not is_key_taken(error):
            raise violation(place.layout, error.details) from None
        return None
    if found is None:
        return None
    return Written(decode_visible(place.layout, found, place.clock()), operation.item)


def _replacing_if(place: Place, operation: Put) -> Generator[Any, Any, Written | None]:
    """With a condition; where it is true for a missing item, a pipeline creates one."""
    if operation.returning == "old":
        return None
    tests = tests_of(operation, Reader(place.layout))
    if tests is None or operation.condition is None:
        return None
    now = place.clock()
    if matches(operation.condition, {}):
        if _reads_key(place, operation):
            return None
        mark = operation.context.operation_id or new_operation_id()
        return (yield from _apply(place, operation, put_pipeline(place, operation, mark, now)))
    document = stamped(place, operation, encode_item(place.layout, operation.item))
    where = filter_for(place, operation, tests, now)
    replaced = yield from _unique(place, Call(place.collection, "replace_one", (where, document)))
    return Written(None, operation.item) if replaced.matched_count else None


def _reads_key(place: Place, operation: Put | Update) -> bool:
    """Whether a condition reads key attributes, which a document that an upsert is about to insert has already."""
    condition = operation.condition
    return condition is not None and not attributes_used(condition).isdisjoint(place.layout.by_name)


# ---- updating ----


def update(place: Place, operation: Update) -> Plan:
    """Change attributes of one item."""
    written: Written | None = None
    if not operation.context.repeated and operation.unchanged is None:
        now = place.clock()
        operators = operators_of(place, operation, now)
        if operators is not None:
            written = yield from _operate(place, operation, operators)
        elif operation.returning != "old" and not _reads_key(place, operation):
            mark = operation.context.operation_id or new_operation_id()
            written = yield from _apply(place, operation, update_pipeline(place, operation, mark, now))
    return _image(operation, written or (yield from swap(place, operation)))


def _operate(place: Place, operation: Update, operators: Operators) -> Generator[Any, Any, Written | None]:
    arguments = (operators.filter, operators.update)
    returning = operation.returning
    try:
        if returning is None:
            updated = yield from _unique(place, Call(place.collection, "update_one", arguments))
            return Written(None, None) if updated.matched_count else None
        options = {"return_document": _IMAGES[returning]}
        found = yield from _unique(place, Call(place.collection, "find_one_and_update", arguments, options))
    except OperationFailure as error:
        if error.code not in _ARITHMETIC:
            raise
        return None
    if found is None:
        return None
    item = decode_item(place.layout, found)
    return Written(item, None) if returning == "old" else Written(None, item)


def _apply(place: Place, operation: Put | Update, pipeline: Pipeline | None) -> Generator[Any, Any, Written | None]:
    """Send a pipeline and see from its mark whether it was applied; otherwise judge what stands there instead."""
    if pipeline is None:
        return None
    wanted = operation.returning == "new" and isinstance(operation, Update)
    options: Document = {"return_document": ReturnDocument.AFTER}
    if not wanted:
        is_mine = {"$eq": [f"${OPERATION}", pipeline.mark]}
        options["projection"] = {
            "_id": 0, "applied": is_mine, "current": {"$cond": [is_mine, "$$REMOVE", "$$ROOT"]},
        }  # fmt: skip
    call = Call(place.collection, "find_one_and_update", (pipeline.filter, pipeline.stages), options)
    try:
        found = yield from _unique(place, call)
    except DuplicateKeyError:
        return None
    if found is None:
        return (yield from swap(place, operation, None))
    if wanted:
        applied = found.get(OPERATION) == pipeline.mark
        return (
            Written(None, decode_item(place.layout, found)) if applied else (yield from swap(place, operation, found))
        )
    if found["applied"]:
        return Written(None, operation.item if isinstance(operation, Put) else None)
    return (yield from swap(place, operation, found["current"]))


def _unique(place: Place, call: Call) -> Generator[Any, Any, Any]:
    """What the call answers.

    :raises UniqueViolation: another item holds a value that a unique index allows once
    """
    try:
        return (yield call)
    except DuplicateKeyError as error:
        if is_key_taken(error):
            raise
        raise violation(place.layout, error.details) from None


# ---- deleting ----


def delete(place: Place, operation: Delete) -> Plan:
    """Remove one item."""
    if not operation.context.repeated and operation.unchanged is None:
        now = place.clock()
        tests = tests_of(operation, Reader(place.layout))
        if tests is not None:
            result = yield from _removing(place, operation, filter_for(place, operation, tests, now))
            if result is not None:
                return result
    written = yield from swap(place, operation)
    return DeleteResult(written.old if operation.returning == "old" else None, existed=written.old is not None)


def _removing(place: Place, operation: Delete, where: Document) -> Generator[Any, Any, DeleteResult | None]:
    where.pop(OPERATION, None)
    if operation.returning == "old":
        found = yield Call(place.collection, "find_one_and_delete", (where,))
        return None if found is None else DeleteResult(decode_item(place.layout, found), existed=True)
    deleted = yield Call(place.collection, "delete_one", (where,))
    if deleted.deleted_count:
        return DeleteResult(existed=True)
    # Without a condition, nothing to delete is what success means; an expired item is left to the server. But where the
    # item may be locked, somebody has to look.
    return DeleteResult() if operation.condition is None and not place.locks else None


# ---- results ----


def _image(operation: Write, written: Written) -> WriteResult:
    """The result of a write, with the image that was asked for."""
    returning: Returning = operation.returning
    if returning is None:
        return WriteResult()
    if returning == "old":
        if written.again:
            raise image_lost(operation)
        return WriteResult(written.old)
    return WriteResult(None if written.new is None else copy_item(written.new))
