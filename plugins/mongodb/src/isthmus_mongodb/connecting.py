"""Closing what the driver leaves open where a task is cancelled while it connects (PYTHON-5867), or while it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from traceback import walk_tb
from types import FrameType
from typing import Any

from pymongo.asynchronous.mongo_client import AsyncMongoClient

# How long a caller that is cancelled while it closes a client waits for the end of that, seconds.
_PATIENCE = 1.0

# The functions in which a cancellation leaves something open, where they are, and how to close it: the driver connects,
# the event loop makes a transport of the socket (one with TLS would take its leave of the server first), the driver
# greets the server.
_MODULES = ("pymongo.", "asyncio.")
_LEFT: dict[str, tuple[str, Callable[[Any], object]]] = {
    "_async_create_connection": ("sock", lambda sock: sock.close()),
    "_create_connection_transport": ("transport", lambda transport: transport.abort()),
    "connect": ("networking_interface", lambda connection: connection.get_conn.close()),
}


def close_unconnected(error: BaseException) -> None:
    """Close the connection that was being made when an error or a cancellation came, if there is one."""
    for frame in _frames(error):
        # Asking a frame that still runs for its variables would tie them to the error that is among them.
        if frame.f_code.co_name in _LEFT and frame.f_globals.get("__name__", "").startswith(_MODULES):
            name, close = _LEFT[frame.f_code.co_name]
            left = frame.f_locals.get(name)
            if left is not None:
                close(left)


def _frames(error: BaseException | None) -> Iterator[FrameType]:
    """The frames of an error, and of those in whose handling it came."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield from (frame for frame, _ in walk_tb(error.__traceback__))
        error = error.__context__


def watch_removed(client: AsyncMongoClient[Any]) -> None:
    """Close what is left by the tasks of servers that turn out to be none of the set's."""
    # A client that looks its servers up by name has no topology so far; a driver may keep its monitors elsewhere.
    with suppress(AttributeError):
        client._topology._monitor_tasks = _Removed(client._topology._monitor_tasks)  # noqa: SLF001  # nothing public


class _Removed(list[Any]):
    """Monitors of servers that were removed; the driver adds them before it cancels their tasks, and forgets them."""

    def append(self, monitor: Any) -> None:
        super().append(monitor)
        with suppress(AttributeError):
            for task in _begun(monitor, monitor._rtt_monitor):  # noqa: SLF001
                task.add_done_callback(_close_unconnected_of)


async def close_client(client: AsyncMongoClient[Any]) -> None:
    """Close a client and what its tasks leave open; a caller that is cancelled meanwhile does not stop it."""
    idle = _connections(client)
    with _closing_unconnected(client):
        closing = asyncio.create_task(client.close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            # Nobody may come to close it a second time.
            await asyncio.wait([closing], timeout=_PATIENCE)
            raise
        finally:
            if not closing.done() or closing.cancelled():
                _close_now(idle)
            else:
                closing.exception()  # one that nobody asks for would be logged


def _connections(client: AsyncMongoClient[Any]) -> list[Any]:
    """The connections that wait for a call; the driver forgets those that it was closing when it was cancelled."""
    found: list[Any] = []
    with suppress(AttributeError):
        for server in client._topology._servers.values():  # noqa: SLF001
            for pool in (server.pool, server._monitor._pool, server._monitor._rtt_monitor._pool):  # noqa: SLF001
                found += pool.conns
    return found


def _close_now(connections: list[Any]) -> None:
    for connection in connections:
        with suppress(AttributeError):
            connection.conn.get_conn.close()


@contextmanager
def _closing_unconnected(client: AsyncMongoClient[Any]) -> Iterator[None]:
    """Close what the client's own tasks leave: those that are cancelled within the block, or were before."""
    tasks: list[asyncio.Task[Any]] = []
    # A driver that keeps its tasks elsewhere may leave sockets open; closing goes on.
    with suppress(AttributeError):
        tasks += _tasks(client)
    try:
        yield
    finally:
        for task in tasks:
            if task.done():
                _close_unconnected_of(task)
            else:
                task.add_done_callback(_close_unconnected_of)


def _tasks(client: AsyncMongoClient[Any]) -> Iterator[asyncio.Task[Any]]:
    # Nothing public leads there, and a loop that has ended no longer lists them.
    if client._kill_cursors_executor._task is not None:  # noqa: SLF001
        yield client._kill_cursors_executor._task  # noqa: SLF001
    for server in list(client._topology._servers.values()):  # noqa: SLF001
        yield from _begun(server._monitor, server._monitor._rtt_monitor)  # noqa: SLF001


def _begun(*monitors: Any) -> Iterator[asyncio.Task[Any]]:
    """The tasks of monitors, where they have begun."""
    yield from (monitor._executor._task for monitor in monitors if monitor._executor._task is not None)  # noqa: SLF001


def _close_unconnected_of(task: asyncio.Task[Any]) -> None:
    if task.cancelled():
        try:
            task.exception()
        except asyncio.CancelledError as cancelled:
            close_unconnected(cancelled)
