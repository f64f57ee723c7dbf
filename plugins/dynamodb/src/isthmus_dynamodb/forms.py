"""Writes of one item as native requests, alone or as a member of a transaction.

An expired item is absent to every condition (rule TTL-2). A condition that a missing item fulfils may be true of it or
it may have expired; any other must be true and it must not have expired.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from isthmus import operations as op
from isthmus.evaluate import matches
from isthmus.expressions import Condition
from isthmus.operation_ids import new_mark
from isthmus.schema import Table
from isthmus_dynamodb.changes import creates, expressible, update_text
from isthmus_dynamodb.conditions import AND, condition_text, expired_text, fits, free_text, visible_text
from isthmus_dynamodb.fences import fence_text
from isthmus_dynamodb.hidden import MARK, OPERATION_ID
from isthmus_dynamodb.native import Json
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.revisions import seen_parts
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.values import Attributes, encode_item

_CONDITION: Final = "ConditionExpression"
CURRENT: Final[Json] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def native_form(action: op.Action, context: op.Context, service: Service, now: float) -> Json | None:
    """The parameters of an action, or ``None`` if it can't be expressed with all that it means.

    :param context: the one of the whole operation
    :param now: the time at which expiry is judged
    """
    return _FORMS[type(action)](action, context, service, now)


def stamped(attributes: Attributes, context: op.Context) -> Attributes:
    """The attributes of an item to be put, with the operation id."""
    if context.operation_id is not None:
        attributes[OPERATION_ID] = {"S": context.operation_id}
    return attributes


def with_condition(parameters: Json, parts: list[str | None], placeholders: Placeholders) -> Json | None:
    """Parameters with a condition made of all parts, or ``None`` if it is longer than the service takes."""
    text = " AND ".join(part for part in parts if part)
    if text:
        if not fits(text):
            return None
        parameters[_CONDITION] = text
        parameters |= CURRENT
    return parameters | placeholders.parameters()


def _create(action: op.Create, context: op.Context, service: Service, now: float) -> Json | None:
    placeholders = Placeholders()
    item = stamped(encode_item(action.item), context)
    parameters: Json = {"TableName": service.table(action.table), "Item": item}
    parts: list[str | None] = [free_text(action.table, now, placeholders)]
    if action.table.ttl is not None:
        parts.append(fence_text(context, action.table, placeholders))
    return with_condition(parameters, [*parts, *seen_parts(action, now, placeholders)], placeholders)


def _put(action: op.Put, context: op.Context, service: Service, now: float) -> Json | None:
    parameters: Json = {"TableName": service.table(action.table), "Item": stamped(encode_item(action.item), context)}
    if context.operation_id is None and service.marks:
        parameters["Item"][MARK] = {"S": new_mark()}
    if action.condition is None and context.operation_id is None and action.unchanged is None:
        return parameters
    placeholders = Placeholders()
    fence = fence_text(context, action.table, placeholders)
    parts = [_judged(action.table, action.condition, now, placeholders), fence]
    return with_condition(parameters, [*parts, *seen_parts(action, now, placeholders)], placeholders)


def _delete(action: op.Delete, context: op.Context, service: Service, now: float) -> Json | None:
    parameters: Json = {"TableName": service.table(action.table), "Key": encode_item(action.key)}
    placeholders = Placeholders()
    # What a delete leaves holds no id, so only a repetition has something to look for.
    fence = fence_text(context, action.table, placeholders) if context.repeated else None
    parts = [_judged(action.table, action.condition, now, placeholders), fence]
    return with_condition(parameters, [*parts, *seen_parts(action, now, placeholders)], placeholders)


def _check(action: op.Check, _context: op.Context, service: Service, now: float) -> Json | None:
    parameters: Json = {"TableName": service.table(action.table), "Key": encode_item(action.key)}
    placeholders = Placeholders()
    parts = [_judged(action.table, action.condition, now, placeholders), *seen_parts(action, now, placeholders)]
    return with_condition(parameters, parts, placeholders)


def _update(action: op.Update, context: op.Context, service: Service, now: float) -> Json | None:
    if not expressible(action, service, now):
        return None
    placeholders = Placeholders()
    table, condition = action.table, action.condition
    parameters: Json = {"TableName": service.table(table), "Key": encode_item(action.key)}
    text = update_text(action, context, placeholders)
    if not fits(text):
        return None
    if text:
        parameters["UpdateExpression"] = text
    creating = action.upsert and creates(action.changes, table)
    parts = [
        None if creating else f"attribute_exists({placeholders.name(table.key_names[0])})",
        None if condition is None else condition_text(condition, placeholders, AND),
        visible_text(table, now, placeholders),
        fence_text(context, table, placeholders),
        *seen_parts(action, now, placeholders),
    ]
    return with_condition(parameters, parts, placeholders)


def _judged(table: Table, condition: Condition | None, now: float, placeholders: Placeholders) -> str | None:
    """A condition that takes an expired item for a missing one, to be joined by ``AND``."""
    if condition is None:
        return None
    if table.ttl is None:
        return condition_text(condition, placeholders, AND)
    if matches(condition, {}):
        return f"({condition_text(condition, placeholders)} OR {expired_text(table.ttl, now, placeholders)})"
    return f"{condition_text(condition, placeholders, AND)} AND {visible_text(table, now, placeholders)}"


_FORMS: Final[dict[type[op.Operation], Callable[[Any, op.Context, Service, float], Json | None]]] = {
    op.Create: _create,
    op.Put: _put,
    op.Update: _update,
    op.Delete: _delete,
    op.Check: _check,
}
