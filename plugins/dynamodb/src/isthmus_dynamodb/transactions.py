"""Transactions: one native request where all actions can be expressed, else judged on what was read and swapped."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve

from isthmus import operations as op
from isthmus.errors import (
    Conflict,
    InvalidArgument,
    IsthmusError,
    OutcomeUnknown,
    SchemaMismatch,
    TableNotFound,
    Throttled,
    TransactionFailed,
)
from isthmus.operation_ids import floor, new_operation_id
from isthmus.planned import Plan
from isthmus.results import GetResult, TransactGetResult, TransactWriteResult
from isthmus.schema import Table
from isthmus.writes import visible
from isthmus_dynamodb.failures import CANCELED, INVALID, MISMATCH, NOT_FOUND
from isthmus_dynamodb.fences import stored_id
from isthmus_dynamodb.forms import native_form
from isthmus_dynamodb.judging import judged
from isthmus_dynamodb.native import Json, Request, ServiceError
from isthmus_dynamodb.point_reads import found_item, projected, read_stored, seen_item
from isthmus_dynamodb.refusals import look_again
from isthmus_dynamodb.revisions import check_seen
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.swaps import swap_form
from isthmus_dynamodb.tokens import check_replayed, kept_token, make_token_table, token_put
from isthmus_dynamodb.values import Attributes, decode_item, encode_item
from isthmus_dynamodb.writing import SWAPS

# What is known to be stored for some of the actions, by their places.
_Images = dict[int, Attributes | None]
_Reasons = Sequence[Mapping[str, Any]]

_MEMBERS: Final[dict[type[op.Operation], str]] = {
    op.Create: "Put",
    op.Put: "Put",
    op.Update: "Update",
    op.Delete: "Delete",
    op.Check: "ConditionCheck",
}
_BUSY: Final[Mapping[str, type[IsthmusError]]] = {
    "TransactionConflict": Conflict,
    "ThrottlingError": Throttled,
    "ProvisionedThroughputExceeded": Throttled,
    "RequestLimitExceeded": Throttled,
}


def transact_write(operation: op.TransactWrite, service: Service) -> Plan:
    """Several writes and checks, all or nothing."""
    token = operation.token
    if token is None:
        return (yield from _transact(operation, service))
    if len(operation.actions) >= service.limits.transaction_actions:
        most = service.limits.transaction_actions - 1
        raise InvalidArgument(f"a transaction with a token takes up to {most} actions on DynamoDB: split it")
    try:
        return (yield from _transact(operation, service))
    except (ServiceError, TableNotFound, SchemaMismatch, TransactionFailed) as error:
        # A repetition is known before anything else is looked at.
        if isinstance(error, ServiceError) and error.code not in (INVALID, NOT_FOUND):
            raise
        row = yield from kept_token(token, service)
        if row is None:
            raise
        check_replayed(operation, row)
        return TransactWriteResult(replayed=True)


def _transact(operation: op.TransactWrite, service: Service) -> Plan:
    tables = [action.table for action in operation.actions]
    for table in tables:
        yield from service.admit(table)
    operation = _marked(operation, service)
    images: _Images = {}
    evaluated = False
    for _ in range(SWAPS):
        now = service.clock()
        members = _native(operation, images, service, now)
        if len(members) + len(images) < len(operation.actions):
            missing = [place for place in range(len(operation.actions)) if place not in members | images]
            yield from _read(operation, missing, images, service)
        if _applied_before(operation, images):
            return TransactWriteResult()
        members |= yield from _judged(operation, images, service, now, evaluated)
        try:
            yield Request("TransactWriteItems", _parameters(operation, members, service, now))
        except ServiceError as error:
            if (yield from _settled(error, operation, images, service)):
                return TransactWriteResult(replayed=operation.token is not None)
            evaluated = _all_evaluated(error)
        else:
            return TransactWriteResult()
    raise Conflict(f"other writers were faster than this transaction, {SWAPS} times: repeat it")


def _marked(operation: op.TransactWrite, service: Service) -> op.TransactWrite:
    """The transaction with an id: one with a token has none, but what it leaves must be seen to have changed."""
    if operation.token is None or not service.marks:
        return operation
    return operation.with_context(evolve(operation.context, operation_id=new_operation_id()))


def _native(operation: op.TransactWrite, images: _Images, service: Service, now: float) -> dict[int, Json]:
    """The members that can be expressed as they are."""
    members = {}
    for place, action in enumerate(operation.actions):
        if place not in images:
            parameters = native_form(action, _always(operation.context), service, now)
            if parameters is not None:
                members[place] = {_MEMBERS[type(action)]: parameters}
    return members


def _always(context: op.Context) -> op.Context:
    """The context of a first attempt, for all of them: a repetition is known by being the same request."""
    return evolve(context, repeated=False) if context.repeated else context


def _judged(
    operation: op.TransactWrite, images: _Images, service: Service, now: float, evaluated: bool
) -> Generator[Any, Any, dict[int, Json]]:
    """The members whose items are known, judged on them.

    :param evaluated: whether the service has evaluated all members, so that those which are not known are fine
    :raises TransactionFailed: one of them can't be carried out
    """
    members, reasons = _verdicts(operation, images, service, now)
    if not any(reasons):
        return members
    if not evaluated:  # every action gets its reason, also those that were not sent (rule TXN-6)
        yield from _read(operation, [place for place, _ in enumerate(reasons) if place not in images], images, service)
        _members, reasons = _verdicts(operation, images, service, now)
    _require_witness(operation, images)
    raise TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)


def _verdicts(
    operation: op.TransactWrite, images: _Images, service: Service, now: float
) -> tuple[dict[int, Json], list[IsthmusError | None]]:
    """What the actions on known items become, and for each action why it can't be carried out."""
    members: dict[int, Json] = {}
    reasons: list[IsthmusError | None] = [None] * len(operation.actions)
    for place, stored in images.items():
        action = operation.actions[place]
        current = None if stored is None else visible(action.table, decode_item(stored), now)
        try:
            check_seen(action, stored, current)
            new = judged(action, current, service, now)
            kind, parameters = swap_form(action, current, new, _always(operation.context), service, now)
        except IsthmusError as error:
            reasons[place] = error
        else:
            members[place] = {kind: parameters}
    return members, reasons


