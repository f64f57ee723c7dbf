"""An event loop that holds connections, and what is done meanwhile."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

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
