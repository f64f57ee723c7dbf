"""What goes past the chains of a closed database, and explaining without holding up the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import isthmus
from isthmus import operations as op
from isthmus.errors import Closed
from isthmus.memory import MemoryBackend


class Explaining(MemoryBackend):
    """Tells in which thread it explains."""

    blocking = True

    def explain(self, operation: op.Operation) -> Mapping[str, Any]:
        return {"kind": operation.kind, "thread": threading.get_ident()}


def test_a_closed_database_gives_no_driver_and_no_plan() -> None:
    """``native`` and ``explain`` are refused like every operation."""
    with isthmus.connect("memory://") as database:
        selection = database.table("things", partition_key="id").scan()
        assert selection.explain()["operation"] == "scan"
    with pytest.raises(Closed):
        database.native()
    with pytest.raises(Closed):
        selection.explain()


def test_a_closed_async_database_gives_no_driver_and_no_plan() -> None:
    """The same of its twin."""

    async def use() -> None:
        async with isthmus.aconnect("memory://") as database:
            selection = database.table("things", partition_key="id").scan()
            assert (await selection.explain())["operation"] == "scan"
        with pytest.raises(Closed):
            database.native()
        with pytest.raises(Closed):
            await selection.explain()

    asyncio.run(use())


def test_a_blocking_backend_explains_in_a_thread() -> None:
    """The event loop goes on meanwhile."""

    async def use() -> Any:
        async with isthmus.aconnect(Explaining()) as database:
            return (await database.table("things", partition_key="id").scan().explain())["native"]

    native = asyncio.run(use())
    assert native["kind"] == "scan"
    assert native["thread"] != threading.get_ident()


class Blocking(MemoryBackend):
    """Waits while it is closed, as for calls at work, and counts how often it was closed in time."""

    blocking = True
    closings = 0

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__()
        self.go_on, self.closed = go_on, threading.Event()

    def close(self) -> None:
        self.closings += self.go_on.wait(60)
        self.closed.set()


@pytest.mark.parametrize("begun", [False, True])
def test_a_closing_that_is_cancelled_closes_once(begun: bool) -> None:
    """Whether a thread was free for it or not: nobody closes a second time, and the loop does not wait for it."""
    busy, go_on = threading.Event(), threading.Event()
    backend = Blocking(go_on)

    def work() -> None:
        busy.set()
        assert go_on.wait(60)

    async def use() -> None:
        database = await isthmus.aconnect(backend)
        with ThreadPoolExecutor(1) as only:
            asyncio.get_running_loop().set_default_executor(only)
            working = asyncio.create_task(asyncio.to_thread(work))
            await asyncio.sleep(0)
            assert busy.wait(60)
            closing = asyncio.create_task(database.close())
            await asyncio.sleep(0)
            if begun:
                go_on.set()
                assert only.submit(int).result(60) == 0  # comes after it in the queue
            closing.cancel()
            await asyncio.wait([closing])
            go_on.set()
            await working

    asyncio.run(use())
    assert backend.closed.wait(60)
    assert backend.closings == 1
