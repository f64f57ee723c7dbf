"""Nothing stays open when a task is cancelled while the driver connects, or while the database is closed."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import trustme

import isthmus
from isthmus.errors import Closed
from isthmus_mongodb.connecting import close_unconnected
from plugins.mongodb.tests.servers import fresh_name, in_database

# Connections are held where this is set: in a task, and in those that it starts.
HELD: ContextVar[asyncio.Event | None] = ContextVar("held", default=None)


class HoldingLoop(asyncio.SelectorEventLoop):
    """A loop on which some connections are not made before they are released, if ever."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[socket.socket] = []
        self.released = asyncio.Event()
        self.unreachable: int | None = None
        self.begun = asyncio.Event()

    @property
    def still_open(self) -> list[bool]:
        """Whether each socket that was held is still open."""
        return [sock.fileno() != -1 for sock in self.sockets]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect; before it, wait with a socket that is open."""
        if self.unreachable is not None:
            await self._reach(sock, address[1])
        held = HELD.get()
        if held is not None:
            self.sockets.append(sock)
            held.set()
            await self.released.wait()
        await super().sock_connect(sock, address)

    async def _reach(self, sock: socket.socket, port: int) -> None:
        """Have no answer from one port, and those of the others only after that."""
        if port == self.unreachable:
            self.sockets.append(sock)
            self.begun.set()
            await asyncio.Event().wait()
        await self.begun.wait()


@pytest.fixture
def loop() -> Iterator[HoldingLoop]:
    """A loop, with the sockets that it holds."""
    loop = HoldingLoop()
    yield loop
    for sock in loop.sockets:
        sock.close()


def run(loop: HoldingLoop, scenario: Callable[[], Any]) -> None:
    """Run a scenario on the loop, to its end; what it waits for comes within a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(bounded())


async def held_call(call: Callable[[], Awaitable[Any]]) -> asyncio.Task[None]:
    """A call of which a connection is held."""
    held = asyncio.Event()

    async def made() -> None:
        HELD.set(held)
        await call()

    task = asyncio.create_task(made())
    await held.wait()
    return task


async def one_turn() -> None:
    """Let the loop carry out what is ready."""
    await asyncio.sleep(0)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, which must end by that."""
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def cancelled_when_held(call: Callable[[], Awaitable[Any]]) -> None:
    """Make a call, and cancel it as soon as a connection of it is held."""
    await cancel(await held_call(call))


@contextmanager
def nothing_left() -> Iterator[None]:
    """What runs inside leaves nothing open to the garbage collector."""
    gc.collect()  # what others left is not looked for
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


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


def test_a_call_that_is_cancelled_after_it_was_connected_closes_its_connection(
    loop: HoldingLoop, mongodb_url: str
) -> None:
    """The driver takes a lock between the connection and its first message."""

    async def scenario() -> None:
        async with await isthmus.aconnect(in_database(mongodb_url)) as database:
            table = await database.table(fresh_name(), partition_key="id").ensure()
            first = asyncio.create_task(table.put({"id": "a"}))
            task = await held_call(lambda: table.put({"id": "b"}))
            await first
            (server,) = database.native()._topology._servers.values()  # the tests' replica set has one member
            async with server.pool.lock:
                loop.released.set()
                while not server.pool.lock._waiters:
                    await one_turn()
                task.cancel()
            await cancel(task)
            await one_turn()  # a transport closes its socket in a callback
            assert loop.still_open == [False]
            await table.drop()

    run(loop, scenario)


def test_a_database_whose_closing_is_cancelled_closes_its_clients(loop: HoldingLoop, mongodb_url: str) -> None:
    """While it waits for a call, and though nobody closes it again."""

    async def scenario() -> None:
        database = await isthmus.aconnect(in_database(mongodb_url))
        await database.tables.list()
        task = await held_call(lambda: asyncio.gather(database.tables.list(), database.tables.list()))
        closing = asyncio.create_task(database.close())
        await one_turn()
        with pytest.raises(Closed):
            await database.tables.list()
        await cancel(closing)
        await cancel(task)

    with nothing_left():
        run(loop, scenario)


def test_a_client_closes_though_who_waits_for_it_is_cancelled(
    loop: HoldingLoop, mongodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's own closing, cut off in its middle, would leave connections open."""

    async def scenario() -> None:
        database = await isthmus.aconnect(in_database(mongodb_url))
        await database.tables.list()
        client, begun, go_on = database.native(), asyncio.Event(), asyncio.Event()
        close = client.close

        async def close_slowly() -> None:
            begun.set()
            await go_on.wait()
            await close()

        monkeypatch.setattr("isthmus_mongodb.connecting._PATIENCE", 60.0)
        monkeypatch.setattr(client, "close", close_slowly)
        closing = asyncio.create_task(database.close())
        await begun.wait()
        asyncio.get_running_loop().call_soon(go_on.set)
        await cancel(closing)

    with nothing_left():
        run(loop, scenario)
        monkeypatch.undo()


