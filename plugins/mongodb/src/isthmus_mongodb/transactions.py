"""Transactions: all or nothing, serialisable for the items that they name (rules TXN-1 to TXN-12).

A snapshot transaction reads every item, judges every action with the shared meaning of writes, and then writes images.
Reads lock nothing in MongoDB, so whatever is only checked is written to as well: a present item by a hidden counter, an
absent one by inserting and deleting its key. Two transactions can then not both act on what the other one changes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from attrs import frozen
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import Conflict, DeadlineExceeded, IsthmusError, OutcomeUnknown, TransactionFailed, Unavailable
from isthmus.evaluate import project
from isthmus.operation_ids import floor, new_operation_id
from isthmus.values import Item
from isthmus.writes import check_index_keys, visible, write
from isthmus_mongodb.catalogue import Catalogue, Stored
from isthmus_mongodb.failures import has_label
from isthmus_mongodb.layouts import LOCK, OPERATION
from isthmus_mongodb.native import Call, Commit, InSession
from isthmus_mongodb.tokens import Token
from isthmus_mongodb.values import decode_item, decode_key, encode_item, encode_key

Plan = Generator[Any, Any, Any]

_DUPLICATE = 11000
# How often a commit is sent again by itself; the driver repeats each once more, and a deadline ends it earlier.
_COMMITS = 3


@frozen
class Step:
    """One action and what was found where it acts.

    :param document: the stored document, which may be expired, or ``None``
    :param image: what the action leaves, after it was judged
    """

    action: op.Action
    stored: Stored
    document: dict[str, Any] | None
    image: Item | None = None


# ---- writing ----


def transact_write(catalogue: Catalogue, operation: op.TransactWrite) -> Plan:
    """The plan of a transaction that writes.

    :raises TransactionFailed: with the reason of every action that failed
    :raises IdempotencyMismatch: the token was used for other content
    :raises Conflict: another writer was in the way; nothing was applied
    :raises OutcomeUnknown: an earlier attempt may have been applied, and others wrote since
    """
    token = None if operation.token is None else Token.of(catalogue, operation)
    if token is not None and (yield from _known(catalogue, operation, token)):
        return res.TransactWriteResult(replayed=True)
    tables = yield from catalogue.find_all(action.table for action in operation.actions)
    try:
        yield InSession(lambda: _in_transaction(catalogue, operation, tables, token))
    except _TokenTakenError:
        assert token is not None
        if (yield from token.replayed(catalogue.clock())):
            return res.TransactWriteResult(replayed=True)
        raise Conflict("the token of an earlier transaction had expired and was removed: retry") from None
    except (DuplicateKeyError, BulkWriteError) as error:
        if not _only_duplicates(error):
            raise
        raise Conflict("another writer created an item of this transaction first: retry") from None
    return res.TransactWriteResult()


def _known(catalogue: Catalogue, operation: op.TransactWrite, token: Token) -> Plan:
    """Whether a repetition is known before any table is looked for, which may be gone by now.

    Where no table has to be looked for, the transaction itself finds out, with one request less.
    """
    if not catalogue.has_tokens:
        yield token.collection()
        catalogue.has_tokens = True
    if all(catalogue.recent(action.table) is not None for action in operation.actions):
        return False
    return (yield from token.replayed(catalogue.clock()))


def _only_duplicates(error: DuplicateKeyError | BulkWriteError) -> bool:
    problems = (error.details or {}).get("writeErrors") or [{"code": error.code}]
    return all(problem["code"] == _DUPLICATE for problem in problems)


def _in_transaction(
    catalogue: Catalogue, operation: op.TransactWrite, tables: Sequence[Stored], token: Token | None
) -> Plan:
    if token is not None:
        try:
            yield token.keep(catalogue.clock())
        except DuplicateKeyError:
            raise _TokenTakenError from None
    documents = yield from _documents(
        [(stored, one.key) for stored, one in zip(tables, operation.actions, strict=True)]
    )
    steps = [Step(*found) for found in zip(operation.actions, tables, documents, strict=True)]
    if operation.context.repeated and _applied_before(steps, operation.context.operation_id):
        # What was read here may be on this server alone: the commit waits until a majority has it.
        yield from _commit()
        return
    mark = operation.context.operation_id or new_operation_id()
    for stored, requests in _requests(_judge(steps, catalogue.clock()), mark):
        yield Call(stored.collection, "bulk_write", (requests,))
    yield from _commit()


def _applied_before(steps: Sequence[Step], own: str | None) -> bool:
    """Whether an earlier attempt was applied, which its id in any of the items tells (rule CND-7).

    :raises OutcomeUnknown: somebody else wrote one of the items, or removed it, since the first attempt may have
    """
    if own is None:
        return False
    marks = [str((step.document or {}).get(OPERATION, "")) for step in steps]
    if own in marks:
        return True
    # One item that nobody wrote since shows that the attempt was not applied; items that are missing show nothing.
    witnesses = [step for step in steps if not isinstance(step.action, op.Check) and step.document is not None]
    if not witnesses or any(mark >= floor(own) for mark in marks):
        raise OutcomeUnknown("an earlier attempt may have been applied, and others wrote since: read the items")
    return False


def _commit() -> Plan:
    """Commit; again where the outcome is unknown, because a commit that is repeated does nothing more."""
    unknown: Exception | None = None
    for _ in range(_COMMITS):
        try:
            yield Commit()
        except Exception as error:
            if unknown is None and not has_label(error, "UnknownTransactionCommitResult"):
                raise
            unknown = error
            if not has_label(error, "UnknownTransactionCommitResult"):
                break
        else:
            return
    kind = DeadlineExceeded if isinstance(unknown, DeadlineExceeded) else Unavailable
    raise kind("no server told whether the transaction was committed", maybe_applied=True) from unknown


class _TokenTakenError(Exception):
    """The token is there already."""


# ---- judging ----


def _documents(wanted: Sequence[tuple[Stored, op.ItemKey]]) -> Generator[Any, Any, list[Any]]:
    """The documents of keys, ``None`` for missing ones, in their order; one request for each collection."""
    sought: dict[str, list[Any]] = {}
    for stored, key in wanted:
        sought.setdefault(stored.collection, []).append(encode_key(stored.layout, key))
    layouts = {stored.collection: stored.layout for stored, _key in wanted}
    found: dict[Any, Any] = {}
    for collection, keys in sought.items():
        documents = yield Call(collection, "find", ({"_id": {"$in": keys}},), {"batch_size": len(keys) + 1})
        layout = layouts[collection]
        found.update({(collection, *decode_key(layout, each["_id"]).values()): each for each in documents})
    return [found.get((stored.collection, *(key[name] for name in stored.table.key_names))) for stored, key in wanted]


def _judge(steps: Sequence[Step], now: float) -> list[Step]:
    """The steps with what each leaves, judged by what was there before all of them.

    :raises TransactionFailed: with the reasons, one for each action
    """
    judged: list[Step] = []
    reasons: list[IsthmusError | None] = []
    for step in steps:
        image, reason = None, None
        try:
            image = _image(step, now)
        except IsthmusError as error:
            reason = error
        judged.append(Step(step.action, step.stored, step.document, image))
        reasons.append(reason)
    if any(reasons):
        raise TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)
    return judged


def _image(step: Step, now: float) -> Item | None:
    table, limits = step.stored.table, step.stored.place.limits
    current = None if step.document is None else decode_item(step.stored.layout, step.document)
    image = write(step.action, visible(table, current, now), limits, now)
    if image is not None and table.indexes != step.action.table.indexes:
        check_index_keys(table, image, limits)
    return image


def _requests(steps: Sequence[Step], mark: str) -> list[tuple[Stored, list[Any]]]:
    """What is written, by collection.

    :param mark: id of this transaction, kept in every item that it leaves
    """
    found: dict[str, tuple[Stored, list[Any]]] = {}
    for step in steps:
        found.setdefault(step.stored.collection, (step.stored, []))[1].extend(_step_requests(step, mark))
    return list(found.values())


def _step_requests(step: Step, mark: str) -> list[Any]:
    key = encode_key(step.stored.layout, step.action.key)
    ours = {"_id": key}
    if isinstance(step.action, op.Check):
        if step.document is not None:
            return [UpdateOne(ours, {"$inc": {LOCK: 1}})]
        return [InsertOne({"_id": key, LOCK: 1}), DeleteOne(ours)]
    if step.image is None:
        return [DeleteOne(ours)] if step.document is not None else [InsertOne({"_id": key, LOCK: 1}), DeleteOne(ours)]
    document = {**encode_item(step.stored.layout, step.image), OPERATION: mark}
    if step.document is None:
        return [InsertOne(document)]
    # The counter goes on, so that even a write that changes nothing is one for the server, and locks (rule UPD-12).
    return [ReplaceOne(ours, {**document, LOCK: step.document.get(LOCK, 0) + 1})]


# ---- reading ----


def transact_get(catalogue: Catalogue, operation: op.TransactGet) -> Plan:
    """The plan of reads as of one moment."""
    tables = yield from catalogue.find_all(get.table for get in operation.gets)
    wanted = [(stored, get.key) for stored, get in zip(tables, operation.gets, strict=True)]
    documents = yield InSession(lambda: _documents(wanted), snapshot=True)
    now = catalogue.clock()
    items = [
        shown(stored, document, get, now)
        for stored, document, get in zip(tables, documents, operation.gets, strict=True)
    ]
    return res.TransactGetResult(items)


def shown(stored: Stored, document: dict[str, Any] | None, get: op.Get | op.GetMany, now: float) -> Item | None:
    """What a reader sees of a document."""
    if document is None:
        return None
    item = visible(stored.table, decode_item(stored.layout, document), now)
    return item if item is None or get.projection is None else project(item, get.projection)
