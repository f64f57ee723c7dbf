"""Small layers that keep the contract: examples for authors, and what the mutants among layers are made from."""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from attrs import evolve

from isthmus import Layer, Stage
from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import IsthmusError, UnsupportedOperation
from isthmus.expressions import Changes, Remove, Set, SetIfAbsent, attributes_used
from isthmus.layers import Flow, map_error_items
from isthmus.schema import Table
from isthmus.values import Item, Value, canonical_bytes, copy_item

PREFIX = "sealed:"
_Op = TypeVar("_Op", bound=op.Operation)


class PassThrough(Layer):
    """Sees every operation and changes nothing."""

    name = "pass-through"
    stage = Stage.OBSERVE

    def flow(self, operation: op.Operation) -> Flow:
        result: res.Result = yield operation
        return result


class Sealing(Layer):
    """Stores the text of some attributes in another form: it shows the plumbing, and hides nothing.

    :param names: top-level attributes, none of them a key
    """

    name = "sealing"
    stage = Stage.SEAL
    transforms = True
    handles = op.ITEM_OPERATIONS

    def __init__(self, names: Iterable[str] = ("canary",)) -> None:
        self.names = frozenset(names)

    def flow(self, operation: op.Operation) -> Flow:
        self.check(operation)
        try:
            result: res.Result = yield self.sealed(operation)
        except IsthmusError as error:
            self.open_error(error)
            raise
        return result.map_items(self.open)

    def seal(self, item: Item) -> Item:
        """The item as it is stored."""
        return {name: self.seal_value(name, value) for name, value in item.items()}

    def seal_value(self, name: str, value: Value) -> Value:
        """The value of an attribute as it is stored."""
        return _hidden(value) if name in self.names else value

    def open(self, item: Item) -> Item:
        """The item as it was written."""
        return {name: _shown(value) if name in self.names else value for name, value in item.items()}

    def sealed(self, operation: _Op) -> _Op:
        """The operation with everything that it writes sealed."""
        return operation.map_items(self.seal).map_set_values(self.seal_value)

    def open_error(self, error: IsthmusError) -> None:
        """Open the items that an error carries."""
        map_error_items(error, self.open)

    def check(self, operation: op.Operation) -> None:
        """Refuse what can't work on sealed values.

        :raises UnsupportedOperation: a condition reads one, or an update does more than set or remove it as a whole
        """
        for member in operation.actions if isinstance(operation, op.TransactWrite) else (operation,):
            condition = getattr(member, "condition", None)
            used = set() if condition is None else attributes_used(condition) & self.names
            if isinstance(member, op.Update):
                used |= {name for change in member.changes.actions for name in self._misused(change)}
            if used:
                raise UnsupportedOperation(
                    f"attribute {min(used)!r} is sealed: only whole values can be written and read",
                    capability="filter", reason="its values are sealed",
                )  # fmt: skip

    def _misused(self, change: Any) -> frozenset[str]:
        whole = isinstance(change, (Set, SetIfAbsent, Remove)) and len(change.path) == 1
        return frozenset() if whole else attributes_used(Changes([change])) & self.names


def _hidden(value: Any) -> Any:
    return PREFIX + b64encode(value.encode()).decode() if isinstance(value, str) else value


def _shown(value: Any) -> Any:
    sealed = isinstance(value, str) and value.startswith(PREFIX)
    return b64decode(value.removeprefix(PREFIX)).decode() if sealed else value


class Caching(Layer):
    """Answers point reads that need not be strong from memory; every write forgets what it touches, before and after.

    Tables whose items expire are not cached, because only the backend's clock knows what is still there.
    """

    name = "caching"
    stage = Stage.CACHE

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, bytes], Item | None] = {}
        self._writes = 0

    def flow(self, operation: op.Operation) -> Flow:
        if operation.writes:
            return (yield from self._write(operation))
        if isinstance(operation, op.Get) and self.cached(operation):
            found = yield from self._read(op.GetMany(operation.context, operation.table, (operation.key,), None, False))
            return res.GetResult(found.items[0])
        if isinstance(operation, op.GetMany) and self.cached(operation):
            return (yield from self._read(operation))
        result: res.Result = yield operation
        return result

    def cached(self, operation: op.Get | op.GetMany) -> bool:
        """Whether the operation may be answered from memory."""
        return not operation.consistent and operation.projection is None and operation.table.ttl is None

    def forgotten(self, operation: op.Operation) -> Sequence[tuple[str, bytes]]:
        """The places that a write touches."""
        match operation:
            case op.TransactWrite(actions=actions):
                return [_place(action.table, action.key) for action in actions]
            case op.PutMany(table=table, items=members) | op.DeleteMany(table=table, keys=members):
                return [_place(table, member) for member in members]
            case op.Create() | op.Put() | op.Update() | op.Delete():
                return [_place(operation.table, operation.key)]
            case _:
                return [place for place in list(self._answers) if place[0] in operation.table_names]

    def _write(self, operation: op.Operation) -> Flow:
        self._forget(operation)
        try:
            result: res.Result = yield operation
        finally:
            self._forget(operation)
        return result

    def _forget(self, operation: op.Operation) -> None:
        with self._lock:
            self._writes += 1
            for place in self.forgotten(operation):
                self._answers.pop(place, None)

    def _read(self, operation: op.GetMany) -> Flow:
        """Ask for what is not known, and put the answers between those that are."""
        places = [_place(operation.table, key) for key in operation.keys]
        known = {place: self._answers[place] for place in places if place in self._answers}
        missing = [number for number, place in enumerate(places) if place not in known]
        answers = [self.copied(known.get(place)) for place in places]
        if not missing:
            return res.GetManyResult(answers)
        before = self._writes
        asked: res.Result = yield self.reduced(operation, missing)
        result = asked if isinstance(asked, res.GetManyResult) else res.GetManyResult([cast("Any", asked).item])
        for number, item in zip(missing, result.items, strict=True):
            answers[number] = item
        failures = [res.Failure(missing[failure.position], failure.error) for failure in result.failures]
        self._keep(before, {places[n]: answers[n] for n in missing}, {places[failure.position] for failure in failures})
        return res.GetManyResult(answers, failures=failures)

    def reduced(self, operation: op.GetMany, missing: Sequence[int]) -> op.Operation:
        """The operation that asks for the members that are not known; a single one by a point read."""
        keys = tuple(operation.keys[number] for number in missing)
        if len(operation.keys) == 1:
            return op.Get(operation.context, operation.table, keys[0], None, operation.consistent)
        return evolve(operation, keys=keys)

    def _keep(self, before: int, answers: dict[Any, Item | None], failed: set[Any]) -> None:
        """Remember answers, unless a write came between."""
        with self._lock:
            if before == self._writes:
                copies = {place: self.copied(item) for place, item in answers.items() if place not in failed}
                self._answers.update(copies)

    def copied(self, item: Item | None) -> Item | None:
        """A copy of an answer: callers may change what they get."""
        return None if item is None else copy_item(item)


def _place(table: Table, key: op.ItemKey) -> tuple[str, bytes]:
    return table.name, canonical_bytes([key[name] for name in table.key_names])
