"""Mutants whose batches lose, reorder or misreport members."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.memory import MemoryBackend
from isthmus.values import canonical_bytes
from isthmus_conformance.mutants.registry import mutant


class _Batching(MemoryBackend):
    """Batches go through one method for each kind."""

    def get_many(self, operation: op.GetMany) -> res.GetManyResult:
        """Answer a batch of reads."""
        return cast("res.GetManyResult", super().execute(operation))

    def put_many(self, operation: op.PutMany) -> res.Result:
        """Answer a batch of writes."""
        return super().execute(operation)

    def delete_many(self, operation: op.DeleteMany) -> res.Result:
        """Answer a batch of deletes."""
        return super().execute(operation)

    def execute(self, operation: op.Operation) -> res.Result:
        if isinstance(operation, op.GetMany):
            return self.get_many(operation)
        if isinstance(operation, op.PutMany):
            return self.put_many(operation)
        return self.delete_many(operation) if isinstance(operation, op.DeleteMany) else super().execute(operation)


@mutant("BAT-1", "BAT-3")
class LeftoversDropped(_Batching):
    """A batch writes its first 25 members and reports all of them as written."""

    def put_many(self, operation: op.PutMany) -> res.Result:
        super().put_many(evolve(operation, items=operation.items[:25]))
        return res.WriteManyResult(len(operation.items))


@mutant("BAT-1", "BAT-3")
class UnreadIsMissing(_Batching):
    """A batch reads its first 100 members and takes the others for missing."""

    def get_many(self, operation: op.GetMany) -> res.GetManyResult:
        found = super().get_many(evolve(operation, keys=operation.keys[:100]))
        return res.GetManyResult([*found.items, *([None] * (len(operation.keys) - len(found.items)))])


@mutant("BAT-5")
class AnswersInKeyOrder(_Batching):
    """A batch answers in the order of the keys."""

    def get_many(self, operation: op.GetMany) -> res.GetManyResult:
        keys = sorted(operation.keys, key=lambda key: canonical_bytes(dict(key)))
        return super().get_many(evolve(operation, keys=tuple(keys)))


@mutant("BAT-5")
class MissingAnswersLast(_Batching):
    """A batch puts the answers of missing items at the end."""

    def get_many(self, operation: op.GetMany) -> res.GetManyResult:
        found = super().get_many(operation)
        return evolve(found, items=sorted(found.items, key=lambda item: item is None))


@mutant("BAT-1", "BAT-3")
class BatchDeleteForgetsTheLast(_Batching):
    """A batch delete leaves its last member and reports it as done."""

    def delete_many(self, operation: op.DeleteMany) -> res.Result:
        super().delete_many(evolve(operation, keys=operation.keys[: max(1, len(operation.keys) - 1)]))
        return res.WriteManyResult(len(operation.keys))


@mutant("BAT-3")
class BatchKeepsWhatIsThere(_Batching):
    """A batch write leaves items alone that exist already, and reports them as written."""

    def put_many(self, operation: op.PutMany) -> res.Result:
        keys = tuple(operation.table.key_of(item) for item in operation.items)
        there = self.get_many(op.GetMany(operation.context, operation.table, keys)).items
        fresh = [item for item, old in zip(operation.items, there, strict=True) if old is None]
        super().put_many(evolve(operation, items=tuple(fresh)))
        return res.WriteManyResult(len(operation.items))


@mutant("QRY-11", "BAT-5")
class BatchIgnoresProjection(_Batching):
    """A batch read gives whole items, whatever was asked for."""

    def get_many(self, operation: op.GetMany) -> res.GetManyResult:
        return super().get_many(evolve(operation, projection=None))


@mutant("BAT-8", "QRY-12")
class BatchReadsLag(_Batching):
    """A batch reads what was stored before the last write."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._before: dict[str, dict[Any, Any]] = {}

    def execute(self, operation: op.Operation) -> res.Result:
        if operation.writes:
            self._before = {name: dict(store.items) for name, store in self._session.stores.items()}
        return super().execute(operation)

    def get_many(self, operation: op.GetMany) -> res.GetManyResult:
        store = self._session.stores.get(operation.table.name)
        if store is None:
            return super().get_many(operation)
        now, store.items = store.items, self._before.get(operation.table.name, {})
        try:
            return super().get_many(operation)
        finally:
            store.items = now
