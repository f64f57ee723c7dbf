"""Connections shared by threads: a bound, the most recently used first, and waiting in order of arrival."""

from __future__ import annotations

import threading
import time
from collections import deque

from isthmus_dynamodb.transports.answers import Answer
from isthmus_dynamodb.transports.blocking import BlockingConnection
from isthmus_dynamodb.transports.dialing import Dialer
from isthmus_dynamodb.transports.troubles import all_busy, closed

# A place in the pool: a connection, or room for one.
Slot = BlockingConnection | None


class _Waiter:
    """A thread in the queue; it is handed a slot, or told that there will be none."""

    def __init__(self) -> None:
        self.handed = threading.Event()
        self.slot: Slot = None
        self.refused = False


class Pool:
    """Carries out requests of any number of threads on a bounded number of connections."""

    def __init__(self, dialer: Dialer, size: int, *, wait: float, read_timeout: float) -> None:
        self._dialer = dialer
        self._url = dialer.endpoint.url
        self._size = size
        self._wait = wait
        self._read_timeout = read_timeout
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        # Room stands at the front and connections at the end, so that a used connection is always found first.
        self._slots: list[Slot] = [None] * self._size
        self._waiting: deque[_Waiter] = deque()

    def exchange(self, message: bytes, deadline: float | None) -> Answer:
        """The answer to a request.

        :raises NotSent, AnswerLost: as the connection says
        :raises Unavailable, DeadlineExceeded: no connection became free in time
        """
        connection = self._take(deadline)
        try:
            if connection is None or connection.stale:
                connection = self._renew(connection, deadline)
            end = time.monotonic() + self._read_timeout
            answer = connection.exchange(message, end if deadline is None or deadline > end else deadline)
        except BaseException:
            self._drop(connection)
            raise
        if answer.reusable:
            self._give(connection)
        else:
            self._drop(connection)
        return answer

    def _renew(self, old: Slot, deadline: float | None) -> BlockingConnection:
        if old is not None:
            old.close()
        if self._closed:
            raise closed()
        return BlockingConnection(self._dialer.dial(deadline), self._url)

    def _take(self, deadline: float | None) -> Slot:
        with self._lock:
            if self._closed:
                raise closed()
            if self._slots:
                return self._slots.pop()
            waiter = _Waiter()
            self._waiting.append(waiter)
        return self._await_turn(waiter, deadline)

    def _await_turn(self, waiter: _Waiter, deadline: float | None) -> Slot:
        wait = self._wait if deadline is None else min(self._wait, max(0.0, deadline - time.monotonic()))
        try:
            waiter.handed.wait(wait)
        except BaseException:
            if not self._leave(waiter) and not waiter.refused:
                self._drop(waiter.slot)
            raise
        if self._leave(waiter):
            raise all_busy(self._url, self._size, deadline)
        if waiter.refused:
            raise closed()
        return waiter.slot

    def _leave(self, waiter: _Waiter) -> bool:
        """Leave the queue; false if a slot was handed over before."""
        with self._lock:
            if waiter.handed.is_set():
                return False
            self._waiting.remove(waiter)
            return True

    def _give(self, connection: BlockingConnection) -> None:
        with self._lock:
            if not self._closed:
                self._pass_on(connection)
                return
        connection.close()

    def _drop(self, connection: Slot) -> None:
        if connection is not None:
            connection.close()
        with self._lock:
            self._pass_on(None)

    def _pass_on(self, slot: Slot) -> None:
        if self._waiting:
            waiter = self._waiting.popleft()
            waiter.slot = slot
            waiter.handed.set()
        elif slot is None:
            self._slots.insert(0, None)
        else:
            self._slots.append(slot)

    def close(self) -> None:
        """Close idle connections and refuse who waits; connections at work are closed when their request ends."""
        with self._lock:
            self._closed = True
            idle, self._slots = self._slots, [None] * len(self._slots)
            while self._waiting:
                waiter = self._waiting.popleft()
                waiter.refused = True
                waiter.handed.set()
        _close_all(idle)

    def forget(self) -> None:
        """Begin anew in a forked process; the parent goes on with its own connections."""
        inherited = self._slots
        self._start()
        # Closes this process's descriptors only: nothing is sent.
        _close_all(inherited)


def _close_all(slots: list[Slot]) -> None:
    for slot in slots:
        if slot is not None:
            slot.close()
