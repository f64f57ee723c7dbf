"""Handing an update tree to ``update()``, whose keyword arguments are what callers write."""

from __future__ import annotations

from typing import Any

from isthmus.expressions import (
    MISSING,
    Action,
    Add,
    Append,
    Changes,
    Delete,
    F,
    Field,
    Path,
    Prepend,
    Remove,
    Set,
    SetFrom,
    SetIfAbsent,
    changes,
)

_NAMES: dict[type[Action], str] = {
    Set: "set",
    SetIfAbsent: "set_if_absent",
    SetFrom: "copy",
    Add: "add",
    Delete: "delete",
    Append: "append",
    Prepend: "prepend",
}


def field_of(path: Path) -> Field:
    """The field of a path."""
    field = F[str(path[0])]
    for element in path[1:]:
        field = field[element]
    return field


def arguments(wanted: Changes) -> dict[str, Any]:
    """The keyword arguments of ``update()`` for these changes; lists are created by all of its actions or by none."""
    given: dict[str, Any] = {}
    for action in wanted.actions:
        field = field_of(action.path)
        if isinstance(action, Remove):
            given.setdefault("remove", []).append(field)
        else:
            given.setdefault(_NAMES[type(action)], {})[field] = _argument(action)
        if isinstance(action, (Append, Prepend)):
            given["create_lists"] = action.create
    return given


def in_call_order(wanted: Changes) -> Changes:
    """The same update as ``update()`` makes it: where several actions fail, the first one in this order tells why."""
    return changes(**arguments(wanted))


def _argument(action: Any) -> Any:
    if not isinstance(action, SetFrom):
        return action.value
    source = field_of(action.source)
    return source if action.default is MISSING else (source, action.default)
