"""The values that an update leaves, as expressions over the document before it.

Every right-hand side reads that document. What must hold for an expression to be right is a *guard*: where one is
false, the update is not applied and the evaluator decides. Containers are rebuilt once for all changes below them; a
map that may get a new name is sorted again, because the server compares maps in field order (rule COL-4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from isthmus.expressions import (
    MISSING,
    Action,
    Add,
    Append,
    Changes,
    Delete,
    Path,
    PathTree,
    Prepend,
    Remove,
    Set,
    SetFrom,
    SetIfAbsent,
)
from isthmus_mongodb.expressions import (
    REMOVED,
    Expression,
    Reader,
    all_of,
    any_of,
    element_at,
    has_type,
    is_list,
    is_map,
    is_missing,
    is_present,
    is_set,
    literal,
    member,
    members,
)
from isthmus_mongodb.layouts import EXPIRY
from isthmus_mongodb.names import escape
from isthmus_mongodb.operators import may_be_added, may_be_set
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.values import HIGHEST, LOWEST, encode_value, hidden_fields, set_tag


class NeedsEvaluator(Exception):
    """The update can't be expressed."""


@define
class Rebuilding:
    """Builds the new value of each top-level field, and collects the guards."""

    place: Place
    reader: Reader
    now: float
    guards: list[Expression] = field(factory=list)

    def fields(self, changes: Changes) -> dict[str, Expression]:
        """The changed fields by stored name; one that is removed is ``$$REMOVE`` or missing.

        :raises NeedsEvaluator: the server has no exact form of this update
        """
        found: dict[str, Expression] = {}
        for name, tree in changes.tree().children.items():
            top = str(name)
            self.check_key(top, tree)
            found[escape(top)] = self.value(tree, (top,), self.reader.at((top,)))
            found.update(self.derived(top, tree.payload))
        return found

    # ---- attributes that mean something to the table ----

    def check_key(self, name: str, tree: PathTree) -> None:
        """An attribute that is a key of an index, or the expiry time, takes only what is surely allowed."""
        action, layout = tree.payload, self.place.layout
        if name not in layout.watched and name not in layout.index_names:
            return
        sure = isinstance(action, Remove) or (
            isinstance(action, Set) and may_be_set(self.place, name, action.value, self.now)
        )
        if isinstance(action, Add) and isinstance(action.value, int):
            sure = may_be_added(self.place, name, action.value)
        if not sure:
            raise NeedsEvaluator

    def derived(self, name: str, action: object) -> dict[str, Expression]:
        """The hidden fields that follow an attribute."""
        layout = self.place.layout
        if name not in layout.watched:
            return {}
        found = hidden_fields(layout, {name: action.value} if isinstance(action, Set) else {})
        hidden = layout.indexed.get(name, EXPIRY)
        return {hidden: literal(found[hidden]) if hidden in found else REMOVED}

    # ---- containers ----

    def value(self, tree: PathTree, path: Path, old: Expression) -> Expression:
        """What is at the path after the update, missing for nothing."""
        if not tree.children:
            assert isinstance(tree.payload, Action)
            return self.leaf(tree.payload, old)
        if isinstance(next(iter(tree.children)), str):
            return self.map(tree, path, old)
        return self.list(tree, path, old)

    def map(self, tree: PathTree, path: Path, old: Expression) -> Expression:
        new: Expression = "$$map"
        for element, child in tree.children.items():
            name = str(element)
            value = self.value(child, (*path, name), member("$$map", name))
            new = {"$setField": {"field": literal(escape(name)), "input": new, "value": value}}
        if any(_adds(child) for child in tree.children.values()):
            new = {"$arrayToObject": {"$sortArray": {"input": {"$objectToArray": new}, "sortBy": {"k": 1}}}}
        return {"$let": {"vars": {"map": old}, "in": {"$cond": [is_map("$$map"), new, "$$map"]}}}

    def list(self, tree: PathTree, path: Path, old: Expression) -> Expression:
        children = {int(index): tree.children[index] for index in sorted(tree.children, key=int)}
        removed = [index for index, child in children.items() if isinstance(child.payload, Remove)]
        values = {
            index: self.value(child, (*path, index), element_at("$$list", index))
            for index, child in children.items()
            if index not in removed
        }
        size: Expression = {"$size": "$$list"}
        # What an action puts past the end is appended; anything else past the end is left alone.
        tail = [
            {"$cond": [{"$gte": [index, size]}, [value], []]}
            for index, value in values.items()
            if _adds(children[index])
        ]
        new = {"$concatArrays": [_elements(size, removed, values), *tail]}
        return {"$let": {"vars": {"list": old}, "in": {"$cond": [is_list("$$list"), new, "$$list"]}}}

    # ---- actions ----

    def leaf(self, action: Action, old: Expression) -> Expression:
        path = action.path
        if isinstance(path[-1], int) and not isinstance(action, (Set, SetFrom, SetIfAbsent, Remove)):
            raise NeedsEvaluator
        match action:
            case Remove():
                return REMOVED
            case Delete(_, value):
                return self.without_members(path, value, old)
        self.guard_parent(path)
        match action:
            case Set(_, value):
                return self.constant(path, value)
            case SetIfAbsent(_, value):
                return {"$cond": [is_missing(old), self.constant(path, value), old]}
            case SetFrom(_, source, default):
                return self.copied(path, source, default)
            case Add(_, value):
                return self.added(path, value, old)
            case Append(_, value, create) | Prepend(_, value, create):
                return self.extended(action, self.constant(path, value), create, old)
        raise TypeError(f"{type(action).__name__} has no meaning")

    def guard_parent(self, path: Path) -> None:
        if len(path) > 1:
            parent = self.reader.at(path[:-1])
            self.guards.append(is_map(parent) if isinstance(path[-1], str) else is_list(parent))

    def constant(self, path: Path, value: Any) -> Expression:
        if len(path) - 1 + _levels(value) > self.place.limits.depth:
            raise NeedsEvaluator
        return literal(encode_value(value))

    def copied(self, path: Path, source: Path, default: Any) -> Expression:
        # What is copied to a deeper place might become nested too deeply.
        if len(path) > len(source) or self.reader.binary_key(source) is not None:
            raise NeedsEvaluator
        found = self.reader.at(source)
        if default is MISSING:
            self.guards.append(is_present(found))
            return found
        return {"$cond": [is_missing(found), self.constant(path, default), found]}

    def added(self, path: Path, value: Any, old: Expression) -> Expression:
        found = self.reader.at(path)
        if isinstance(value, frozenset):
            tag = set_tag(value)
            self.guards.append(any_of([is_missing(found), is_set(found, tag)]))
            return {tag: _sorted({"$setUnion": [_members(old, tag), _constants(value, tag)]})}
        if not isinstance(value, int) or not LOWEST <= value <= HIGHEST:
            raise NeedsEvaluator
        room = {"$lte": [found, literal(HIGHEST - value)]} if value >= 0 else {"$gte": [found, literal(LOWEST - value)]}
        self.guards.append(any_of([is_missing(found), all_of([has_type(found, "int", "long"), room])]))
        number = literal(encode_value(value))
        return {"$cond": [is_missing(old), number, {"$add": [old, number]}]}

    def without_members(self, path: Path, value: frozenset[Any], old: Expression) -> Expression:
        found, tag = self.reader.at(path), set_tag(value)
        self.guards.append(any_of([is_missing(found), is_set(found, tag)]))
        left = {"$setDifference": [_members(old, tag), _constants(value, tag)]}
        kept = {"$cond": [{"$eq": ["$$left", []]}, REMOVED, {tag: _sorted("$$left")}]}
        return {"$let": {"vars": {"left": left}, "in": kept}}

    def extended(self, action: Append | Prepend, more: Expression, create: bool, old: Expression) -> Expression:
        found = self.reader.at(action.path)
        self.guards.append(any_of([is_missing(found), is_list(found)]) if create else is_list(found))
        existing = {"$cond": [is_list(old), old, []]}
        return {"$concatArrays": [existing, more] if isinstance(action, Append) else [more, existing]}


