"""What flows may do, sync and async alike: rewrite, answer, refuse, catch, yield several times, block."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from attrs import evolve

from core.tests.layers.support import Driver, ask_sync, both, layer
from isthmus import Blocking, Flow, Layer, Stage
from isthmus import operations as op
from isthmus.errors import (
    InvalidArgument,
    ItemNotFound,
    PermissionDenied,
    PluginError,
)
from isthmus.results import DeleteResult, GetResult


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
def test_what_does_not_concern_a_layer_passes_it(ask: Driver) -> None:
    """Its flow is not entered, and the operation reaches the next layer."""
    seen: list[str] = []

    def flow(self: Layer, operation: op.Operation) -> Flow:
        seen.append(f"{self.name} {operation.kind}")
        return (yield operation)

    def concerns(_self: Layer, operation: op.Operation) -> bool:
        return isinstance(operation, op.Put)

    handles = (op.Get, op.Put)
    outer = layer(flow, "outer", Stage.AUDIT, handles, concerns=concerns)
    assert ask([outer, layer(flow, "inner", Stage.SEAL, handles)], "a") == {"id": "a", "n": 1}
    assert seen == ["outer put", "inner put", "inner get"]


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
