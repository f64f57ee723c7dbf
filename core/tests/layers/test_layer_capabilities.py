"""Capabilities as layers change them, and their enforcement outside of all layers."""

from __future__ import annotations

import pytest
from attrs import evolve

import isthmus
from core.tests.layers.support import Driver, both, layer, passing, plugin_of
from isthmus import Capabilities, Capability, Emulated, F, Flow, Layer, Stage, Unsupported
from isthmus import operations as op
from isthmus.errors import (
    UnsupportedOperation,
)
from isthmus.memory import MemoryBackend


def test_capabilities_are_computed_by_layers() -> None:
    """What a layer takes away, callers can't rely on; the backend's own declaration stays."""

    def less(_self: Layer, inner: Capabilities) -> Capabilities:
        return inner.replace({Capability.FILTER: Unsupported("sealed")})

    sealed = passing("x", Stage.SEAL, capabilities=less)
    with isthmus.connect("memory://", plugins=[plugin_of([sealed])]) as database:
        assert database.capabilities[Capability.FILTER] == Unsupported("sealed")
        assert database.backend.capabilities[Capability.FILTER].supported


@both
def test_capabilities_that_a_layer_takes_away_are_refused(ask: Driver) -> None:
    """What is unsupported outside is refused before any layer runs, the outermost included."""
    seen: list[str] = []

    def note(_self: Layer, operation: op.Operation) -> Flow:
        seen.append(operation.kind)
        return (yield operation)

    def without(_self: Layer, inner: Capabilities) -> Capabilities:
        return inner.replace({Capability.STRONG_READ: Unsupported("answers may be old")})

    layers = [layer(note, "outer", Stage.OBSERVE), passing("inner", Stage.CACHE, capabilities=without)]
    with pytest.raises(UnsupportedOperation, match="strong_read: answers may be old") as caught:
        ask(layers, "a")
    where = (caught.value.backend, caught.value.operation, caught.value.table, caught.value.key)
    assert (where, seen) == (("memory", "get", "things", {"id": "a"}), [])


class Limited(MemoryBackend):
    """Lacks some capabilities."""

    def __init__(self, *lacking: Capability) -> None:
        super().__init__()
        self.capabilities = Capabilities.full_except({one: Unsupported("not here") for one in lacking})


def test_a_layer_may_offer_what_the_backend_lacks() -> None:
    """What a layer emulates is let in; only what it sends on is judged by the backend."""

    def offering(_self: Layer, inner: Capabilities) -> Capabilities:
        return inner.replace({Capability.STRONG_READ: Emulated("by asking weakly")})

    def weaken(_self: Layer, operation: op.Operation) -> Flow:
        assert isinstance(operation, op.Get)
        return (yield evolve(operation, consistent=False))

    made = layer(weaken, "weakening", Stage.CACHE, capabilities=offering)
    with isthmus.connect(Limited(Capability.STRONG_READ), plugins=[plugin_of([made])]) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "a"})
        assert table.get(id="a") == {"id": "a"}


@pytest.mark.parametrize("lacking", [Capability.UPSERT, Capability.CONDITIONAL_WRITE, Capability.NESTED_UPDATE])
def test_members_of_transactions_need_their_capabilities(lacking: Capability) -> None:
    """A transaction relies on what its members rely on."""
    with isthmus.connect(Limited(lacking)) as database:
        table = database.table("things", partition_key="id").ensure()
        do = table.actions
        action = do.update(id="a", set={F.x.y: 1}, upsert=True, when=F.n.not_exists())
        with pytest.raises(UnsupportedOperation, match=f"{lacking.value}: not here"):
            database.transact_write([do.put({"id": "b"}), action])
        assert table.find(id="b") is None


def test_transactional_reads_need_the_capabilities_of_their_members() -> None:
    """A projection inside a transaction is a projection; reads of a transaction are strong by nature."""
    with isthmus.connect(Limited(Capability.PROJECTION, Capability.STRONG_READ)) as database:
        table = database.table("things", partition_key="id").ensure()
        assert list(database.transact_get([table.actions.get(id="a")])) == [None]
        with pytest.raises(UnsupportedOperation, match="projection: not here"):
            database.transact_get([table.actions.get(id="a", select=["x"])])


def test_descriptive_capabilities_cost_nothing() -> None:
    """A backend that only lacks what no operation asks for has no step to check it."""
    with isthmus.connect("memory://") as plain, isthmus.connect(Limited(Capability.SCAN)) as limited:
        names = [database._pipeline.chains[op.Get].__qualname__ for database in (plain, limited)]
    assert ["guarded" in name for name in names] == [False, True]
