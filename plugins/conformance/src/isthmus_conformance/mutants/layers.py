"""Layers that forget, leak, swallow, reorder or serve what is stale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from attrs import evolve

from isthmus import Capabilities, Capability, Full, Unsupported
from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import ConditionFailed, IsthmusError
from isthmus.layers import Flow
from isthmus.operations import Context
from isthmus.values import Item
from isthmus_conformance.example_layers import Caching, PassThrough, Sealing
from isthmus_conformance.mutants.registry import mutant

_Op = TypeVar("_Op", bound=op.Operation)


@mutant("LYR-1")
class SealingForgetsBatches(Sealing):
    """Items of a batch are written as they are."""

    def sealed(self, operation: _Op) -> _Op:
        return operation if isinstance(operation, op.PutMany) else super().sealed(operation)


@mutant("LYR-1")
class SealingForgetsTransactions(Sealing):
    """Items of a transaction are written as they are."""

    def sealed(self, operation: _Op) -> _Op:
        return operation if isinstance(operation, op.TransactWrite) else super().sealed(operation)


@mutant("LYR-1")
class SealingForgetsUpdates(Sealing):
    """Values that an update sets are written as they are."""

    def sealed(self, operation: _Op) -> _Op:
        return operation if isinstance(operation, op.Update) else super().sealed(operation)


@mutant("LYR-1")
class SealingForgetsTransactionalReads(Sealing):
    """A transactional read gives sealed values."""

    handles = tuple(kind for kind in op.ITEM_OPERATIONS if kind is not op.TransactGet)


@mutant("LYR-1", "CND-2")
class SealingForgetsErrors(Sealing):
    """The current item of a failed condition is sealed."""

    def open_error(self, error: IsthmusError) -> None:
        """Leave everything as it is."""


@mutant("LYR-1", "CND-2")
class CurrentDropped(PassThrough):
    """A failed condition is raised again without its current item."""

    def flow(self, operation: op.Operation) -> Flow:
        try:
            result: res.Result = yield operation
        except ConditionFailed as error:
            raise ConditionFailed(error.message) from error
        return result


@mutant("LYR-1", "CND-8")
class ErrorsSwallowed(PassThrough):
    """A point read that fails is answered with nothing."""

    def flow(self, operation: op.Operation) -> Flow:
        try:
            result: res.Result = yield operation
        except IsthmusError:
            if isinstance(operation, op.Get):
                return res.GetResult()
            raise
        return result


@mutant("LYR-1", "LYR-3")
class OperationsChanged(PassThrough):
    """Attributes are added to the caller's own item, and taken out of what is read."""

    def flow(self, operation: op.Operation) -> Flow:
        if isinstance(operation, (op.Create, op.Put)):
            operation.item["stamped"] = True
        result: res.Result = yield operation
        return result.map_items(lambda item: {name: value for name, value in item.items() if name != "stamped"})


@mutant("LYR-1", "BAT-5")
class AnswersReordered(PassThrough):
    """A batch read is sent sorted, and answered as sent."""

    def flow(self, operation: op.Operation) -> Flow:
        if isinstance(operation, op.GetMany):
            operation = evolve(operation, keys=tuple(sorted(operation.keys, key=repr)))
        result: res.Result = yield operation
        return result


@mutant("LYR-1", "BAT-3")
class FailuresDropped(PassThrough):
    """A batch counts as done when the store left members over."""

    def flow(self, operation: op.Operation) -> Flow:
        result: res.Result = yield operation
        return evolve(result, failures=()) if isinstance(result, res.ManyResult) else result


@mutant("LYR-1")
class ContextLost(PassThrough):
    """Updates are sent without the caller's context."""

    def flow(self, operation: op.Operation) -> Flow:
        result: res.Result = yield evolve(operation, context=Context()) if operation.kind == "update" else operation
        return result


@mutant("LYR-1")
class EverythingPromised(PassThrough):
    """Capabilities are declared without asking the store."""

    def capabilities(self, inner: Capabilities) -> Capabilities:
        return Capabilities({capability: Full() for capability in Capability})


@mutant("LYR-1")
class DeniesWhatItPasses(PassThrough):
    """Transactional reads are declared unsupported, and let through all the same."""

    def capabilities(self, inner: Capabilities) -> Capabilities:
        return inner.replace({Capability.TRANSACT_GET: Unsupported("reads of several items are not audited yet")})


@mutant("LYR-1", "QRY-14", "QRY-15")
class PagesWithoutPosition(PassThrough):
    """A page is rebuilt without the place where the next one starts."""

    def flow(self, operation: op.Operation) -> Flow:
        result: res.Result = yield operation
        return res.Page(result.items, result.count) if isinstance(result, res.Page) else result


@mutant("LYR-1")
class StaleAfterUpdates(Caching):
    """The cache keeps what an update or delete changed."""

    def forgotten(self, operation: op.Operation) -> Sequence[tuple[str, bytes]]:
        return () if isinstance(operation, (op.Update, op.Delete)) else super().forgotten(operation)


@mutant("LYR-1")
class StaleAfterBatches(Caching):
    """The cache keeps what a batch changed."""

    def forgotten(self, operation: op.Operation) -> Sequence[tuple[str, bytes]]:
        return () if isinstance(operation, (op.PutMany, op.DeleteMany)) else super().forgotten(operation)


@mutant("LYR-1")
class StaleAfterTransactions(Caching):
    """The cache keeps what a transaction changed."""

    def forgotten(self, operation: op.Operation) -> Sequence[tuple[str, bytes]]:
        return () if isinstance(operation, op.TransactWrite) else super().forgotten(operation)


@mutant("LYR-1")
class AbsenceRemembered(Caching):
    """The cache still answers that there is nothing after a create."""

    def forgotten(self, operation: op.Operation) -> Sequence[tuple[str, bytes]]:
        return () if isinstance(operation, op.Create) else super().forgotten(operation)


@mutant("LYR-1", "CND-7")
class StaleAfterFailures(Caching):
    """The cache forgets before a write only, so a read while the write runs fills it again; failed writes keep it."""

    def _write(self, operation: op.Operation) -> Flow:
        kept = dict(self._answers)
        self._forget(operation)
        try:
            result: res.Result = yield operation
        except IsthmusError:
            self._answers.update(kept)
            raise
        self._forget(operation)
        return result


@mutant("LYR-1", "QRY-12")
class StrongReadsCached(Caching):
    """The cache answers strong reads."""

    def cached(self, operation: op.Get | op.GetMany) -> bool:
        return operation.projection is None and operation.table.ttl is None


@mutant("LYR-1", "TTL-2")
class ExpiredCached(Caching):
    """The cache keeps strong reads of items that expire meanwhile."""

    def cached(self, operation: op.Get | op.GetMany) -> bool:
        return operation.projection is None and operation.table.ttl is not None


@mutant("LYR-1", "LYR-3")
class CacheShares(Caching):
    """The cache hands out the items that it keeps."""

    def copied(self, item: Item | None) -> Item | None:
        return item


@mutant("LYR-1", "BAT-5", "BAT-3")
class HitsFirst(Caching):
    """A batch answers what the cache knows first, whatever the order of the request."""

    def _read(self, operation: op.GetMany) -> Flow:
        result: Any = yield from super()._read(operation)
        if len(operation.keys) == 1:
            return result
        return evolve(result, items=sorted(result.items, key=lambda item: item is None))
