"""A backend that has transactions by now, over items that the core's transactions may still hold.

A server that ran alone becomes part of a replica set: from then on the backend carries out everything itself, also
whole transactions, and respects locks. The core ends what dead clients left, settles what is in the way, and knows the
tokens that were used before.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.errors import UnsupportedOperation
from isthmus.fallback import coordinator, recovery, writes
from isthmus.fallback.backend import FallbackBackend
from isthmus.fallback.options import FallbackOptions
from isthmus.fallback.session import Flow, Native, Session
from isthmus.fallback.store import LOCK, ItemStore, Locked


def holds_locks(backend: Backend) -> bool:
    """Whether a backend carries out transactions itself, and its items may hold locks of the core."""
    return backend.item_store is not None and op.TransactWrite in backend.item_store.native


class FormerFallbackBackend(FallbackBackend):
    """A backend with the core around it, which settles locks and leaves the rest to the backend."""

    def __init__(self, inner: Backend, store: ItemStore, options: FallbackOptions, clock: Clock) -> None:
        super().__init__(inner, store, options, clock)
        self.capabilities = inner.capabilities
        self._answers[op.TransactWrite] = _transact_write
        self._answers[op.TransactGet] = _settled
        reads = self._answers[op.Get]
        self._answers[op.Get] = lambda session, get: (_seen if get.revision else reads)(session, get)
        for kind in (op.Create, op.Put, op.Update, op.Delete):
            self._answers[kind] = _written

    def identifies(self, operation: op.Operation) -> bool:
        return self.inner.identifies(operation)

    def repeats(self, operation: op.Operation) -> bool:
        return self.inner.repeats(operation)


def _written(session: Session, operation: op.Action) -> Flow[res.Result]:
    """A write, which the backend judges whatever it depends on."""
    return (yield from writes.native(session, operation))


def _seen(session: Session, operation: op.Get) -> Flow[res.Result]:
    """A read with a revision, which is the backend's own; that of a locked item would be worth nothing."""
    while True:
        result: res.GetResult = yield Native(operation)
        if result.item is None or LOCK not in result.item:
            return result
        yield from writes.unlock(session, writes.place_of(operation))


def _transact_write(session: Session, operation: op.TransactWrite) -> Flow[res.Result]:
    yield from recovery.sweep(session)
    if operation.token is not None and (yield from coordinator.was_applied(session, operation)):
        return res.TransactWriteResult(replayed=True)
    return (yield from _settled(session, operation))


def _settled(session: Session, operation: op.TransactWrite | op.TransactGet) -> Flow[res.Result]:
    """A whole transaction of the backend, again as soon as no lock is in the way."""
    members: Any = operation.actions if isinstance(operation, op.TransactWrite) else operation.gets
    while True:
        try:
            return cast("res.Result", (yield Native(operation)))
        except Locked:
            for member in members:
                with suppress(UnsupportedOperation):  # tables that can't hold locks
                    yield from writes.unlock(session, writes.place_of(member))
