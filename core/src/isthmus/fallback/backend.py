"""Transactions around a backend that has none: the coordinator between dispatch and the backend (rule TXN-10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.capabilities import Capabilities, Capability, Emulated, Full, Unsupported, refuse
from isthmus.errors import IsthmusError
from isthmus.fallback import answers, coordinator, recovery, writes
from isthmus.fallback.leases import Leases
from isthmus.fallback.metrics import DESCRIPTIONS
from isthmus.fallback.options import FallbackOptions
from isthmus.fallback.records import RECORD_TABLE
from isthmus.fallback.session import Flow, Native, Session, Shared
from isthmus.fallback.store import ItemStore
from isthmus.layers import Sleep
from isthmus.planned import adrive, drive

Answer = Callable[[Session, Any], Flow[Any]]

ATOMIC: Final = Emulated(
    "atomic over conditional single-item writes; strictly serializable for the items named in transact_write,"
    " transact_get and single-item operations made through Isthmus; queries and scans are read-committed; about 2N+3"
    " writes for N actions; programs that write to these tables directly are not covered"
)
_TOKENS: Final = Emulated("kept with the record of the transaction, for 10 minutes by the clocks involved")
_REVISIONS: Final = Emulated("the hidden revision of each item; an item of another program has its content's digest")

_NATIVE: Mapping[type[op.Operation], Answer] = {
    op.Get: answers.native_get, op.GetMany: answers.native_get_many, op.Query: answers.native_page,
    op.Scan: answers.native_page, op.Create: writes.native, op.Put: writes.native, op.Update: writes.native,
    op.Delete: writes.native, op.PutMany: writes.native_batch, op.DeleteMany: writes.native_batch,
}  # fmt: skip
_OWN: Mapping[type[op.Operation], Answer] = {
    op.Get: answers.get, op.GetMany: answers.get_many, op.Query: answers.page, op.Scan: answers.page,
    op.Create: writes.single, op.Put: writes.single, op.Update: writes.single, op.Delete: writes.single,
    op.PutMany: writes.many, op.DeleteMany: writes.many,
}  # fmt: skip


def needs_fallback(backend: Backend) -> bool:
    """Whether a backend can't do transactions itself, and offers what the core needs to do them."""
    levels = backend.capabilities
    wanted = (Capability.CONDITIONAL_WRITE, Capability.STRONG_READ)
    return (
        backend.item_store is not None
        and not levels.supports(Capability.TRANSACT_WRITE)
        and all(isinstance(levels[name], Full) for name in wanted)
    )