def _all_evaluated(error: ServiceError) -> bool:
    """Whether the service evaluated every member: it does not where one is invalid."""
    reasons: _Reasons = error.body.get("CancellationReasons", [])
    return error.code == CANCELED and all(reason.get("Code") != "ValidationError" for reason in reasons)


def _applied_before(operation: op.TransactWrite, images: _Images) -> bool:
    """Whether an earlier attempt left one of the items."""
    mine = operation.context.operation_id
    return mine is not None and any(stored_id(stored) == mine for stored in images.values())


def _require_witness(operation: op.TransactWrite, images: _Images) -> None:
    """Require of a repetition that an item with an older id shows that no attempt was applied.

    :raises OutcomeUnknown: no item does, so the reasons may be the traces of an attempt that was
    """
    mine = operation.context.operation_id
    if mine is None or not operation.context.repeated:
        return
    written = [place for place in images if not isinstance(operation.actions[place], op.Check)]
    if not any("" < (stored_id(images[place]) or "") < floor(mine) for place in written):
        raise OutcomeUnknown("an earlier attempt may have been applied, and others wrote since: read the items")


def _parameters(operation: op.TransactWrite, members: Mapping[int, Json], service: Service, now: float) -> Json:
    items = [members[place] for place in range(len(operation.actions))]
    if operation.token is not None:
        return {"TransactItems": [token_put(operation, operation.token, service, now), *items]}
    if operation.context.operation_id is not None:
        return {"TransactItems": items, "ClientRequestToken": operation.context.operation_id}
    return {"TransactItems": items}


def _settled(
    error: ServiceError, operation: op.TransactWrite, images: _Images, service: Service
) -> Generator[Any, Any, bool]:
    """Whether a refused transaction turns out to be applied; if not, ``images`` holds what to judge again."""
    if error.code == CANCELED:
        return (yield from _canceled(error, operation, images, service))
    if error.code == INVALID:
        if len(images) == len(operation.actions):
            raise error
        yield from _read(operation, range(len(operation.actions)), images, service)
        return False
    if error.code == MISMATCH:
        # The service knows the id from an attempt that was made at another time.
        yield from _require_applied(operation, service)
        return True
    yield from look_again(error, _tables(operation.actions), service)
    if error.code == NOT_FOUND and operation.token is not None:
        yield from make_token_table(operation, service)
        return False
    raise error


