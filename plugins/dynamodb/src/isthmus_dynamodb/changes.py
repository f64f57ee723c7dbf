"""Updates as ``UpdateExpression``, where the service means what the contract means."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from isthmus.errors import InvalidKey
from isthmus.expressions import MISSING, Add, Append, Changes, Delete, Prepend, Remove, Set, SetFrom, SetIfAbsent
from isthmus.expressions import Action as Change
from isthmus.operations import Context, Update
from isthmus.schema import Table
from isthmus.writes import check_index_keys, is_number
from isthmus_dynamodb.hidden import OPERATION_ID
from isthmus_dynamodb.placeholders import Placeholders
from isthmus_dynamodb.service import Service

# The clause of an expression that an action belongs to, and what stands there.
Part = tuple[str, str]


def update_text(operation: Update, context: Context, placeholders: Placeholders) -> str:
    """The text of all changes, and of the operation id; empty if there is nothing to do."""
    parts = [_RENDERERS[type(change)](change, placeholders) for change in operation.changes.actions]
    return joined(parts + stamp(context, placeholders))


def stamp(context: Context, placeholders: Placeholders) -> list[Part]:
    """What stores the operation id, if there is one."""
    if context.operation_id is None:
        return []
    return [("SET", f"{placeholders.name(OPERATION_ID)} = {placeholders.value(context.operation_id)}")]


def joined(parts: list[Part]) -> str:
    """One expression: each clause once, with all that belongs to it."""
    clauses: dict[str, list[str]] = {}
    for clause, text in parts:
        clauses.setdefault(clause, []).append(text)
    return " ".join(f"{clause} {', '.join(texts)}" for clause, texts in clauses.items())


def expressible(operation: Update, service: Service, now: float) -> bool:
    """Whether the service gives each change the contract's meaning, or refuses it for good.

    What it would accept against the contract is left to the evaluator: index keys of a wrong type, expiry times that
    have passed, and sets below the top level, for which the service promises nothing.
    """
    table = service.known.complete(operation.table)
    return all(
        _is_expressible(change) and _keeps_expiry(change, table.ttl, now) and _keeps_index(change, table, service)
        for change in operation.changes.actions
    )


def creates(changes: Changes, table: Table) -> bool:
    """Whether an upsert with these changes makes an item where there is none (rule UPD-1)."""
    asked = [change for change in changes.actions if change.path[0] not in table.managed]
    return not asked or not all(isinstance(change, (Remove, Delete)) for change in asked)


def _is_expressible(change: Change) -> bool:
    if len(change.path) > 1 and isinstance(change, (Add, Delete)):
        return is_number(change.value)
    return not (isinstance(change, SetFrom) and change.source == change.path)


def _keeps_expiry(change: Change, ttl: str | None, now: float) -> bool:
    if ttl is None or change.path[0] != ttl or isinstance(change, Remove):
        return True
    return isinstance(change, (Set, SetIfAbsent)) and not (is_number(change.value) and change.value <= now)


def _keeps_index(change: Change, table: Table, service: Service) -> bool:
    name = str(change.path[0])
    kind = index_key_types(table).get(name) if table.indexes else None
    if kind is None or isinstance(change, Remove):
        return True
    if isinstance(change, Add):
        return kind == "number" and is_number(change.value)
    return isinstance(change, (Set, SetIfAbsent)) and len(change.path) == 1 and _is_key(change, table, service)


def _is_key(change: Set | SetIfAbsent, table: Table, service: Service) -> bool:
    try:
        check_index_keys(table, {str(change.path[0]): change.value}, service.limits)
    except InvalidKey:
        return False
    return True


@lru_cache(maxsize=256)
def index_key_types(table: Table) -> dict[str, str]:
    """The types of all attributes that are keys of an index."""
    return {key.name: key.type for index in table.indexes for key in index.keys}


def _set(change: Set, placeholders: Placeholders) -> Part:
    return "SET", f"{placeholders.path(change.path)} = {placeholders.value(change.value)}"


def _set_from(change: SetFrom, placeholders: Placeholders) -> Part:
    target, source = placeholders.path(change.path), placeholders.path(change.source)
    if change.default is MISSING:
        return "SET", f"{target} = {source}"
    return "SET", f"{target} = if_not_exists({source}, {placeholders.value(change.default)})"


def _set_if_absent(change: SetIfAbsent, placeholders: Placeholders) -> Part:
    path = placeholders.path(change.path)
    return "SET", f"{path} = if_not_exists({path}, {placeholders.value(change.value)})"


def _add(change: Add, placeholders: Placeholders) -> Part:
    path = placeholders.path(change.path)
    if len(change.path) == 1:
        return "ADD", f"{path} {placeholders.value(change.value)}"
    # `ADD` is documented for top-level attributes only (rule UPD-7).
    return "SET", f"{path} = if_not_exists({path}, {placeholders.value(0)}) + {placeholders.value(change.value)}"


def _remove(change: Remove, placeholders: Placeholders) -> Part:
    return "REMOVE", placeholders.path(change.path)


def _delete(change: Delete, placeholders: Placeholders) -> Part:
    return "DELETE", f"{placeholders.path(change.path)} {placeholders.value(change.value)}"


def _append(change: Append, placeholders: Placeholders) -> Part:
    path, old = _list(change, placeholders)
    return "SET", f"{path} = list_append({old}, {placeholders.value(change.value)})"


def _prepend(change: Prepend, placeholders: Placeholders) -> Part:
    path, old = _list(change, placeholders)
    return "SET", f"{path} = list_append({placeholders.value(change.value)}, {old})"


def _list(change: Append | Prepend, placeholders: Placeholders) -> tuple[str, str]:
    path = placeholders.path(change.path)
    return path, f"if_not_exists({path}, {placeholders.value([])})" if change.create else path


_RENDERERS: Final[dict[type[Change], Callable[[Any, Placeholders], Part]]] = {
    Set: _set,
    SetFrom: _set_from,
    SetIfAbsent: _set_if_absent,
    Add: _add,
    Remove: _remove,
    Delete: _delete,
    Append: _append,
    Prepend: _prepend,
}
