"""Transactions: all or nothing, serialisable for the items that they name (rules TXN-1 to TXN-12).

A snapshot transaction reads every item, judges every action with the shared meaning of writes, and then writes images.
Reads lock nothing in MongoDB, so whatever is only checked is written to as well: a present item by a hidden counter, an
absent one by inserting and deleting its key. Two transactions can then not both act on what the other one changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from attrs import frozen
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, NetworkTimeout

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import (
    Conflict,
    DeadlineExceeded,
    IsthmusError,
    OutcomeUnknown,
    TransactionFailed,
    Unavailable,
)
from isthmus.evaluate import project
from isthmus.operation_ids import floor, new_operation_id
from isthmus.schema import Table
from isthmus.values import Item
from isthmus.writes import check_index_keys, visible, write
from isthmus_mongodb.catalogue import Catalogue
from isthmus_mongodb.failures import has_label
from isthmus_mongodb.forms import Form, NativeForm
from isthmus_mongodb.layouts import OPERATION
from isthmus_mongodb.locks import is_locked, locked
from isthmus_mongodb.names import escape
from isthmus_mongodb.native import Call, Commit, InSession, Settle
from isthmus_mongodb.revisions import check_seen, revision_of
from isthmus_mongodb.tokens import Token
from isthmus_mongodb.unique import ATTEMPTS, DUPLICATE, ValueTakenError, busy, check_kept, make_way

Plan = Generator[Any, Any, Any]
Find = Callable[[Iterable[Table]], Generator[Any, Any, list[Form]]]

# How often a commit is sent again by itself; the driver repeats each once more, and a deadline ends it earlier.
_COMMITS = 3


@frozen
class Step:
    """One action and what was found where it acts.

    :param document: the stored document, which may be expired, or ``None``
    :param image: what the action leaves, after it was judged
    """

    action: op.Action
    form: Form
    document: dict[str, Any] | None
    image: Item | None = None


# ---- writing ----


def transact_write(catalogue: Catalogue, operation: op.TransactWrite, find: Find) -> Plan:
    """The plan of a transaction that writes.

    :param find: gives declared tables
    :raises TransactionFailed: with the reason of every action that failed
    :raises IdempotencyMismatch: the token was used for other content
    :raises Conflict: another writer was in the way; nothing was applied
    :raises OutcomeUnknown: an earlier attempt may have been applied, and others wrote since
    """
    token = None if operation.token is None else Token.of(catalogue, operation)
    if token is not None and (yield from _known(catalogue, operation, token)):
        return res.TransactWriteResult(replayed=True)
    tables = yield from find(action.table for action in operation.actions)
    for form, action in zip(tables, operation.actions, strict=True):
        if not isinstance(action, op.Check):
            check_kept(action.table, form.table)
    try:
        yield from _with_values_freed(
            tables, lambda: InSession(lambda: _in_transaction(catalogue, operation, tables, token))
        )
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


def _with_values_freed(tables: Sequence[Form], attempt: Callable[[], InSession]) -> Plan:
    """A transaction, which begins again where an expired item was in its way."""
    for _attempt in range(ATTEMPTS):
        try:
            yield attempt()
        except TransactionFailed as error:
            taken = [(form, reason) for form, reason in zip(tables, error.reasons, strict=True)
                     if isinstance(reason, ValueTakenError)]  # fmt: skip
            if not taken:
                raise
            for form, reason in taken:
                assert isinstance(form, NativeForm)
                if not (yield from make_way(form.stored.place, reason)):
                    raise _refused([_final(one) for one in error.reasons]) from None
        else:
            return
    raise busy()


def _final(reason: IsthmusError | None) -> IsthmusError | None:
    return reason.final() if isinstance(reason, ValueTakenError) else reason


def _refused(reasons: Sequence[IsthmusError | None]) -> TransactionFailed:
    return TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)


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
    return all(problem["code"] == DUPLICATE for problem in problems)


def _in_transaction(
    catalogue: Catalogue, operation: op.TransactWrite, tables: Sequence[Form], token: Token | None
) -> Plan:
    if token is not None:
        try:
            yield token.keep(catalogue.clock())
        except DuplicateKeyError:
            raise _TokenTakenError from None
    documents = yield from _documents([(form, one.key) for form, one in zip(tables, operation.actions, strict=True)])
    steps = [Step(*found) for found in zip(operation.actions, tables, documents, strict=True)]
    if _applied_before(steps, operation.context):
        # What was read here may be on this server alone: the commit waits until a majority has it.
        yield from _commit()
        return
    mark = operation.context.operation_id or new_operation_id()
    for collection, requests in _requests(_judge(steps, catalogue.clock()), mark).items():
        try:
            yield Call(collection, "bulk_write", ([request for _, request in requests],))
        except BulkWriteError as error:
            _check_unique(error, [position for position, _ in requests], steps)
            raise
    yield from _commit()


def _applied_before(steps: Sequence[Step], context: op.Context) -> bool:
    """Whether an earlier attempt was applied, which its id in any of the items tells (rule CND-7).

    :raises OutcomeUnknown: somebody else wrote one of the items, or removed it, since the first attempt may have
    """
    own = context.operation_id
    if own is None:
        return False
    marks = [str(step.document.get(OPERATION, "")) for step in steps if step.document is not None]
    if own in marks:
        return True
    if not context.repeated:
        return False
    # All items of a transaction get its id, so one that keeps an older id shows that the attempt was not applied.
    # Items that are missing, or without an id, show nothing.
    witnesses = [step.document for step in steps if step.document is not None and not isinstance(step.action, op.Check)]
    if not any(OPERATION in document and document[OPERATION] < floor(own) for document in witnesses):
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
    # Until it is aborted, the items are locked for as long as a minute.
    outcome = yield Settle()
    if outcome == "committed":
        return
    kind = DeadlineExceeded if _is_late(unknown) else Unavailable
    if outcome == "aborted":
        raise kind("the commit got no answer in time, so the transaction was aborted: retry") from unknown
    raise kind("no server told whether the transaction was committed", maybe_applied=True) from unknown


def _is_late(error: Exception | None) -> bool:
    return isinstance(error, DeadlineExceeded | NetworkTimeout)


class _TokenTakenError(Exception):
    """The token is there already."""


# ---- judging ----


def _documents(wanted: Sequence[tuple[Form, op.ItemKey]]) -> Generator[Any, Any, list[Any]]:
    """The documents of keys, ``None`` for missing ones, in their order; one request for each table.

    :raises Locked: a transaction of the core holds one of them
    """
    sought: dict[str, tuple[Form, list[op.ItemKey]]] = {}
    for form, key in wanted:
        sought.setdefault(form.table.name, (form, []))[1].append(key)
    found: dict[Any, Any] = {}
    for name, (form, keys) in sought.items():
        documents = yield Call(form.collection, "find", (form.wanted(keys),), {"batch_size": 2 * len(keys) + 1})
        if form.locks and any(map(is_locked, documents)):
            raise locked()
        found.update({(name, *form.key(each).values()): each for each in documents})
    return [found.get((form.table.name, *(key[name] for name in form.table.key_names))) for form, key in wanted]


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
        judged.append(Step(step.action, step.form, step.document, image))
        reasons.append(reason)
    if any(reasons):
        raise _refused(reasons)
    return judged


def _image(step: Step, now: float) -> Item | None:
    table, limits = step.form.table, step.form.limits
    current = None if step.document is None else step.form.item(step.document, None)
    current = visible(table, current, now)
    check_seen(step.action, step.document, current)
    image = write(step.action, current, limits, now)
    if image is not None and table.indexes != step.action.table.indexes:
        check_index_keys(table, image, limits)
    return image


def _check_unique(error: BulkWriteError, owners: Sequence[int], steps: Sequence[Step]) -> None:
    """Tell whose value is there already, where an index of the collection allows it once (rule CND-3).

    :param owners: the positions of the actions behind the requests
    :raises TransactionFailed: with UniqueViolation for that action
    """
    problem = ((error.details or {}).get("writeErrors") or [{}])[0]
    if problem.get("code") == DUPLICATE and dict(problem.get("keyPattern", {})) != {"_id": 1}:
        reasons: list[IsthmusError | None] = [None] * len(steps)
        position = owners[problem["index"]]
        reasons[position] = steps[position].form.violation(problem)
        raise _refused(reasons) from error


def _requests(steps: Sequence[Step], mark: str) -> dict[str, list[tuple[int, Any]]]:
    """What is written, by collection, each with the position of its action.

    :param mark: id of this transaction, kept in every item that it leaves
    """
    found: dict[str, list[tuple[int, Any]]] = {}
    # The server looks at unique values after each request, so what gives some up comes first.
    ordered = sorted(enumerate(steps), key=lambda one: not _removes(one[1]))
    for position, step in enumerate(steps) if len(steps) > 1 else ():
        requests = found.setdefault(step.form.collection, [])
        requests += [(position, request) for request in _freeing(step)]
    for position, step in ordered:
        requests = found.setdefault(step.form.collection, [])
        requests += [(position, request) for request in _step_requests(step, mark)]
    return {collection: requests for collection, requests in found.items() if requests}


def _removes(step: Step) -> bool:
    return step.document is not None and step.image is None


def _freeing(step: Step) -> list[Any]:
    """What takes the unique values out of a document that gets others."""
    form, document = step.form, step.document
    if not form.table.unique or document is None or step.image is None or isinstance(step.action, op.Check):
        return []
    before = form.item(document, None)
    names = {name for unique in form.table.unique for name in unique.attributes} - set(form.table.key_names)
    if all(before.get(name) == step.image.get(name) for name in names):
        return []
    return [UpdateOne({"_id": document["_id"]}, {"$unset": {escape(name): "" for name in sorted(names)}})]


def _step_requests(step: Step, mark: str) -> list[Any]:
    form, document = step.form, step.document
    if document is None:
        nothing = step.image is None or isinstance(step.action, op.Check)
        return form.held(step.action.key) if nothing else form.inserted(step.image or {}, mark)
    if isinstance(step.action, op.Check):
        return form.locked(document)
    return form.removed(document) if step.image is None else form.replaced(document, step.image, mark)


# ---- reading ----


def transact_get(catalogue: Catalogue, operation: op.TransactGet, find: Find) -> Plan:
    """The plan of reads as of one moment."""
    tables = yield from find(get.table for get in operation.gets)
    wanted = [(form, get.key) for form, get in zip(tables, operation.gets, strict=True)]
    documents = yield InSession(lambda: _documents(wanted), snapshot=True)
    now = catalogue.clock()
    found = list(zip(tables, documents, operation.gets, strict=True))
    return res.TransactGetResult(
        [_shown(*one, now) for one in found], [_revision(*one, now) if one[2].revision else None for one in found]
    )


def _revision(form: Form, document: dict[str, Any] | None, _get: op.Get, now: float) -> op.Revision:
    item = None if document is None else form.item(document, None)
    return revision_of(document, visible(form.table, item, now))


def _shown(form: Form, document: dict[str, Any] | None, get: op.Get, now: float) -> Item | None:
    """What a reader sees of a document."""
    if document is None:
        return None
    paths, ttl = get.projection, form.table.ttl
    names = None if paths is None else frozenset(str(path[0]) for path in paths) | ({ttl} if ttl else set())
    item = visible(form.table, form.item(document, names), now)
    return item if item is None or paths is None else project(item, paths)
