"""Batches of mapped collections: what is there is read first, because puts leave equal fields and hidden ones alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import DeadlineExceeded, IsthmusError
from isthmus.values import Item
from isthmus_mongodb import mapped_items
from isthmus_mongodb.batches import rest_failed
from isthmus_mongodb.mapped_changes import changed_fields
from isthmus_mongodb.mapped_items import change_stages, check_mapped_indexes, shown, unchanged
from isthmus_mongodb.mapped_keys import keys_filter
from isthmus_mongodb.mapped_pages import fields_of
from isthmus_mongodb.mapped_tables import Mapped
from isthmus_mongodb.mapped_values import decode_key, encode_document
from isthmus_mongodb.native import Call

Plan = Generator[Any, Any, Any]
Translate = Callable[[Exception], IsthmusError]
Failures = Generator[Any, Any, list[res.Failure]]

# Members of one request; keys of several fields make long filters.
_CHUNK = 200


def get_many(mapped: Mapped, operation: op.GetMany) -> Plan:
    """The plan of reading many items."""
    found: dict[tuple[Any, ...], Item] = {}
    names = mapped.table.key_names
    fields = fields_of(mapped.mapping, mapped_items.names_of(mapped, operation.projection))
    for start in range(0, len(operation.keys), _CHUNK):
        for document in (yield _read(mapped, operation.keys[start : start + _CHUNK], fields)):
            item = shown(mapped, document, operation.projection)
            if item is not None:
                key = decode_key(mapped.mapping, document)
                found[tuple(key[name] for name in names)] = item
    return res.GetManyResult([found.get(tuple(key[name] for name in names)) for key in operation.keys])


def _read(mapped: Mapped, keys: Any, fields: Any = None) -> Call:
    arguments = (keys_filter(mapped.mapping, list(keys)), fields)
    return Call(mapped.collection, "find", arguments, {"batch_size": 2 * len(keys) + 1})


def put_many(mapped: Mapped, operation: op.PutMany, translate: Translate) -> Plan:
    """The plan of writing many items. All members are encoded before the first is sent (rule BAT-4).

    :param translate: gives the error of the tree for one of the driver
    """
    for item in operation.items:
        check_mapped_indexes(mapped, operation, item)
        encode_document(mapped.mapping, item)
    return (
        yield from _in_chunks(
            operation.items, translate, lambda start, items: _put_chunk(mapped, operation, start, items, translate)
        )
    )


def _put_chunk(
    mapped: Mapped, operation: op.PutMany, start: int, items: Sequence[Item], translate: Translate
) -> Failures:
    complete = yield from _put_together(mapped, items)
    return [] if complete else (yield from _put_singly(mapped, operation, start, items, translate))


def _in_chunks(members: Sequence[Any], translate: Translate, write: Callable[[int, Sequence[Any]], Failures]) -> Plan:
    failures: list[res.Failure] = []
    for start in range(0, len(members), _CHUNK):
        try:
            failures += yield from write(start, members[start : start + _CHUNK])
        except Exception as error:
            if not start:
                raise
            failures += rest_failed(translate(error), start, len(members))
            break
    return res.WriteManyResult(len(members) - len(failures), failures=failures)


def _put_together(mapped: Mapped, items: Sequence[Item]) -> Generator[Any, Any, bool]:
    """Whether one request wrote all; otherwise others wrote some of them at the same time."""
    names = mapped.table.key_names
    documents = yield _read(mapped, items)
    there = {tuple(decode_key(mapped.mapping, each)[name] for name in names): each for each in documents}
    requests: list[Any] = []
    for item in items:
        document = there.get(tuple(item[name] for name in names))
        if document is None:
            requests.append(InsertOne(encode_document(mapped.mapping, item)))
        elif stages := change_stages(changed_fields(mapped.mapping, document, item)):
            requests.append(UpdateOne(unchanged(document), stages))
    if not requests:
        return True
    try:
        result = yield Call(mapped.collection, "bulk_write", (requests,), {"ordered": False})
    except BulkWriteError:
        return False
    return bool(result.inserted_count + result.matched_count == len(requests))


def _put_singly(
    mapped: Mapped, operation: op.PutMany, start: int, items: Sequence[Item], translate: Translate
) -> Failures:
    """Each item by itself; writing one again that was written already changes nothing."""
    failures: list[res.Failure] = []
    for place, item in enumerate(items, start):
        try:
            yield from mapped_items.put(mapped, op.Put(operation.context, operation.table, item))
        except Exception as error:
            known = translate(error)
            if isinstance(known, DeadlineExceeded):
                known.maybe_applied = True
                raise known from error
            failures.append(res.Failure(place, known))
    return failures


def delete_many(mapped: Mapped, operation: op.DeleteMany, translate: Translate) -> Plan:
    """The plan of removing many items."""

    def remove(_start: int, keys: Sequence[Any]) -> Failures:
        yield Call(mapped.collection, "delete_many", (keys_filter(mapped.mapping, list(keys)),))
        return []

    return (yield from _in_chunks(operation.keys, translate, remove))
