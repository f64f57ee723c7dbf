"""A flow may wait; on an event loop others go on meanwhile."""

import asyncio
import time
from typing import ClassVar

import isthmus
from isthmus import Flow, Layer, Plugin, Sleep, Stage, hookimpl
from isthmus.operations import Get, Operation

PAUSE = 0.2


class Slow(Layer):
    """Waits before each read."""

    name = "slow"
    stage = Stage.OBSERVE
    handles = (Get,)

    def flow(self, operation: Operation) -> Flow:
        """Wait, then hand on."""
        yield Sleep(PAUSE)
        return (yield operation)


class SlowPlugin(Plugin):
    """Contributes the layer."""

    name: ClassVar[str] = "slow"

    @hookimpl
    def isthmus_layers(self, database: object) -> list[Layer]:
        """One layer."""
        return [Slow()]


def test_sync_waits() -> None:
    """The sync driver waits in place."""
    with isthmus.connect("memory://", plugins=[SlowPlugin]) as database:
        table = database.table("things", partition_key="id").ensure()
        started = time.perf_counter()
        assert table.find(id="a") is None
        assert time.perf_counter() - started >= PAUSE


def test_async_lets_others_go_on() -> None:
    """Twenty waits on one loop overlap."""

    async def read_all() -> float:
        async with isthmus.aconnect("memory://", plugins=[SlowPlugin]) as database:
            table = await database.table("things", partition_key="id").ensure()
            started = time.perf_counter()
            assert await asyncio.gather(*(table.find(id=str(number)) for number in range(20))) == [None] * 20
            return time.perf_counter() - started

    assert asyncio.run(read_all()) < 20 * PAUSE