@pytest.mark.parametrize("turns", range(12))
def test_a_loop_that_ends_while_a_database_is_closed_leaves_nothing(
    loop: HoldingLoop, mongodb_url: str, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cancels the driver's own closing, wherever that is."""

    async def scenario() -> None:
        database = await isthmus.aconnect(in_database(mongodb_url))
        await database.tables.list()
        client, begun = database.native(), asyncio.Event()
        close = client.close

        def close_noticed() -> Awaitable[None]:
            begun.set()
            closed: Awaitable[None] = close()
            return closed

        monkeypatch.setattr(client, "close", close_noticed)
        closing.append(asyncio.create_task(database.close()))
        await begun.wait()
        for _ in range(turns):
            await one_turn()

    closing: list[asyncio.Task[None]] = []
    with nothing_left():
        run(loop, scenario)
        closing.clear()
        monkeypatch.undo()


def test_a_call_that_is_cancelled_keeps_nothing_of_its_caller(loop: HoldingLoop, mongodb_url: str) -> None:
    """What the caller has is gone with the call, without the garbage collector."""

    class Kept:
        """What a caller has at hand."""

    async def called(database: isthmus.AsyncDatabase) -> None:
        kept = Kept()
        seen.append(weakref.ref(kept))
        await asyncio.gather(database.tables.list(), database.tables.list())

    async def scenario() -> None:
        async with await isthmus.aconnect(in_database(mongodb_url)) as database:
            await database.tables.list()
            gc.disable()
            try:
                await cancelled_when_held(lambda: called(database))
                await one_turn()
                assert [reference() for reference in seen] == [None]
            finally:
                gc.enable()

    seen: list[weakref.ref[Kept]] = []
    run(loop, scenario)


class Leaving(asyncio.Protocol):
    """Has a task cancelled in the moment in which its connection is made."""

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self.task = task

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket: socket.socket = transport.get_extra_info("socket")
        assert self.task is not None
        self.task.cancel()


def test_a_tls_connection_is_closed_though_the_server_does_not_agree() -> None:
    """The event loop's own closing would wait for that, and the loop may end before."""
    authority, over, context = trustme.CA(), threading.Event(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def serve() -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True):
            over.wait(60)

    async def connect() -> None:
        protocol = Leaving(asyncio.current_task())
        address = listener.getsockname()[:2]
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: protocol, *address, ssl=trusting, server_hostname="localhost"
            )
        except asyncio.CancelledError as cancelled:
            close_unconnected(cancelled)
        await one_turn()  # a transport closes its socket in a callback
        assert protocol.socket.fileno() == -1

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        try:
            asyncio.run(connect())
        finally:
            over.set()
            server.join()


@pytest.mark.parametrize(
    "interrupted",
    [
        "isthmus_mongodb.backend.server_of",
        "isthmus_mongodb.backend.Gate.wait",
        "isthmus_mongodb.blocking.end_sessions",
    ],
)
def test_an_interruption_leaves_no_client(mongodb_url: str, interrupted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a database is opened, or closed."""

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with nothing_left():
        monkeypatch.setattr(interrupted, interrupt)
        with pytest.raises(KeyboardInterrupt):
            isthmus.connect(in_database(mongodb_url)).close()


def test_a_server_that_is_none_of_the_set_leaves_no_socket(loop: HoldingLoop, mongodb_url: str) -> None:
    """The URL names it, it does not answer, and the others say that it does not belong to them."""

    async def scenario() -> None:
        parts = urlsplit(in_database(mongodb_url))
        url = urlunsplit(parts._replace(netloc=f"{parts.netloc},127.0.0.1:1"))
        async with await isthmus.aconnect(url) as database:
            loop.unreachable = 1
            await database.tables.list()
            await database.tables.list()
            assert loop.still_open == [False]

    run(loop, scenario)
