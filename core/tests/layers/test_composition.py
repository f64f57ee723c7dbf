"""Layers in a database: order, guards, rewriting, answering, refusing; sync and async alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, ClassVar

import pytest
from attrs import evolve

import isthmus
from isthmus import Blocking, Capabilities, Capability, Emulated, F, Flow, Layer, Plugin, Stage, Unsupported, hookimpl
from isthmus import operations as op
from isthmus.errors import (
    ConditionFailed,
    InvalidArgument,
    ItemNotFound,
    PermissionDenied,
    PluginError,
    TransactionFailed,
    UnsupportedOperation,
)
from isthmus.expressions import Add, Changes, Remove, Set, SetFrom, SetIfAbsent
from isthmus.layers import arrange, map_error_items
from isthmus.memory import MemoryBackend
from isthmus.results import DeleteResult, GetResult

Driver = Callable[[Sequence[Layer], str], Any]


def plugin_of(layers: Any) -> Plugin:
    """A plugin that contributes these layers."""

    class Contributor(Plugin):
        name: ClassVar[str] = "contributor"

        @hookimpl
        def isthmus_layers(self) -> Any:  # type: ignore[override]  # may leave out arguments
            return layers

    return Contributor()


def ask_sync(layers: Sequence[Layer], key: str) -> Any:
    """Put an item and get it, through these layers."""
    with isthmus.connect("memory://", plugins=[plugin_of(layers)]) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "a", "n": 1})
        return table.get(id=key)


def ask_async(layers: Sequence[Layer], key: str) -> Any:
    """The async twin of `ask_sync`."""

    async def ask() -> Any:
        async with isthmus.aconnect("memory://", plugins=[plugin_of(layers)]) as database:
            table = await database.table("things", partition_key="id").ensure()
            await table.put({"id": "a", "n": 1})
            return await table.get(id=key)

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [ask_sync, ask_async], ids=["sync", "async"])


def layer(
    flow: Callable[[Layer, op.Operation], Flow],
    name: str = "x",
    stage: Stage = Stage.OBSERVE,
    handles: tuple[type[op.Operation], ...] = (op.Get,),
    **members: Any,
) -> Layer:
    """A layer with this flow."""
    members |= {"flow": flow, "name": name, "stage": stage, "handles": handles}
    made: type[Layer] = type("Made", (Layer,), members)
    return made()


def passing(name: str, stage: Stage, **members: Any) -> Layer:
    """A layer that changes nothing."""

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        return (yield operation)

    return layer(flow, name, stage, **members)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_order_is_that_of_stages_and_names(order: tuple[int, ...]) -> None:
    """Layers stand in the order of their stages, ties by name, however they were given."""
    four = [
        passing("b", Stage.AUDIT),
        passing("a", Stage.SEAL),
        passing("c", Stage.SEAL),
        passing("z", Stage.OBSERVE),
    ]
    assert [one.name for one in arrange([four[place] for place in order])] == ["z", "b", "a", "c"]


@both
def test_five_layers_are_entered_and_left_in_order(ask: Driver) -> None:
    """Each layer sees the operation on its way in and the result on its way out."""
    seen: list[str] = []

    def flow(self: Layer, operation: op.Operation) -> Flow:
        seen.append(f"+{self.name}")
        result = yield operation
        seen.append(f"-{self.name}")
        return result

    stages = [Stage.CACHE, Stage.OBSERVE, Stage.SEAL, Stage.AUTHORIZE, Stage.AUDIT]
    ask([layer(flow, stage.name[:2], stage) for stage in stages], "a")
    assert seen == ["+OB", "+AU", "+AU", "+SE", "+CA", "-CA", "-SE", "-AU", "-AU", "-OB"]


@both
def test_rewriting(ask: Driver) -> None:
    """A layer may change the operation and the result."""

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        assert isinstance(operation, op.Get)
        result = yield evolve(operation, key={"id": "a"})
        return result.map_items(lambda item: {**item, "seen": True})

    assert ask([layer(flow)], "b") == {"id": "a", "n": 1, "seen": True}


@both
def test_return_without_yield(ask: Driver) -> None:
    """A layer may answer by itself; nothing inside runs."""
    inside: list[str] = []

    def answer(_self: Layer, operation: op.Operation) -> Flow:
        if isinstance(operation, op.Get):
            return GetResult({"id": "cached"})
        return (yield operation)

    def note(_self: Layer, operation: op.Operation) -> Flow:
        inside.append(operation.kind)
        return (yield operation)

    layers = [layer(answer, "outer", Stage.AUDIT), layer(note, "inner", Stage.CACHE)]
    assert (ask(layers, "a"), inside) == ({"id": "cached"}, [])


@both
def test_raising(ask: Driver) -> None:
    """A layer may refuse."""

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        if operation.kind == "get":
            raise PermissionDenied("not you")
        return (yield operation)

    with pytest.raises(PermissionDenied, match="not you"):
        ask([layer(flow)], "a")


@both
def test_catching(ask: Driver) -> None:
    """A layer gets the errors of inner layers and may answer instead."""

    def refuse(_self: Layer, operation: op.Operation) -> Flow:
        if operation.kind == "get":
            raise InvalidArgument("inner")
        return (yield operation)

    def save(_self: Layer, operation: op.Operation) -> Flow:
        try:
            return (yield operation)
        except InvalidArgument as error:
            return GetResult({"id": error.message})

    assert ask([layer(refuse, stage=Stage.CACHE), layer(save, stage=Stage.AUDIT)], "a") == {"id": "inner"}


@both
def test_several_yields(ask: Driver) -> None:
    """A layer may send several operations, one after the other."""

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        assert isinstance(operation, op.Get)
        first = yield operation
        second = yield evolve(operation, key={"id": "none"})
        return GetResult({"first": first.item is not None, "second": second.item is not None})

    assert ask([layer(flow)], "a") == {"first": True, "second": False}


@both
def test_another_kind_passes_the_layers_of_that_kind(ask: Driver) -> None:
    """An operation of another kind meets every inner layer that handles that kind."""
    inside: list[str] = []

    def turn(_self: Layer, operation: op.Operation) -> Flow:
        assert isinstance(operation, op.Get)
        gone = yield op.Delete(operation.context, operation.table, operation.key)
        assert isinstance(gone, DeleteResult)
        return (yield operation)

    def note(_self: Layer, operation: op.Operation) -> Flow:
        inside.append(operation.kind)
        return (yield operation)

    layers = [layer(turn, "turn", Stage.AUDIT), layer(note, "note", Stage.SEAL, (op.Delete,))]
    with pytest.raises(ItemNotFound):
        ask(layers, "a")
    assert inside == ["delete"]


@both
def test_blocking_work(ask: Driver) -> None:
    """Blocking work runs in the caller's thread when sync and in another when async; its answer comes back."""
    threads: list[bool] = []

    def work(left: int, right: int) -> int:
        threads.append(threading.current_thread() is threading.main_thread())
        return left + right

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        total = yield Blocking.call(work, 1, 2)
        result = yield operation
        return result.map_items(lambda item: {**item, "total": total})

    assert (ask([layer(flow)], "a"), threads) == ({"id": "a", "n": 1, "total": 3}, [ask is ask_sync])


