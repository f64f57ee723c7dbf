"""Nothing stays open when a task is cancelled while the driver connects."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
import weakref
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import trustme

import isthmus
from isthmus_mongodb.connecting import close_unconnected
from plugins.mongodb.tests.holding import (
    HoldingLoop,
    cancel,
    cancelled_when_held,
    held_call,
    one_turn,
    run,
)
from plugins.mongodb.tests.servers import fresh_name, in_database


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
