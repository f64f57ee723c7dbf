"""Closing the sockets that the driver leaves open where a task is cancelled while it connects (PYTHON-5867)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import walk_tb
from typing import Any

from pymongo.asynchronous.mongo_client import AsyncMongoClient

# The driver's function that connects, and the name under which it has the socket.
_CONNECTS, _SOCKET = "_async_create_connection", "sock"


def close_unconnected(cancelled: asyncio.CancelledError) -> None:
    """Close the socket that was connecting when the cancellation came, if there is one."""
    for frame, _ in walk_tb(cancelled.__traceback__):
        if frame.f_code.co_name == _CONNECTS and _SOCKET in frame.f_locals:
            frame.f_locals[_SOCKET].close()


@contextmanager
def closing_unconnected(client: AsyncMongoClient[Any]) -> Iterator[None]:
    """Close what the client's own tasks leave: those that are cancelled within the block, or were before."""
    tasks: list[asyncio.Task[Any]] = []
    # A driver that keeps its tasks elsewhere may leave sockets open; closing goes on.
    with suppress(AttributeError):
        tasks += [task for task in _tasks(client) if task is not None]
    try:
        yield
    finally:
        for task in tasks:
            if task.cancelled():
                _close_unconnected_of(task)


def _tasks(client: AsyncMongoClient[Any]) -> Iterator[asyncio.Task[Any] | None]:
    # Nothing public leads there, and a loop that has ended no longer lists them.
    yield client._kill_cursors_executor._task  # noqa: SLF001
    for server in list(client._topology._servers.values()):  # noqa: SLF001
        for monitor in (server._monitor, server._monitor._rtt_monitor):  # noqa: SLF001
            yield monitor._executor._task  # noqa: SLF001


def _close_unconnected_of(task: asyncio.Task[Any]) -> None:
    try:
        task.exception()
    except asyncio.CancelledError as cancelled:
        close_unconnected(cancelled)