def _canceled(
    error: ServiceError, operation: op.TransactWrite, images: _Images, service: Service
) -> Generator[Any, Any, bool]:
    reasons: _Reasons = error.body["CancellationReasons"]
    if operation.token is not None:
        kept = reasons[0].get("Item")
        if kept is not None:
            check_replayed(operation, kept)
            return True
        _raise_if_busy(reasons[:1], error)
        reasons = reasons[1:]
    mine = operation.context.operation_id
    if mine is not None and any(stored_id(reason.get("Item")) == mine for reason in reasons):
        return True
    _raise_if_busy(reasons, error)
    failed = {place: reason for place, reason in enumerate(reasons) if reason.get("Code", "None") != "None"}
    if not failed or all(place in images and reason["Code"] == "ValidationError" for place, reason in failed.items()):
        raise error
    images |= {place: reason.get("Item") for place, reason in failed.items() if reason["Code"] != "ValidationError"}
    unread = [place for place, reason in failed.items() if reason["Code"] == "ValidationError"]
    yield from _read(operation, unread, images, service)
    return False


def _raise_if_busy(reasons: _Reasons, error: ServiceError) -> None:
    """Raise what a repetition may cure; the other reasons will be there then too."""
    for reason in reasons:
        kind = _BUSY.get(reason.get("Code", "None"))
        if kind is not None:
            raise kind(f"an item of the transaction was busy ({reason['Code']}): repeat it") from error


def _require_applied(operation: op.TransactWrite, service: Service) -> Generator[Any, Any, None]:
    for action in operation.actions:
        if isinstance(action, (op.Create, op.Put, op.Update)):
            stored = yield from read_stored(action.table, action.key, service)
            if stored_id(stored) == operation.context.operation_id:
                return
    raise OutcomeUnknown("this transaction may have been applied before others wrote its items: read them")


def _read(
    operation: op.TransactWrite, places: Iterable[int], images: _Images, service: Service
) -> Generator[Any, Any, None]:
    """Read what is stored for some of the actions, as of one moment."""
    wanted = list(places)
    if not wanted:
        return
    actions = [operation.actions[place] for place in wanted]
    items = [{"TableName": service.table(action.table), "Key": encode_item(action.key)} for action in actions]
    try:
        answer = yield Request("TransactGetItems", {"TransactItems": [{"Get": item} for item in items]})
    except ServiceError as error:
        yield from look_again(error, _tables(actions), service)
        if error.code == CANCELED:
            _raise_if_busy(error.body["CancellationReasons"], error)
        raise
    images |= {place: (found or {}).get("Item") for place, found in zip(wanted, answer["Responses"], strict=True)}


def transact_get(operation: op.TransactGet, service: Service) -> Plan:
    """Several items as of one moment."""
    tables = [get.table for get in operation.gets]
    for table in tables:
        yield from service.admit(table)
    items = []
    for get in operation.gets:
        item: Json = {"TableName": service.table(get.table), "Key": encode_item(get.key)}
        if get.projection is not None and not get.revision:
            # With its key, so that an item without the rest is no missing one.
            item |= projected(get.projection, get.table, *get.table.key_names)
        items.append({"Get": item})
    try:
        answer = yield Request("TransactGetItems", {"TransactItems": items})
    except ServiceError as error:
        yield from look_again(error, tables, service)
        if error.code == CANCELED:
            _raise_if_busy(error.body["CancellationReasons"], error)
        raise
    stored = [(response or {}).get("Item") for response in answer["Responses"]]
    found = [_found(get, attributes, service) for get, attributes in zip(operation.gets, stored, strict=True)]
    return TransactGetResult([one.item for one in found], [one.revision for one in found])


def _found(get: op.Get, stored: Attributes | None, service: Service) -> GetResult:
    return seen_item(get, stored, service) if get.revision else GetResult(found_item(get, stored, service))


def _tables(actions: Iterable[op.Action]) -> list[Table]:
    return [action.table for action in actions]
