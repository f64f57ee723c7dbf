"""Mutants that apply updates differently."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context
from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus.errors import InvalidPath
from isthmus.evaluate import apply_changes, lookup
from isthmus.expressions import MISSING, Action, Add, Changes, Delete, Remove, Set, SetIfAbsent
from isthmus.values import Item
from isthmus_conformance.mutants.base import Changing, Images, Judge
from isthmus_conformance.mutants.registry import mutant


class Updating(Changing):
    """Updates go through ``updated``, which subclasses change; everything else is as it should be."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        """The images before and after."""
        return usual(action)

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        return self.updated(action, old, usual) if isinstance(action, op.Update) else usual(action)


def _with(action: op.Update, actions: Iterable[Action]) -> op.Update:
    return evolve(action, changes=Changes(actions))


@mutant("UPD-1")
class UpdateCreates(Updating):
    """An update of a missing item creates it."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, upsert=True))


@mutant("UPD-1")
class RemovalCreates(Updating):
    """An upsert that only removes things creates an item."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        before, after = usual(action)
        return before, dict(action.key) if after is None else after


@mutant("CND-2")
class UpdateWithoutCondition(Updating):
    """An update ignores its condition."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, condition=None))


@mutant("UPD-2")
class ActionsInTurn(Updating):
    """Each action of an update sees what the ones before it did."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        before, after = usual(action)
        item = dict(action.key) if old is None else old
        for change in action.changes.actions if after is not None else ():
            item = apply_changes(Changes([change]), item)
        return before, None if after is None else item


@mutant("UPD-3")
class ParentsMade(Updating):
    """Setting below a missing map makes the map."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        changes = [_lifted(change, old or {}) for change in action.changes.actions]
        try:
            return usual(_with(action, changes))
        except InvalidPath:
            return usual(action)


def _lifted(change: Action, item: Item) -> Action:
    """The setting of a whole map in place of one attribute of a missing one."""
    path = change.path
    if isinstance(change, Set) and len(path) == 2 and isinstance(path[1], str) and path[0] not in item:
        return Set(path[:1], {path[1]: change.value})
    return change


@mutant("UPD-5")
class HolesFilled(Updating):
    """Setting a list index past the end fills the places between with nulls."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        before, after = usual(action)
        for change in action.changes.actions:
            _fill(change, old or {}, after or {})
        return before, after


def _fill(change: Action, before: Item, after: Item) -> None:
    place = change.path[-1]
    length = lookup(before, change.path[:-1]) if isinstance(place, int) else None
    listed: Any = lookup(after, change.path[:-1])
    if isinstance(change, Set) and isinstance(place, int) and isinstance(length, list) and place > len(length):
        listed[len(length) : len(length)] = [None] * (place - len(length))


@mutant("UPD-6")
class RemovalsShift(Updating):
    """Removed list elements are counted after the removals before them."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        seen: dict[Any, int] = {}
        changes = [_shifted(change, seen) for change in action.changes.actions]
        return usual(_with(action, {change.path: change for change in changes}.values()))


def _shifted(change: Action, seen: dict[Any, int]) -> Action:
    place, parent = change.path[-1], change.path[:-1]
    if not isinstance(change, Remove) or not isinstance(place, int):
        return change
    shift = seen.get(parent, 0)
    seen[parent] = shift + 1
    return Remove((*parent, place + shift))


@mutant("UPD-6")
class RemovedElementsBecomeNull(Updating):
    """A removed list element leaves null behind, as $unset does."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        changes = [_nulled(change, old or {}) for change in action.changes.actions]
        return usual(_with(action, changes))


def _nulled(change: Action, item: Item) -> Action:
    inside = isinstance(change.path[-1], int) and lookup(item, change.path) is not MISSING
    return Set(change.path, None) if isinstance(change, Remove) and inside else change


@mutant("UPD-8")
class AbsentIncludesNull(Updating):
    """set_if_absent replaces null."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        changes = [_replacing_null(change, old or {}) for change in action.changes.actions]
        return usual(_with(action, changes))


def _replacing_null(change: Action, item: Item) -> Action:
    null = isinstance(change, SetIfAbsent) and lookup(item, change.path) is None
    return Set(change.path, change.value) if isinstance(change, SetIfAbsent) and null else change


@mutant("COL-7")
class EmptiedSetStays(Updating):
    """A set that lost its last member stays as an empty set."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        before, after = usual(action)
        for change in action.changes.actions:
            had = before is not None and lookup(before, change.path) is not MISSING
            if isinstance(change, Delete) and len(change.path) == 1 and had and after is not None:
                after.setdefault(str(change.path[0]), frozenset())
        return before, after


@mutant("NUM-10", "NUM-11")
class SumsRounded(Updating):
    """Sums are rounded to 15 digits."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        before, after = usual(action)
        for change in action.changes.actions:
            name = str(change.path[0])
            if isinstance(change, Add) and len(change.path) == 1 and after is not None:
                after[name] = _rounded(after[name])
        return before, after


def _rounded(value: Any) -> Any:
    if isinstance(value, frozenset):
        return value
    number = Context(prec=15).create_decimal(value)
    return int(number) if number == number.to_integral_value() else number


@mutant("SIZ-6")
class UpdateBeyondTheLimit(Updating):
    """An update may make an item larger than the limit."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        limits, self.limits = self.limits, evolve(self.limits, item_bytes=100_000_000)
        try:
            return usual(action)
        finally:
            self.limits = limits


@mutant("KEY-10")
class UpdateOfIndexKeysUnchecked(Updating):
    """An update may give an index key attribute another type; the item then leaves the index."""

    def updated(self, action: op.Update, old: Item | None, usual: Judge) -> Images:
        if not action.table.indexes:
            return usual(action)
        names = {part.name: part.type for index in action.table.indexes for part in index.keys}
        wrong = [
            change for change in action.changes.actions
            if isinstance(change, Set) and names.get(str(change.path[0])) == "string" and type(change.value) is not str
        ]  # fmt: skip
        kept = [change for change in action.changes.actions if change not in wrong]
        return usual(_with(action, [*kept, *(Remove(change.path) for change in wrong)]))
