"""No socket stays open when a task is cancelled while the driver connects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

import isthmus
from plugins.mongodb.tests.servers import fresh_name, in_database

# Connections are held where this is set: in a task, and in those that it starts.
HELD: ContextVar[asyncio.Event | None] = ContextVar("held", default=None)


class HoldingLoop(asyncio.SelectorEventLoop):
    """A loop on which some connections are never made."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[socket.socket] = []

    @property
    def still_open(self) -> list[bool]:
        """Whether each socket that was held is still open."""
        return [sock.fileno() != -1 for sock in self.sockets]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect, or wait for ever with a socket that is open."""
        held = HELD.get()
        if held is None:
            return await super().sock_connect(sock, address)
        self.sockets.append(sock)
        held.set()
        await asyncio.Event().wait()
        return None


@pytest.fixture
def loop() -> Iterator[HoldingLoop]:
    """A loop, with the sockets that it holds."""
    loop = HoldingLoop()
    yield loop
    for sock in loop.sockets:
        sock.close()


def run(loop: HoldingLoop, scenario: Callable[[], Any]) -> None:
    """Run a scenario on the loop, to its end."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


async def cancelled_when_held(call: Callable[[], Awaitable[Any]]) -> None:
    """Make a call, and cancel it as soon as a connection of it is held."""
    held = asyncio.Event()

    async def made() -> None:
        HELD.set(held)
        await call()

    task = asyncio.create_task(made())
    await held.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def test_a_database_that_is_closed_closes_the_sockets_of_its_monitors(loop: HoldingLoop, mongodb_url: str) -> None:
    """The driver's monitors connect by themselves, from the first call on, and are cancelled at the end."""

    async def scenario() -> None:
        async with await isthmus.aconnect(in_database(mongodb_url)) as database:
            await cancelled_when_held(database.tables.list)

    run(loop, scenario)
    assert set(loop.still_open) == {False}


def test_a_loop_that_ends_closes_the_sockets_of_the_monitors(loop: HoldingLoop, mongodb_url: str) -> None:
    """Also where nobody closed the database in it."""

    async def scenario() -> None:
        databases.append(await isthmus.aconnect(in_database(mongodb_url)))
        await cancelled_when_held(databases[0].tables.list)

    databases: list[isthmus.AsyncDatabase] = []
    run(loop, scenario)
    asyncio.run(databases[0].close())
    assert set(loop.still_open) == {False}


def test_a_call_that_is_cancelled_closes_its_socket(loop: HoldingLoop, mongodb_url: str) -> None:
    """Of two calls at once the second takes one more connection."""

    async def scenario() -> None:
        async with await isthmus.aconnect(in_database(mongodb_url)) as database:
            table = await database.table(fresh_name(), partition_key="id").ensure()
            await cancelled_when_held(lambda: asyncio.gather(*(table.put({"id": key}) for key in "ab")))
            assert loop.still_open == [False]
            await table.drop()

    run(loop, scenario)
