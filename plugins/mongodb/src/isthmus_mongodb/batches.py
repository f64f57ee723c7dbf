"""Batches: many items with few requests. Nothing is atomic; what failed is reported for each member (rule BAT-3)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from attrs import evolve
from bson import encode
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError, WriteError

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import Conflict, DeadlineExceeded, IsthmusError
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.results import Failure
from isthmus.values import Item
from isthmus.writes import check_index_keys
from isthmus_mongodb.catalogue import Catalogue, Stored
from isthmus_mongodb.failures import OTHER_COLLECTION, by_code
from isthmus_mongodb.layouts import REVISION, TRANSACTION, Layout
from isthmus_mongodb.locks import UNLOCKED, decode_physical, is_locked, locked, new_revision
from isthmus_mongodb.native import Call, Insertions, Replacements
from isthmus_mongodb.unique import DUPLICATE, ValueTakenError, check_kept, make_way, violation
from isthmus_mongodb.values import Document, decode_visible, encode_item, encode_key

Plan = Generator[Any, Any, Any]
Translate = Callable[[Exception], IsthmusError]
Judge = Callable[[Any], IsthmusError]
Failures = Generator[Any, Any, list[Failure]]

# Members of one request, and their bytes: a third of what the server takes.
_CHUNK = 1_000
_CHUNK_BYTES = 16_000_000


def get_many(catalogue: Catalogue, operation: op.GetMany) -> Plan:
    """The plan of reading many items."""
    stored = catalogue.recent(operation.table) or (yield from catalogue.find(operation.table))
    found: dict[tuple[Any, ...], Item] = {}
    for start in range(0, len(operation.keys), _CHUNK):
        keys = [encode_key(stored.layout, key) for key in operation.keys[start : start + _CHUNK]]
        documents = yield Call(stored.collection, "find", ({"_id": {"$in": keys}},), {"batch_size": len(keys) + 1})
        _collect(stored, documents, catalogue.clock(), found)
    names, paths = stored.table.key_names, operation.projection
    items = [found.get(tuple(key[name] for name in names)) for key in operation.keys]
    return res.GetManyResult(items if paths is None else [_shown(item, paths) for item in items])


def _shown(item: Item | None, paths: tuple[Path, ...]) -> Item | None:
    return item if item is None or TRANSACTION in item else project(item, paths)


def _collect(
    stored: Stored, documents: Sequence[dict[str, Any]], now: float, found: dict[tuple[Any, ...], Item]
) -> None:
    names = stored.table.key_names
    for document in documents:
        physical = stored.place.locks and is_locked(document)
        item = decode_physical(stored.layout, document) if physical else decode_visible(stored.layout, document, now)
        if item is not None:
            found[tuple(item[name] for name in names)] = item


def put_many(catalogue: Catalogue, operation: op.PutMany, hosts: str, translate: Translate) -> Plan:
    """The plan of writing many items. All members are encoded before the first is sent (rule BAT-4).

    :param translate: gives the error of the tree for one of the driver
    """
    stored = catalogue.recent(operation.table) or (yield from catalogue.find(operation.table))
    check_kept(operation.table, stored.table)
    if stored.table.indexes != operation.table.indexes:
        for item in operation.items:
            check_index_keys(stored.table, item, catalogue.limits)
    judge = partial(_judged, stored.layout, hosts)
    # Where values are unique, the order of the members decides who gets one.
    if operation.new and not stored.place.locks and not stored.table.unique:
        return (yield from _inserted(stored, operation.items, judge, translate))
    found = yield from _replaced(stored, operation.items, judge, translate)
    return _held(found) if stored.place.locks else found


def _replaced(stored: Stored, items: Sequence[Item], judge: Judge, translate: Translate) -> Plan:
    updates = [_replacement(stored, item) for item in items]

    def request(chunk: slice) -> Replacements:
        return Replacements(stored.collection, updates[chunk])

    found = yield from _written(request, chunks(updates), judge, translate)
    if stored.table.unique and found.failures:
        found = yield from _with_values_freed(stored, updates, found, judge, translate)
    return found


def _inserted(stored: Stored, items: Sequence[Item], judge: Judge, translate: Translate) -> Plan:
    """Insert, which costs the server a third of replacing; what is stored already is replaced after all."""
    documents = [RawBSONDocument(encode(encode_item(stored.layout, item))) for item in items]

    def request(chunk: slice) -> Insertions:
        return Insertions(stored.collection, documents[chunk])

    def judged(problem: Any) -> IsthmusError:
        return _InTheWayError("something is in the way") if problem["code"] == DUPLICATE else judge(problem)

    found = yield from _written(request, chunks(documents), judged, translate)
    again = [failure.position for failure in found.failures if isinstance(failure.error, _InTheWayError)]
    if not again:
        return found
    failures = [failure for failure in found.failures if not isinstance(failure.error, _InTheWayError)]
    failures += yield from _replaced_after(stored, items, again, judge, translate)
    return res.WriteManyResult(len(items) - len(failures), failures=sorted(failures, key=lambda one: one.position))


def _replaced_after(
    stored: Stored, items: Sequence[Item], places: Sequence[int], judge: Judge, translate: Translate
) -> Plan:
    """The failures of replacing some members when the others were inserted: whatever it ends with, those are there."""
    try:
        found = yield from _replaced(stored, [items[place] for place in places], judge, translate)
    except WriteError:  # the table is no longer there
        raise
    except Exception as error:
        refused = rest_failed(translate(error), len(items) - len(places), len(items))
        return [Failure(place, failure.error) for place, failure in zip(places, refused, strict=True)]
    return [Failure(places[failure.position], failure.error) for failure in found.failures]


class _InTheWayError(Conflict):
    """A document with the same key is stored."""


def _judged(layout: Layout, hosts: str, problem: Any) -> IsthmusError:
    """The error of a member."""
    if problem["code"] == DUPLICATE and dict(problem.get("keyPattern") or {}) != {"_id": 1}:
        return violation(layout, problem)
    return by_code(problem, hosts, writes=True)


def _with_values_freed(
    stored: Stored, updates: Sequence[RawBSONDocument], found: res.WriteManyResult, judge: Judge, translate: Translate
) -> Plan:
    """Send the members again in whose way expired items were."""
    failures: list[Failure] = []
    again: list[int] = []
    for failure in found.failures:
        error = failure.error
        if not isinstance(error, ValueTakenError):
            failures.append(failure)
        elif (yield from make_way(stored.place, error)):
            again.append(failure.position)
        else:
            failures.append(Failure(failure.position, error.final()))
    if again:
        members = [updates[position] for position in again]
        second = yield from _written(
            lambda chunk: Replacements(stored.collection, members[chunk]), chunks(members), judge, translate
        )
        failures += [Failure(again[failure.position], _final(failure.error)) for failure in second.failures]
    ordered = sorted(failures, key=lambda failure: failure.position)
    return res.WriteManyResult(len(updates) - len(ordered), failures=ordered)


def _final(error: IsthmusError) -> IsthmusError:
    return error.final() if isinstance(error, ValueTakenError) else error


def _replacement(stored: Stored, item: Item) -> RawBSONDocument:
    """A member of the command, in the bytes that are sent: they need less room, and tell how many fit."""
    document = encode_item(stored.layout, item)
    where: Document = {"_id": document["_id"]}
    if stored.place.locks:
        document[REVISION] = new_revision()
        where.update(UNLOCKED)
    return RawBSONDocument(encode({"q": where, "u": document, "upsert": True}))


def _held(result: res.WriteManyResult) -> res.WriteManyResult:
    """The result, where a key that was taken is one that a transaction may hold."""
    failures = [
        Failure(failure.position, locked()) if isinstance(failure.error, Conflict) else failure
        for failure in result.failures
    ]
    return evolve(result, failures=failures)


def chunks(updates: Sequence[RawBSONDocument]) -> list[slice]:
    """Which members go into one request."""
    ends, size = [0], 0
    for position, update in enumerate(updates):
        size += len(update.raw)
        if position - ends[-1] == _CHUNK or (size > _CHUNK_BYTES and position > ends[-1]):
            ends.append(position)
            size = len(update.raw)
    return [slice(start, end) for start, end in pairwise([*ends, len(updates)])]


def delete_many(catalogue: Catalogue, operation: op.DeleteMany, hosts: str, translate: Translate) -> Plan:
    """The plan of removing many items."""
    stored = catalogue.recent(operation.table) or (yield from catalogue.find(operation.table))
    keys = [encode_key(stored.layout, key) for key in operation.keys]
    unlocked = UNLOCKED if stored.place.locks else {}

    def request(chunk: slice) -> Call:
        return Call(stored.collection, "delete_many", ({"_id": {"$in": keys[chunk]}, **unlocked},))

    def left(chunk: slice, deleted: int) -> Failures:
        """The members that were locked; where as many were deleted as were named, there is none.

        Whatever is still there counts: a lock may be gone by now, and with it what would tell of it.
        """
        if not stored.place.locks or deleted == chunk.stop - chunk.start:
            return []
        there = {"_id": {"$in": keys[chunk]}}
        documents = yield Call(stored.collection, "find", (there, {"_id": 1}), {"batch_size": _CHUNK + 1})
        ids = [document["_id"] for document in documents]
        return [Failure(place, locked()) for place in range(chunk.start, chunk.stop) if keys[place] in ids]

    portions = [slice(start, min(start + _CHUNK, len(keys))) for start in range(0, len(keys), _CHUNK)]
    judge = partial(_judged, stored.layout, hosts)
    return (yield from _written(request, portions, judge, translate, left))


def _all_done(_chunk: slice, _deleted: int) -> Failures:
    yield from ()
    return []


def _written(
    request: Callable[[slice], Call | Insertions | Replacements],
    portions: Sequence[slice],
    judge: Judge,
    translate: Translate,
    left: Callable[[slice, int], Failures] = _all_done,
) -> Plan:
    """Send one request for each chunk.

    :param judge: gives the error of a member that the server refused
    :param left: the members that an answered request has left out, by the number of those that it has deleted
    """
    failures: list[Failure] = []
    members = portions[-1].stop
    for chunk in portions:
        try:
            answer = yield request(chunk)
            failures += yield from left(chunk, getattr(answer, "deleted_count", 0))
        except BulkWriteError as error:
            _check_collection(error)
            failures += _failures(error, chunk.start, chunk.stop, judge)
        except Exception as error:
            if not chunk.start:
                raise
            failures += rest_failed(translate(error), chunk.start, members)
            break
    return res.WriteManyResult(members - len(failures), failures=failures)


def _check_collection(error: BulkWriteError) -> None:
    """Leave the batch where its table is no longer there, which no member is to blame for.

    :raises WriteError: of the first member
    """
    problems = (error.details or {}).get("writeErrors") or [{}]
    if problems[0].get("code") == OTHER_COLLECTION:
        raise WriteError(problems[0]["errmsg"], OTHER_COLLECTION, problems[0]) from error


def _failures(error: BulkWriteError, start: int, end: int, judge: Judge) -> list[Failure]:
    """What became of the members of a request that was answered."""
    details = error.details or {}
    found = {problem["index"]: judge(problem) for problem in details.get("writeErrors", ())}
    for concern in details.get("writeConcernErrors", ())[:1]:
        # All are written, but not surely kept; writing them again does no harm.
        unsure = judge({"code": 0, "writeConcernError": concern})
        found = {place: found.get(place, unsure) for place in range(end - start)}
    return [Failure(start + place, found[place]) for place in sorted(found)]


def rest_failed(error: IsthmusError, start: int, members: int) -> list[Failure]:
    """All members from one on failed with an error; those before are written.

    :raises DeadlineExceeded: that was the error
    """
    if isinstance(error, DeadlineExceeded):
        raise DeadlineExceeded(
            f"the deadline passed when the first {start} members of the batch were sent: allow a longer timeout",
            maybe_applied=True,
        ) from error
    return [Failure(place, error) for place in range(start, members)]
