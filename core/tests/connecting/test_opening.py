"""Opening on an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import ClassVar

import pytest

import isthmus
from isthmus import Plugin, hookimpl
from isthmus.health import DatabaseView
from isthmus.memory import MemoryBackend


class Closing(MemoryBackend):
    """Tells when it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = threading.Event()

    def close(self) -> None:
        assert not self.closed.is_set()
        self.closed.set()


class Slow(Plugin):
    """Opens only when it is told to."""

    name: ClassVar[str] = "slow"

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    @hookimpl
    def isthmus_database_opened(self, database: DatabaseView) -> None:
        self.entered.set()
        assert self.go_on.wait(60)


@pytest.mark.parametrize("finished", [False, True])
def test_a_cancelled_opening_closes_the_backend(finished: bool) -> None:
    """A database that nobody waits for any more is closed, whether the thread was through already or not."""
    backend, plugin = Closing(), Slow()

    async def cancel() -> None:
        opening = isthmus.aconnect(backend, plugins=[plugin])
        task = asyncio.ensure_future(opening._open())
        assert await asyncio.to_thread(plugin.entered.wait, 60)
        if finished:
            plugin.go_on.set()
            while opening._pipeline is None:  # without giving the loop a turn, so that nobody takes the result
                pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        plugin.go_on.set()

    asyncio.run(cancel())
    assert backend.closed.wait(60)


def test_an_opening_that_is_awaited_stays_open() -> None:
    """Only abandoned databases are closed."""
    backend = Closing()

    async def use() -> bool:
        database = await isthmus.aconnect(backend)
        before = backend.closed.is_set()
        await database.close()
        return before

    assert (asyncio.run(use()), backend.closed.is_set()) == (False, True)
