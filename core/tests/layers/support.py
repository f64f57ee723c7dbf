"""Layers and databases with layers, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

import isthmus
from isthmus import Flow, Layer, Plugin, Stage, hookimpl
from isthmus import operations as op

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