def _adds(tree: PathTree) -> bool:
    """Whether a leaf may put a value where there was none."""
    return not tree.children and not isinstance(tree.payload, (Remove, Delete))


def _elements(size: Expression, removed: list[int], values: Mapping[int, Expression]) -> Expression:
    """The old elements of ``$$list``, changed and without the removed ones."""
    indexes: Expression = {"$range": [0, size]}
    if removed:
        kept = {"$not": [{"$in": ["$$index", literal(removed)]}]}
        indexes = {"$filter": {"input": indexes, "as": "index", "cond": kept}}
    same: Expression = {"$arrayElemAt": ["$$list", "$$index"]}
    if values:
        branches = [{"case": {"$eq": ["$$index", index]}, "then": value} for index, value in values.items()]
        same = {"$switch": {"branches": branches, "default": same}}
    return {"$map": {"input": indexes, "as": "index", "in": same}}


def _members(old: Expression, tag: str) -> Expression:
    return {"$cond": [is_set(old, tag), members(old, tag), []]}


def _constants(value: frozenset[Any], tag: str) -> Expression:
    return literal(encode_value(value)[tag])


def _sorted(array: Expression) -> Expression:
    return {"$sortArray": {"input": array, "sortBy": 1}}


def _levels(value: Any) -> int:
    """How many lists and maps are nested inside a value, itself included."""
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if isinstance(value, list) else 0
