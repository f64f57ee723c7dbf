"""Compare and swap: what the service can't express is judged here, and written if what it rests on is unchanged.

The result of a write depends on the attributes that its condition and its changes name, and on expiry. A swap requires
all of these to be as they were read, so it is right whoever else writes; other attributes may change meanwhile.
"""

from __future__ import annotations

from attrs import evolve

from isthmus import operations as op
from isthmus.errors import QueryTooComplex
from isthmus.expressions import attributes_used
from isthmus.values import Item
from isthmus_dynamodb.changes import Part, joined, stamp
from isthmus_dynamodb.conditions import fits, free_text, visible_text
from isthmus_dynamodb.fences import fence_text, has_room
from isthmus_dynamodb.forms import stamped, with_condition
from isthmus_dynamodb.hidden import HIDDEN
from isthmus_dynamodb.native import Json
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.revisions import compares_all, seen_parts
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.values import encode_item

Form = tuple[str, Json]


def swap_form(
    action: op.Action, current: Item | None, new: Item | None, context: op.Context, service: Service, now: float
) -> Form:
    """The member of a transaction, and its parameters, that writes ``new`` if ``current`` is still what is there.

    :param current: the visible item that was judged
    :param new: what :func:`isthmus.writes.write` made of it
    :raises QueryTooComplex: more attributes are named than one expression can hold
    """
    placeholders = Placeholders()
    stamp_context = stamping(context, new, service)
    parameters: Json = {"TableName": service.table(action.table)}
    if isinstance(action, op.Update) and current is not None and new is not None:
        kind = "Update"
        parameters["Key"] = encode_item(action.key)
        # Without room for an id there is none for what older writes left either.
        if has_room(new, service.limits):
            stamps = stamp(context, placeholders)
        else:
            stamps = [("REMOVE", placeholders.name(name)) for name in HIDDEN]
        _set_changed(parameters, action, new, stamps, placeholders)
    elif isinstance(action, op.Check) or (new is None and current is None):
        kind = "ConditionCheck"
        parameters["Key"] = encode_item(action.key)
    elif new is None:
        kind = "Delete"
        parameters["Key"] = encode_item(action.key)
    else:
        kind = "Put"
        parameters["Item"] = stamped(encode_item(new), stamp_context)
    parts = [*_unchanged(action, current, now, placeholders), fence_text(context, action.table, placeholders)]
    parts += seen_parts(action, now, placeholders)
    found = with_condition(parameters, parts, placeholders)
    if found is None:
        raise too_complex(action)
    return kind, found


def stamping(context: op.Context, new: Item | None, service: Service) -> op.Context:
    """The context without its operation id where an item has no room for it."""
    if context.operation_id is None or new is None or has_room(new, service.limits):
        return context
    return evolve(context, operation_id=None)


def too_complex(action: op.Action) -> QueryTooComplex:
    """The error for an expression that is longer than the service takes (rule SIZ-5)."""
    return QueryTooComplex(
        f"this {action.kind} names more attributes than DynamoDB takes in one expression: split it, or put the item"
    )


def _set_changed(
    parameters: Json, action: op.Update, new: Item, stamps: list[Part], placeholders: Placeholders
) -> None:
    parts: list[Part] = []
    for name in sorted({str(change.path[0]) for change in action.changes.actions}):
        alias = placeholders.name(name)
        parts.append(("SET", f"{alias} = {placeholders.value(new[name])}") if name in new else ("REMOVE", alias))
    text = joined(parts + stamps)
    if not fits(text):
        raise too_complex(action)
    if text:
        parameters["UpdateExpression"] = text


def _unchanged(action: op.Action, current: Item | None, now: float, placeholders: Placeholders) -> list[str | None]:
    table = action.table
    if current is None:
        return [free_text(table, now, placeholders)]
    parts: list[str | None] = [f"attribute_exists({placeholders.name(table.key_names[0])})"]
    names = _names(action) - set(table.key_names)
    # Compared once: an expression has room for just so many.
    for name in sorted(names - current.keys() if compares_all(action) else names):
        alias = placeholders.name(name)
        same = f"{alias} = {placeholders.value(current[name])}" if name in current else f"attribute_not_exists({alias})"
        parts.append(same)
    return [*parts, visible_text(table, now, placeholders)]


def _names(action: op.Action) -> frozenset[str]:
    """The attributes on which the result of an action depends."""
    condition = None if isinstance(action, op.Create) else action.condition
    names = frozenset() if condition is None else attributes_used(condition)
    return names | attributes_used(action.changes) if isinstance(action, op.Update) else names
