"""Mutants that treat expired items as present on some path."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.memory import MemoryBackend
from isthmus.values import Item
from isthmus_conformance.mutants.base import Changing, Images, Judge
from isthmus_conformance.mutants.registry import mutant


class _Timeless(MemoryBackend):
    """Nothing ever expires for the operations of ``kinds``."""

    kinds: ClassVar[tuple[type[op.Operation], ...]] = ()

    def timeless(self, operation: op.Operation) -> res.Result:
        """The answer as if time stood still."""
        with self._session:
            now, self.clock = self.clock, lambda: 0.0
            try:
                return super().execute(operation)
            finally:
                self.clock = now

    def execute(self, operation: op.Operation) -> res.Result:
        return self.timeless(operation) if isinstance(operation, self.kinds) else super().execute(operation)


@mutant("TTL-2")
class ExpiredInGet(_Timeless):
    """A point read gives an expired item."""

    kinds = (op.Get,)


@mutant("TTL-2")
class ExpiredInQueries(_Timeless):
    """A query gives expired items."""

    kinds = (op.Query,)


@mutant("TTL-2")
class ExpiredInScans(_Timeless):
    """A scan gives expired items."""

    kinds = (op.Scan,)


@mutant("TTL-2")
class ExpiredInBatches(_Timeless):
    """A batch read gives expired items."""

    kinds = (op.GetMany,)


@mutant("TTL-2")
class ExpiredInConditions(_Timeless):
    """Creates, conditions, updates and deletes meet expired items."""

    kinds = (op.Create, op.Put, op.Update, op.Delete)


@mutant("TTL-2")
class ExpiredInTransactions(_Timeless):
    """Transactions meet expired items."""

    kinds = (op.TransactWrite,)


@mutant("TTL-2")
class ExpiredInTransactionalReads(_Timeless):
    """Transactional reads give expired items."""

    kinds = (op.TransactGet,)


@mutant("TTL-2")
class ExpiredCounted(_Timeless):
    """Counts include expired items."""

    def execute(self, operation: op.Operation) -> res.Result:
        counting = isinstance(operation, op.Paged) and operation.select == "count"
        return self.timeless(operation) if counting else super().execute(operation)


@mutant("TTL-4")
class PutKeepsExpiry(Changing):
    """A put without an expiry time keeps that of the item before."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        before, new = usual(action)
        name = action.table.ttl
        if isinstance(action, op.Put) and name and old and new and name in old and name not in new:
            new = {**new, name: old[name]}
        return before, new


@mutant("TTL-4")
class UpdateDropsExpiry(Changing):
    """An update takes the expiry away."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        before, new = usual(action)
        if isinstance(action, op.Update) and action.table.ttl and new:
            named = {change.path[0] for change in action.changes.actions}
            new = {name: value for name, value in new.items() if name != action.table.ttl or name in named}
        return before, new


class _Peeking(_Timeless):
    """Point reads are decided by the stored expiry time."""

    def peek(self, operation: op.Get) -> Any:
        """The stored expiry time, or ``None``."""
        whole = cast("res.GetResult", self.timeless(evolve(operation, projection=None))).item or {}
        return whole.get(operation.table.ttl or "")


@mutant("TTL-1")
class ExpiryFromText(_Peeking):
    """A number written as text expires an item as well."""

    def execute(self, operation: op.Operation) -> res.Result:
        expires = self.peek(operation) if isinstance(operation, op.Get) else None
        gone = isinstance(expires, str) and expires.isdigit() and int(expires) <= self.clock()
        return res.GetResult() if gone else super().execute(operation)


@mutant("TTL-3")
class FarPastIgnored(_Peeking):
    """An expiry time more than five years ago does not hide an item."""

    def execute(self, operation: op.Operation) -> res.Result:
        expires = self.peek(operation) if isinstance(operation, op.Get) else None
        old = type(expires) is int and self.clock() - expires > 5 * 365 * 86_400
        return self.timeless(operation) if old else super().execute(operation)


@mutant("TTL-6", "TTL-2")
class ItsOwnClock(MemoryBackend):
    """Expiry is judged by a clock that nobody can replace."""

    def __init__(self, clock: Any) -> None:
        started: float = clock()
        super().__init__(lambda: started)