class FallbackBackend(Backend):
    """A backend with the transactions of the core around it."""

    metrics = DESCRIPTIONS

    def __init__(self, inner: Backend, store: ItemStore, options: FallbackOptions, clock: Clock) -> None:
        self.inner = inner
        self.name = inner.name  # type: ignore[misc]  # of this object, because backends differ
        self.blocking = inner.blocking  # type: ignore[misc]
        self.limits = inner.limits
        self.clock = inner.clock
        self.capabilities = with_transactions(inner.capabilities)
        self.store = store
        self.shared = Shared(inner, store, options, clock, Leases(clock))
        self._answers: dict[type[op.Operation], Answer] = {
            **{kind: _NATIVE[kind] if kind in store.native else own for kind, own in _OWN.items()},
            op.TransactWrite: _transact_write, op.TransactGet: answers.transact_get, op.ListTables: _list_tables,
            op.Resolve: _resolve,
        }  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        # For those who know which backend this is: it has more than the contract says.
        return getattr(self.__dict__["inner"], name)

    def keeps_unique(self, table: str) -> bool:
        return self.inner.keeps_unique(table)

    # ---- operations ----

    def execute(self, operation: op.Operation) -> res.Result:
        flow = self._answers.get(type(operation))
        if flow is None:
            return self.inner.execute(operation)
        result: res.Result = self._run(flow, operation)
        return result

    async def aexecute(self, operation: op.Operation) -> res.Result:
        flow = self._answers.get(type(operation))
        if flow is None:
            return await self.inner.aexecute(operation)
        result: res.Result = await self._arun(flow, operation)
        return result

    def _run(self, flow: Answer, operation: op.Operation) -> Any:
        session = Session(self.shared, operation.context)
        with self.store.working():
            return drive(_routed(flow, session, operation), lambda request: self._send(session, request))

    async def _arun(self, flow: Answer, operation: op.Operation) -> Any:
        session = Session(self.shared, operation.context)
        with self.store.working():
            return await adrive(_routed(flow, session, operation), lambda request: self._asend(session, request))

    def _send(self, session: Session, request: Any) -> Any:
        if type(request) is Native:
            return self.inner.execute(request.operation)
        return request.run() if type(request) is Sleep else self.store.send(request, session.deadline)

    async def _asend(self, session: Session, request: Any) -> Any:
        if type(request) is Native:
            return await self.inner.aexecute(request.operation)
        return await (request.arun() if type(request) is Sleep else self.store.asend(request, session.deadline))

    # ---- recovery ----

    def recover(self, context: op.Context, limit: int | None) -> recovery.Recovery:
        """Finish or undo the transactions of dead clients."""
        result: recovery.Recovery = self._run(_recover(limit), op.ListTables(context))
        return result

    async def arecover(self, context: op.Context, limit: int | None) -> recovery.Recovery:
        """The async twin of ``recover``."""
        result: recovery.Recovery = await self._arun(_recover(limit), op.ListTables(context))
        return result

    # ---- what the inner backend says ----

    def identifies(self, operation: op.Operation) -> bool:
        """Whether the inner backend knows a repeated write again; what the core writes carries no operation id."""
        known = type(operation) in self.store.native and getattr(operation, "unchanged", None) is None
        return known and self.inner.identifies(operation)

    def repeats(self, operation: op.Operation) -> bool:
        return isinstance(operation, op.TransactWrite)

    def translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError | None:
        return self.inner.translate_error(error, operation)

    def explain(self, operation: op.Operation) -> Mapping[str, Any]:
        return self.inner.explain(operation)

    def native(self) -> Any:
        return self.inner.native()

    def close(self) -> None:
        self.inner.close()

    async def aclose(self) -> None:
        await self.inner.aclose()


def with_transactions(inner: Capabilities) -> Capabilities:
    """What a backend can do with the core's transactions around it."""
    levels = inner.replace({
        Capability.TRANSACT_WRITE: ATOMIC, Capability.TRANSACT_GET: ATOMIC, Capability.IDEMPOTENCY_TOKEN: _TOKENS,
    })  # fmt: skip
    return levels if levels.supports(Capability.REVISION) else levels.replace({Capability.REVISION: _REVISIONS})


def _routed(flow: Answer, session: Session, operation: op.Operation) -> Flow[Any]:
    """What answers an operation: a write that depends on a revision is always the core's, which knows revisions."""
    if flow is writes.native and getattr(operation, "unchanged", None) is not None:
        return writes.single(session, operation)  # type: ignore[arg-type]  # an action: nothing else is routed so
    return flow(session, operation)


def _transact_write(session: Session, operation: op.TransactWrite) -> Flow[res.Result]:
    yield from recovery.sweep(session)
    return (yield from coordinator.transact_write(session, operation))


def _list_tables(_session: Session, operation: op.ListTables) -> Flow[res.Result]:
    """The tables without that of the records: copies and exports are made from what is listed."""
    found: res.TablesResult = yield Native(operation)
    return evolve(found, names=[name for name in found.names if name != RECORD_TABLE.name])


def _resolve(session: Session, operation: op.Resolve) -> Flow[res.Result]:
    if operation.table_name == RECORD_TABLE.name:
        return (yield from recovery.resolve(session, operation))
    backend = session.shared.backend
    level = backend.capabilities[Capability.OPERATION_ID]
    if isinstance(level, Unsupported):
        raise refuse(Capability.OPERATION_ID, level.reason, backend.name)
    result: res.Result = yield Native(operation)
    return result


def _recover(limit: int | None) -> Answer:
    return lambda session, _operation: recovery.recover_all(session, limit)
