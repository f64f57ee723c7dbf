"""What updates mean, in plain Python: the reference for every backend."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from isthmus.errors import InvalidPath, InvalidValue, ItemTooLarge
from isthmus.evaluate.lookup import lookup
from isthmus.expressions import (
    MISSING,
    Action,
    Add,
    Append,
    Changes,
    Delete,
    Missing,
    Path,
    PathTree,
    Prepend,
    Remove,
    Set,
    SetFrom,
    SetIfAbsent,
    path_text,
)
from isthmus.values import WIDE, Item, Value, ValueLimits, add_numbers, item_size, normalise_attributes, type_name


class _Outcome(Enum):
    """What happens at a path when it gets no new value."""

    REMOVED = "removed"
    UNCHANGED = "unchanged"


_SETS = ("string_set", "number_set", "binary_set")


def apply_changes(changes: Changes, item: Mapping[str, Value], limits: ValueLimits = WIDE) -> Item:
    """The item after the update. ``item`` is not changed, and shares no list or map with the result.

    Every action reads the item as it was. Removed list elements refer to the old positions; elements set past the end
    are appended in the order of their indexes.

    :raises InvalidPath: a parent is missing or of the wrong type, or a source or list is missing
    :raises InvalidValue: the value at a path has the wrong type for the action, or the result is nested too deeply
    :raises OutOfRange: a sum does not fit a portable number
    :raises ItemTooLarge: the result is larger than ``limits.item_bytes``
    """
    tree = changes.tree()
    outcomes = {action.path: _outcome(action, item, limits) for action in changes.actions}
    rebuilt = _rebuild_map(item, tree, (), outcomes)
    # Normalising copies, and checks the depth and the digits that the update brought about.
    result = normalise_attributes(rebuilt, limits)
    _check_size(result, limits)
    return result


def _check_size(item: Item, limits: ValueLimits) -> None:
    size = item_size(item)
    if size > limits.item_bytes:
        raise ItemTooLarge(
            f"The update would make the item {size} bytes large; the limit is {limits.item_bytes}. Split the item, or"
            " keep large values elsewhere."
        )


def _outcome(action: Action, item: Mapping[str, Value], limits: ValueLimits) -> Any:
    old = lookup(item, action.path)
    if isinstance(action, Remove):
        return _Outcome.UNCHANGED if old is MISSING else _Outcome.REMOVED
    if isinstance(action, Delete):
        return _without_members(action, old)
    _check_parent(action.path, item)
    match action:
        case Set(_, value):
            return value
        case SetFrom():
            return _copied(action, item)
        case SetIfAbsent(_, value):
            return value if old is MISSING else _Outcome.UNCHANGED
        case Add():
            return _added(action, old, limits)
        case Append(_, value, create):
            return [*_old_list(action, old, create), *value]
        case Prepend(_, value, create):
            return [*value, *_old_list(action, old, create)]
        case _:
            raise TypeError(f"{type(action).__name__} has no meaning")


def _check_parent(path: Path, item: Mapping[str, Value]) -> None:
    if len(path) == 1:
        return
    parent = lookup(item, path[:-1])
    expected = "map" if isinstance(path[-1], str) else "list"
    if parent is MISSING:
        raise InvalidPath(f"{path_text(path)} can't be set: {path_text(path[:-1])} does not exist. Set it first.")
    if type_name(parent) != expected:
        raise InvalidPath(
            f"{path_text(path)} can't be set: {path_text(path[:-1])} is a {type_name(parent)}, not a {expected}."
        )


def _copied(action: SetFrom, item: Mapping[str, Value]) -> Value:
    source = lookup(item, action.source)
    value = action.default if source is MISSING else source
    if value is MISSING:
        raise InvalidPath(
            f"{path_text(action.path)} can't be copied: {path_text(action.source)} does not exist. Give a default."
        )
    return value


def _added(action: Add, old: Any, limits: ValueLimits) -> Any:
    added = action.value
    if old is MISSING:
        return added
    _check_same_type(action, old)
    if isinstance(added, frozenset):
        return old | added
    return add_numbers(old, added, limits.number_digits)


def _without_members(action: Delete, old: Any) -> Any:
    if old is MISSING:
        return _Outcome.UNCHANGED
    _check_same_type(action, old)
    return (old - action.value) or _Outcome.REMOVED


def _check_same_type(action: Add | Delete, old: Value) -> None:
    if type_name(old) != type_name(action.value):
        verb = "added to" if isinstance(action, Add) else "deleted from"
        raise InvalidValue(
            f"A {type_name(action.value)} can't be {verb} {path_text(action.path)}, which is a {type_name(old)}."
        )


def _old_list(action: Append | Prepend, old: Value | Missing, create: bool) -> list[Value]:
    if old is MISSING and create:
        return []
    if old is MISSING:
        raise InvalidPath(
            f"{path_text(action.path)} has no list to extend; set one first, or ask for missing lists to be created."
        )
    if not isinstance(old, list):
        raise InvalidValue(f"{path_text(action.path)} is a {type_name(old)} and can't be extended; only lists can.")
    return old


def _rebuild(value: Any, tree: PathTree, path: Path, outcomes: dict[Path, Any]) -> Any:
    """The value below ``tree`` after the update; containers that are not there stay as they are."""
    if not tree.children:
        outcome = outcomes[path]
        return value if outcome is _Outcome.UNCHANGED else outcome
    if isinstance(value, dict) and isinstance(next(iter(tree.children)), str):
        return _rebuild_map(value, tree, path, outcomes)
    if isinstance(value, list) and isinstance(next(iter(tree.children)), int):
        return _rebuild_list(value, tree, path, outcomes)
    return value


def _rebuild_map(old: Mapping[str, Any], tree: PathTree, path: Path, outcomes: dict[Path, Any]) -> dict[str, Any]:
    new = dict(old)
    for name, child in tree.children.items():
        value = _rebuild(old.get(str(name), MISSING), child, (*path, name), outcomes)
        if value is _Outcome.REMOVED:
            new.pop(str(name), None)
        elif value is not MISSING:
            new[str(name)] = value
    return new


def _rebuild_list(old: list[Any], tree: PathTree, path: Path, outcomes: dict[Path, Any]) -> list[Any]:
    new = list(old)
    for index in sorted(int(element) for element in tree.children):
        inside = index < len(old)
        value = _rebuild(old[index] if inside else MISSING, tree.children[index], (*path, index), outcomes)
        if inside:
            new[index] = value
        elif value is not MISSING:
            new.append(value)
    return [value for value in new if value is not _Outcome.REMOVED]
