"""Writes of single items: one native request where the service can express them, else compare and swap.

Why a write was refused is never read from a message. The service hands over the item that was in the way, and the
evaluator that all backends share says what is wrong with it, or that nothing is.
"""

from __future__ import annotations

from typing import Any, Final

from isthmus import operations as op
from isthmus.embedded import image
from isthmus.errors import Conflict, OutcomeUnknown
from isthmus.operation_ids import item_gone
from isthmus.planned import Plan
from isthmus.results import DeleteResult, WriteResult
from isthmus.values import Item
from isthmus.writes import visible
from isthmus_dynamodb.failures import CONDITION_FAILED, INVALID, translated
from isthmus_dynamodb.fences import Write, image_lost, was_applied
from isthmus_dynamodb.forms import CURRENT, native_form
from isthmus_dynamodb.judging import judged
from isthmus_dynamodb.native import AnswerLost, Json, Request, ServiceError
from isthmus_dynamodb.point_reads import read_stored
from isthmus_dynamodb.refusals import look_again
from isthmus_dynamodb.revisions import check_seen
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.swaps import stamping, swap_form
from isthmus_dynamodb.values import Attributes, decode_item

SWAPS: Final = 8
"""How often a swap is tried before the core waits."""

ACTIONS: Final[dict[type[op.Operation], str]] = {
    op.Create: "PutItem",
    op.Put: "PutItem",
    op.Update: "UpdateItem",
    op.Delete: "DeleteItem",
}
_OF_MEMBER: Final = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}


def write(operation: Write, service: Service) -> Plan:
    """Create, put, update or delete one item."""
    table = operation.table
    if not service.known.accepts(table):
        yield from service.known.check(table)
    now = service.clock()
    parameters = native_form(operation, operation.context, service, now)
    if parameters is None:
        stored = yield from read_stored(table, operation.key, service)
        return (yield from _swap(operation, stored, service))
    try:
        answer = yield Request(ACTIONS[type(operation)], _returning(parameters, operation))
    except ServiceError as error:
        if error.code == CONDITION_FAILED:
            stored = error.body.get("Item")
        elif error.code == INVALID:
            stored = yield from read_stored(table, operation.key, service)
        else:
            yield from look_again(error, (table,), service)
            raise
    else:
        return _result(operation, answer, now)
    return (yield from _swap(operation, stored, service))


def _swap(operation: Write, stored: Attributes | None, service: Service) -> Plan:
    """Judge a write on the item that is stored, and apply it there; again while others are in the way.

    :raises Conflict: they always were
    """
    for _ in range(SWAPS):
        now = service.clock()
        current = None if stored is None else visible(operation.table, decode_item(stored), now)
        if was_applied(operation, stored):
            return _applied(operation, current)
        check_seen(operation, stored, current)
        new = judged(operation, current, service, now)
        if new is None and current is None:
            return _nothing(operation)
        kind, parameters = swap_form(operation, current, new, operation.context, service, now)
        try:
            answer = yield Request(_OF_MEMBER[kind], _returning(parameters, operation, kind))
        except ServiceError as error:
            if error.code != CONDITION_FAILED:
                _raise_unless_repeatable(error, operation, new, service)
                raise
            stored = error.body.get("Item")
        except AnswerLost as error:
            _raise_unless_repeatable(error, operation, new, service)
            raise
        else:
            return _swapped(operation, answer, kind, new, now)
    raise Conflict(f"other writers were faster than this {operation.kind}, {SWAPS} times: repeat it")


def _raise_unless_repeatable(
    error: ServiceError | AnswerLost, operation: Write, new: Item | None, service: Service
) -> None:
    """Raise for a swap that may have been applied without an id: it must not be repeated.

    :raises OutcomeUnknown: it may
    """
    known = translated(error, operation)
    if known is None or not known.maybe_applied or stamping(operation.context, new, service) is operation.context:
        return
    raise OutcomeUnknown(
        f"the outcome of this {operation.kind} is unknown, and the item has no room for an id: read it"
    ) from error


def _returning(parameters: Json, operation: Write, kind: str | None = None) -> Json:
    """Parameters that ask for the image that the caller wants."""
    if isinstance(operation, op.Delete) and "ConditionExpression" not in parameters:
        # DynamoDB Local gives the old item to several deletes at once, unless they are conditional.
        parameters |= {"ConditionExpression": "attribute_exists(#0)", **CURRENT}
        parameters["ExpressionAttributeNames"] = {"#0": operation.table.key_names[0]}
    if isinstance(operation, op.Delete) or operation.returning == "old":
        parameters["ReturnValues"] = "ALL_OLD"
    elif operation.returning == "new" and isinstance(operation, op.Update) and kind != "Put":
        parameters["ReturnValues"] = "ALL_NEW"
    return parameters


def _result(operation: Write, answer: Json, now: float) -> WriteResult:
    if isinstance(operation, op.Delete):
        return _deleted(operation, answer, now)
    if operation.returning is None:
        return WriteResult()
    if operation.returning == "old" or isinstance(operation, op.Update):
        return WriteResult(_answered(operation, answer, now))
    return WriteResult(image(operation.item))


def _deleted(operation: op.Delete, answer: Json, now: float) -> DeleteResult:
    old = _answered(operation, answer, now)
    if operation.context.repeated and "Attributes" not in answer:
        raise item_gone(operation)
    return DeleteResult(old if operation.returning == "old" else None, existed=old is not None)


def _answered(operation: Write, answer: Json, now: float) -> Item | None:
    attributes: Any = answer.get("Attributes")
    # An update of a missing item answers with an empty image on some emulators.
    return visible(operation.table, decode_item(attributes), now) if attributes else None


def _swapped(operation: Write, answer: Json, kind: str, new: Item | None, now: float) -> WriteResult:
    if isinstance(operation, op.Update) and kind == "Put":
        return WriteResult(new if operation.returning == "new" else None)
    return _result(operation, answer, now)


def _applied(operation: Write, current: Item | None) -> WriteResult:
    """The result of a write whose earlier attempt was applied."""
    if operation.returning == "old":
        raise image_lost(operation)
    return WriteResult(current if operation.returning == "new" else None)


def _nothing(operation: Write) -> WriteResult:
    """The result of a write that leaves a missing item missing."""
    return DeleteResult() if isinstance(operation, op.Delete) else WriteResult()
