"""Writes of entities as plans: they yield operations, get their results, and do no I/O: sync and async share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import AlreadyExists, ConditionFailed, InvalidArgument, InvalidKey, ItemNotFound
from isthmus.expressions import Condition, all_of
from isthmus.expressions import Field as PathField
from isthmus.repository.assignments import Assignments
from isthmus.repository.deadlines import Steps, one_deadline
from isthmus.repository.guards import Guards
from isthmus.repository.mapper import Mapper
from isthmus.repository.results import written
from isthmus.repository.sending import Sender
from isthmus.repository.shapes import ABSENT
from isthmus.repository.snapshots import Snapshot
from isthmus.requests import Requests
from isthmus.values import Item, equal

T = TypeVar("T")


class Writes(Sender[T]):
    """The writes of one class.

    :param counted: whether versions count with each write; in a unit of work they count at its end
    """

    def __init__(self, mapper: Mapper[T], requests: Requests, guards: Guards | None, counted: bool) -> None:
        super().__init__(mapper, requests, guards)
        self._counted = counted
        self._managed = mapper.table.managed
        self._returning: op.Returning = "new" if self._managed else None

    # ---- whole entities ----

    @one_deadline
    def create(self, entity: T, timeout: float | None) -> Steps[T]:
        """Write a new one."""
        item = self._mapper.item(entity)
        if self._guards is None:
            result = yield self._requests.create(item, self._returning, timeout)
            return self._written(entity, item, result.item)
        key = self._mapper.key_of(item)
        action = self._requests.create(item, None, timeout)
        yield from self._together(action, list(self._guards.moves(key, None, item)), timeout)
        return (yield from self._counted_on(entity, item, 1, timeout))

    @one_deadline
    def put(self, entity: T, when: Condition | None, timeout: float | None) -> Steps[T]:
        """Write one in place of whatever has its key."""
        item = self._mapper.item(entity)
        if self._guards is None:
            result = yield from self._single(self._requests.put(item, self._mine(when), self._returning, timeout))
            return self._written(entity, item, result.item)
        key = self._mapper.key_of(item)

        def decide(_current: Item | None, relied: Condition) -> tuple[op.Action, Item]:
            return self._requests.put(item, self._mine(when, relied), None, timeout), item

        yield from self._guarded(key, decide, self._guards.relies_on, timeout)
        return (yield from self._counted_on(entity, item, (self._version(item) or 0) + 1, timeout))

    @one_deadline
    def save(self, entity: T, since: T | None, timeout: float | None) -> Steps[T]:
        """Write what differs from what was loaded."""
        item = self._mapper.item(entity)
        snapshot = self._mapper.snapshots.of(self._mapper.layout, entity if since is None else since)
        if snapshot is None and since is not None:
            raise InvalidArgument(
                "since= is an entity that was read or written here: save without it writes all fields"
            )
        if snapshot is None:
            return (yield from self._save_unknown(entity, item, timeout))
        key = self._mapper.key_of(item)
        if any(not equal(key[name], snapshot.item.get(name)) for name in key):
            raise InvalidKey(
                f"the key of this {self._mapper.name} is another than when it was read: create the new one, delete the"
                " old one"
            )
        change = self._difference(item, snapshot)
        if not change.touched:
            return entity
        expected = self._version(snapshot.item)
        after = yield from self._change(key, change, self._unversioned(expected), expected, False, timeout)
        return self._saved(entity, {**snapshot.item, **change.put}, change, after)

    def _save_unknown(self, entity: T, item: Item, timeout: float | None) -> Steps[T]:
        """All fields of an entity that was not read here; what else is stored stays."""
        table = self._mapper.table
        expected = self._version(item)
        change = Assignments(
            {name: value for name, value in item.items() if name not in table.key_names and name not in self._managed},
            set(self._mapper.owned - item.keys() - self._managed - set(table.key_names)),
        )
        if table.version is not None and expected is None:
            return (yield from self.create(entity, timeout))
        key = self._mapper.key_of(item)
        if (
            not change.put
            and expected is None
            and (yield self._requests.get(key, {}, None, True, timeout)).item is None
        ):
            return (yield from self.create(entity, timeout))  # there is nothing to put into an item, which makes none
        upsert = expected is None and bool(change.put)
        after = yield from self._change(key, change, None, expected, upsert, timeout)
        return self._saved(entity, item, change, after)

    def _difference(self, item: Item, snapshot: Snapshot) -> Assignments:
        stored, keep = snapshot.item, self._managed
        put = {}
        for name, value in item.items():
            if name in keep or (name in stored and _same(value, stored[name])):
                continue
            new = self._mapper.kept(name, value, snapshot.today)
            if name not in stored or not equal(new, stored[name]):
                put[name] = new
        taken_out = stored.keys() - snapshot.today.keys()
        gone = {name for name in (self._mapper.owned | taken_out) - keep if name in stored and name not in item}
        return Assignments(put, gone)

    def _version(self, item: Item) -> int | None:
        """The version that an item carries, where versions are counted."""
        name = self._mapper.table.version
        return None if name is None else cast("int | None", item.get(name))

    def _unversioned(self, expected: Any) -> Condition | None:
        """What stands for the version of an item that was written without one."""
        name = self._mapper.table.version
        return PathField((name,)).not_exists() if name is not None and expected is None else None

    def _saved(self, entity: T, item: Item, change: Assignments, after: Item) -> T:
        item = {name: value for name, value in item.items() if name not in change.gone}
        return written(self._mapper, entity, item, {name: after[name] for name in self._managed if name in after})

    # ---- parts ----

    @one_deadline
    def update(self, key: Item, change: Assignments, when: Condition | None, expected: int | None,
               timeout: float | None) -> Steps[T]:  # fmt: skip
        """Change fields of a stored entity; the entity as it is afterwards."""
        if self._mapper.model.upgrade is not None:
            expected = yield from self._upgraded(key, expected, timeout)
        after = yield from self._change(key, change, when, expected, False, timeout, whole=True)
        return self._mapper.entity(after)

    def _upgraded(self, key: Item, expected: int | None, timeout: float | None) -> Steps[int | None]:
        """Bring a stored item into today's shape, which is what a change means; the version that is expected now."""
        item = (yield self._requests.get(key, {}, None, True, timeout)).item
        if item is None or not self._mapper.is_mine(item):
            return expected
        before = self._version(item)
        entity = yield from self.save(self._mapper.as_stored(item), None, timeout)
        after = self._mapper.snapshots.of(self._mapper.layout, entity)
        return expected if after is None or expected != before else self._version(after.item)

    def _change(self, key: Item, change: Assignments, when: Condition | None, expected: int | None, upsert: bool,
                timeout: float | None, *, whole: bool = False) -> Steps[Item]:  # fmt: skip
        """Send a change; what is maintained afterwards, or the whole item."""
        relies = self._relied_on(change)
        returning: op.Returning = "new" if whole else self._returning
        if not relies:
            result = yield from self._single(
                self._update(key, change, self._mine(when), expected, upsert, returning, timeout)
            )
            return cast("res.WriteResult", result).item or {}

        def decide(current: Item | None, relied: Condition) -> tuple[op.Action, Item | None]:
            filled = self._filled(change, key, current or {})
            new = {**(current or {}), **key, **filled.put}
            new = {name: value for name, value in new.items() if name not in filled.gone}
            action = self._update(key, filled, self._mine(when, relied), expected, upsert, None, timeout)
            # Without an item it fails, for the reason that the store gives, and no guard is needed.
            return action, None if current is None and not upsert else new

        new = yield from self._guarded(key, decide, relies, timeout)
        if whole or not self._counted:
            found: Item = (yield self._requests.get(key, {}, None, True, timeout)).item or new
            return found
        return (yield from self._maintained(key, (expected or 0) + 1, timeout))

    def _update(self, key: Item, change: Assignments, when: Condition | None, expected: int | None, upsert: bool,
                returning: op.Returning, timeout: float | None) -> op.Update:  # fmt: skip
        return self._requests.update(key, {}, change.wanted(), when, upsert, expected, returning, timeout)

    def _relied_on(self, change: Assignments) -> set[str]:
        """Attributes that have to be read before a change is made: what else is made of those that it touches."""
        touched = change.touched
        relies: set[str] = set()
        for name, part in self._mapper.layout.derived:
            stored = {one.stored for one in part.fields}
            if touched & stored and name not in touched:
                relies |= stored
        if self._guards is not None and touched & self._guards.relies_on:
            relies |= self._guards.relies_on
        if change.computed & relies:
            raise InvalidArgument(
                f"{min(change.computed & relies)!r} of {self._mapper.name} is part of a key or unique: set= it to"
                " a value"
            )
        return relies

    def _filled(self, change: Assignments, key: Item, current: Item) -> Assignments:
        """The change with the key attributes of indexes that follow from it."""
        filled = Assignments(dict(change.put), set(change.gone), change.others)
        merged = {name: value for name, value in {**current, **change.put}.items() if name not in change.gone}
        for name, part in self._mapper.layout.derived:
            if name in key or not change.touched & {one.stored for one in part.fields}:
                continue
            value = part.value(merged)
            if value is ABSENT:
                filled.gone.add(name)
            else:
                filled.put[name] = value
        return filled

    @one_deadline
    def delete(self, key: Item, when: Condition | None, expected: int | None, timeout: float | None) -> Steps[bool]:
        """Remove one; whether there was one."""
        if self._guards is None:
            action = self._requests.delete(key, {}, self._mine(when), expected, None, timeout)
            try:
                return bool((yield action).existed)
            except ConditionFailed as error:
                if self._foreign(error):
                    return False
                raise

        existed = False

        def decide(current: Item | None, relied: Condition) -> tuple[op.Action, Item | None]:
            nonlocal existed
            existed = current is not None
            return self._requests.delete(key, {}, self._mine(when, relied), expected, None, timeout), None

        try:
            yield from self._guarded(key, decide, self._guards.relies_on, timeout)
        except AlreadyExists:  # by an item of another class
            return False
        return existed

    def keep_guards(self, key: Item) -> Steps[None]:
        """Write the guards of a stored item as they should be.

        :raises ItemNotFound: it is no longer there, or has no value to guard
        :raises AlreadyExists: it is of another class by now
        :raises UniqueViolation: another item has one of its values
        """
        assert self._guards is not None
        guards = self._guards

        def decide(current: Item | None, relied: Condition) -> tuple[op.Action, Item]:
            if current is None or all(guards.taken(constraint, current) is None for constraint in guards.constraints):
                raise ItemNotFound(f"there is no {self._mapper.name} with this key that has unique values")
            there = PathField((self._mapper.table.key_names[0],)).exists()
            return self._requests.check(key, {}, all_of([there, relied])), current

        yield from self._guarded(key, decide, guards.relies_on, None)

    def _written(self, entity: T, item: Item, stored: Mapping[str, Any] | None) -> T:
        found = stored or {}
        return written(self._mapper, entity, item, {name: found[name] for name in self._managed if name in found})

    def _counted_on(self, entity: T, item: Item, version: int, timeout: float | None) -> Steps[T]:
        """The entity after a transaction, which returns no images."""
        maintained = yield from self._maintained(self._mapper.key_of(item), version, timeout)
        return written(self._mapper, entity, item, maintained)

    def _maintained(self, key: Item, version: int, timeout: float | None) -> Steps[Item]:
        table = self._mapper.table
        stamps = [name for name in (table.created_at, table.updated_at) if name is not None]
        found: Item = {}
        if stamps or (table.version is not None and not self._counted):
            item = (yield self._requests.get(key, {}, None, True, timeout)).item or {}
            found = {name: item[name] for name in self._managed if name in item}
        if table.version is not None and self._counted:
            # By our own count: somebody may have written since.
            found[table.version] = version
        return found


def _same(value: Any, stored: Any) -> bool:
    return value is stored or equal(value, stored)