@both
def test_blocking_work_that_fails(ask: Driver) -> None:
    """What blocking work raises is raised in the flow."""

    def work() -> None:
        raise OSError("disk")

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        try:
            yield Blocking(work)
        except OSError as error:
            return GetResult({"id": str(error)})
        return (yield operation)

    assert ask([layer(flow)], "a") == {"id": "disk"}


@both
@pytest.mark.parametrize("garbage", [None, {"id": "a"}])
def test_flow_that_returns_garbage(ask: Driver, garbage: Any) -> None:
    """A flow that returns no result is reported with its layer's name."""

    def flow(_self: Layer, operation: op.Operation) -> Flow:
        yield operation
        return garbage

    with pytest.raises(PluginError, match="the flow of layer 'x' must return a result, not "):
        ask([layer(flow)], "a")


@both
def test_flow_that_yields_garbage(ask: Driver) -> None:
    """A flow that yields something else than an operation is reported with its layer's name."""

    def flow(_self: Layer, _operation: op.Operation) -> Flow:
        return (yield "get")  # type: ignore[misc]  # on purpose

    with pytest.raises(PluginError, match="the flow of layer 'x' must yield operations, not str"):
        ask([layer(flow)], "a")


@pytest.mark.parametrize("outside", [Stage.AUTHORIZE, Stage.SEAL, Stage.REWRITE])
def test_guard_pairs(outside: Stage) -> None:
    """No layer may move inside of a cache, nor a cache outside, where callers could meet each other's data."""
    with pytest.raises(PluginError, match=f"layer 'moved' \\({outside.name}\\) must stay outside of layer 'cache'"):
        arrange([passing("cache", Stage.CACHE), passing("moved", outside, order=Stage.CACHE + 1)])
    with pytest.raises(PluginError, match="must stay outside of layer 'cache'"):
        arrange([passing("cache", Stage.CACHE, order=1), passing("kept", outside)])


