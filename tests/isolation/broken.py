"""Databases that are broken on purpose: a layer over the real store that does one thing wrong.

Each stands for a mistake that an implementation could make. The checks of these tests have to find every one of them.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from isthmus import F, Flow, Layer, Limits, Sleep, Stage
from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import Conflict, TransactionFailed
from isthmus.expressions import Changes
from isthmus.writes import write

PAUSE = 0.003
"""Seconds between two steps that should be one."""


class Broken(Layer):
    """Base of all broken layers. Only what clients do while they are many goes wrong, from the 20th operation on."""

    stage = Stage.CACHE
    name = "broken"
    handles = op.ITEM_OPERATIONS
    healthy = 20

    def __init__(self) -> None:
        self._number: Iterator[int] = itertools.count(1)

    def flow(self, operation: op.Operation) -> Flow:
        number = next(self._number)
        result: res.Result = yield from (self.wrong if number > self.healthy else _right)(operation, number)
        return result

    @abstractmethod
    def wrong(self, operation: op.Operation, number: int) -> Flow:
        """The broken behaviour."""


def _right(operation: op.Operation, _number: int) -> Flow:
    result: res.Result = yield operation
    return result


class TornReads(Broken):
    """Items that should be read at one moment are read one after the other."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        if not isinstance(operation, op.TransactGet):
            return (yield from _right(operation, number))
        items = []
        for get in operation.gets:
            items.append((yield get).item)
            yield Sleep(PAUSE)
        return res.TransactGetResult(items)


class UncheckedWrites(Broken):
    """What a transaction only checks is not checked."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        if isinstance(operation, op.TransactWrite):
            yield Sleep(PAUSE)
            operation = evolve(operation, actions=tuple(map(_without_check, operation.actions)))
        return (yield from _right(operation, number))


class LostUpdates(Broken):
    """Writes are computed from what was read, and put without looking again."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        if isinstance(operation, op.TransactWrite):
            for action in operation.actions:
                yield from self._put(action)
            return res.TransactWriteResult()
        if isinstance(operation, op.Create | op.Put | op.Update):
            return res.WriteResult((yield from self._put(operation)))
        return (yield from _right(operation, number))

    def _put(self, action: op.Action) -> Any:
        found = yield op.Get(action.context, action.table, action.key)
        image = write(action, found.item, Limits(), 0.0)
        yield Sleep(PAUSE)
        if image is not None and not isinstance(action, op.Check):
            yield op.Put(action.context, action.table, image)
        return image


class HalfTransactions(Broken):
    """The actions of a transaction are applied one after the other, and stay where a later one fails."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        if not isinstance(operation, op.TransactWrite):
            return (yield from _right(operation, number))
        for action in operation.actions:
            try:
                yield evolve(operation, actions=(action,), token=None, content=None)
            except TransactionFailed:
                raise Conflict("of the test") from None
            yield Sleep(PAUSE)
        return res.TransactWriteResult()


class DroppedWrites(Broken):
    """Every fifth write is acknowledged and not made."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        if number % 5 or not operation.writes:
            return (yield from _right(operation, number))
        kinds = {op.TransactWrite: res.TransactWriteResult, op.Delete: res.DeleteResult}
        return kinds.get(type(operation), res.WriteResult)()


class DeniedWrites(Broken):
    """Every fourth write is made, and reported as failed."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        result = yield from _right(operation, number)
        if operation.writes and not number % 4:
            raise Conflict("of the test", retryable=False)
        return result


class TornItems(Broken):
    """The changes of an item arrive one after the other."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        for action in operation.actions if isinstance(operation, op.TransactWrite) else ():
            if isinstance(action, op.Update):
                yield evolve(action, changes=Changes(action.changes.actions[:1]))
                yield Sleep(PAUSE)
        return (yield from _right(operation, number))


class DoubledWrites(Broken):
    """Every third transaction without a condition is applied twice."""

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        blind = isinstance(operation, op.TransactWrite) and not any(_conditional(one) for one in operation.actions)
        if blind and not number % 3:
            yield operation
        return (yield from _right(operation, number))


class StaleReads(Broken):
    """Every other read of an item answers what was read of it before."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, res.Result] = {}

    def wrong(self, operation: op.Operation, number: int) -> Flow:
        if not isinstance(operation, op.Get):
            return (yield from _right(operation, number))
        key = str(operation.key)
        if number % 2 and key in self._known:
            return self._known[key]
        self._known[key] = yield operation
        return self._known[key]


def _without_check(action: op.Action) -> op.Action:
    return evolve(action, condition=F.id.exists(), unchanged=None) if isinstance(action, op.Check) else action


def _conditional(action: op.Action) -> bool:
    return action.unchanged is not None or getattr(action, "condition", None) is not None
