"""Connections shared by the tasks of one event loop: a bound, the most recently used first, and waiting in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator

from isthmus_dynamodb.transports.answers import Answer
from isthmus_dynamodb.transports.dialing import Dialer
from isthmus_dynamodb.transports.streaming import StreamConnection, open_stream
from isthmus_dynamodb.transports.troubles import all_busy, closed

# A place in the pool: a connection, or room for one.
Slot = StreamConnection | None


class AsyncPool:
    """Carries out requests of any number of tasks of one loop on a bounded number of connections."""

    def __init__(self, dialer: Dialer, size: int, *, wait: float, read_timeout: float) -> None:
        self._dialer = dialer
        self._url = dialer.endpoint.url
        self._size = size
        self._wait = wait
        self._read_timeout = read_timeout
        # Room stands at the front and connections at the end, so that a used connection is always found first.
        self._slots: list[Slot] = [None] * size
        self._waiting: deque[asyncio.Future[Slot]] = deque()
        self._closed = False
        self._ending: AsyncGenerator[None, None] | None = None

    async def exchange(self, message: bytes, deadline: float | None) -> Answer:
        """The answer to a request. When it is cancelled, its connection is closed.

        :raises NotSent, AnswerLost: as the connection says
        :raises Unavailable, DeadlineExceeded: no connection became free in time
        """
        connection = self._slots.pop() if self._slots and not self._closed else await self._queue(deadline)
        try:
            if connection is None or connection.stale:
                connection = await self._renew(connection, deadline)
            end = time.monotonic() + self._read_timeout
            answer = await connection.exchange(message, end if deadline is None or deadline > end else deadline)
        except BaseException:
            self._give(connection, usable=False)
            raise
        self._give(connection, usable=answer.reusable)
        return answer

    async def _renew(self, old: Slot, deadline: float | None) -> StreamConnection:
        if old is not None:
            old.close()
        if self._closed:
            raise closed()
        return await open_stream(self._dialer, deadline)

    async def _queue(self, deadline: float | None) -> Slot:
        if self._closed:
            raise closed()
        turn: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        wait = self._wait if deadline is None else min(self._wait, max(0.0, deadline - time.monotonic()))
        try:
            async with asyncio.timeout(wait):
                return await turn
        except TimeoutError:
            raise self._gave_up(turn, all_busy(self._url, self._size, deadline)) from None
        except asyncio.CancelledError as error:
            raise self._gave_up(turn, error) from None

    def _gave_up(self, turn: asyncio.Future[Slot], error: BaseException) -> BaseException:
        """Leave the queue; a slot that was handed over in the same moment goes to the next."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif not turn.cancelled() and turn.exception() is None:
            self._give(turn.result(), usable=True)
        return error

    def _give(self, connection: Slot, *, usable: bool) -> None:
        if connection is not None and (self._closed or not usable):
            connection.close()
            connection = None
        self._pass_on(connection)

    def _pass_on(self, slot: Slot) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(slot)
                return
        if slot is None:
            self._slots.insert(0, None)
        else:
            self._slots.append(slot)

    def close(self) -> None:
        """Close idle connections and refuse who waits; connections at work are closed when their request ends."""
        self._closed = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(closed())
        self._close_idle()

    async def close_with_loop(self) -> None:
        """Have idle connections closed when the running loop ends, also where nobody closes this pool on it."""
        self._ending = self._until_the_end()
        await anext(self._ending)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        # A loop closes the generators that have begun on it before it ends itself.
        try:
            yield
        finally:
            self._close_idle()
            # Transports close their sockets in a callback.
            await asyncio.sleep(0)

    def _close_idle(self) -> None:
        idle, self._slots = self._slots, [None] * len(self._slots)
        for slot in idle:
            if slot is not None:
                slot.close()