def test_order_that_crosses_no_guard() -> None:
    """A layer may move where no guard pair is crossed."""
    assert [one.name for one in arrange([passing("a", Stage.AUDIT), passing("b", Stage.SEAL, order=1)])] == ["b", "a"]


def test_exclusive_stage() -> None:
    """Two layers in a stage that one of them wants alone are refused."""
    with pytest.raises(PluginError, match="stage SEAL holds one layer only, found a, b"):
        arrange([passing("a", Stage.SEAL, exclusive=True), passing("b", Stage.SEAL)])


def test_flow_must_be_a_generator_function() -> None:
    """A flow without a yield is refused when the database opens."""
    wrong = layer(lambda _self, _operation: GetResult())  # type: ignore[arg-type, return-value]  # on purpose
    with pytest.raises(PluginError, match="the flow of layer 'x' must be a generator function"):
        isthmus.connect("memory://", plugins=[plugin_of([wrong])])


@pytest.mark.parametrize("layers", [7, [7]])
def test_hook_that_returns_no_layers(layers: Any) -> None:
    """A plugin that contributes something else than layers is refused."""
    with pytest.raises(PluginError, match="isthmus_layers must return"):
        isthmus.connect("memory://", plugins=[plugin_of(layers)])


def test_capabilities_are_computed_by_layers() -> None:
    """What a layer takes away, callers can't rely on; the backend's own declaration stays."""

    def less(_self: Layer, inner: Capabilities) -> Capabilities:
        return inner.replace({Capability.FILTER: Unsupported("sealed")})

    sealed = passing("x", Stage.SEAL, capabilities=less)
    with isthmus.connect("memory://", plugins=[plugin_of([sealed])]) as database:
        assert database.capabilities[Capability.FILTER] == Unsupported("sealed")
        assert database.backend.capabilities[Capability.FILTER].supported


def test_explanation_lists_layers() -> None:
    """`explain` shows each layer with its stage and the kinds that it handles."""
    with isthmus.connect("memory://", plugins=[plugin_of([passing("x", Stage.AUDIT)])]) as database:
        explanation = database.explain()
    assert ("x", "AUDIT", ("get",)) in explanation.layers
    assert "AUDIT" in str(explanation)


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


def test_set_values_are_mapped() -> None:
    """Values that updates put in place of whole attributes are mapped, in transactions too; no other change is."""
    schema, context = isthmus.Table("things", isthmus.Key("id")), op.Context()
    changes = Changes(
        [
            Set(("a",), 1),
            SetIfAbsent(("b",), 2),
            Set(("c", "x"), 3),
            Add(("d",), 4),
            SetFrom(("e",), ("f",)),
            Remove(("g",)),
        ]
    )
    update = op.Update(context, schema, {"id": "1"}, changes)
    seen: list[Any] = []

    def double(name: str, value: Any) -> Any:
        seen.append((name, value))
        return value * 10

    mapped = update.map_set_values(double)
    assert mapped.changes.actions == (Set(("a",), 10), SetIfAbsent(("b",), 20), *changes.actions[2:])
    assert seen == [("a", 1), ("b", 2)]
    put = op.Put(context, schema, {"id": "2", "a": 1})
    assert op.TransactWrite(context, (update, put)).map_set_values(double).actions == (mapped, put)
    assert update.changes == changes


def test_items_of_errors_are_mapped() -> None:
    """Current items are mapped wherever they hide."""
    single, inner = ConditionFailed("no", current={"id": "1"}), ConditionFailed("no", current={"id": "2"})
    whole = TransactionFailed("no", reasons=[None, inner, ItemNotFound("none"), ConditionFailed("no")])
    for error in (single, whole, ItemNotFound("none")):
        map_error_items(error, lambda item: {**item, "seen": True})
    assert (single.current, inner.current) == ({"id": "1", "seen": True}, {"id": "2", "seen": True})
    assert [getattr(reason, "current", None) for reason in whole.reasons] == [None, inner.current, None, None]
