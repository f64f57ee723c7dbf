"""Slow work that several callers want at once: one thread does it, and each caller waits within its own time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class NoThread(OSError):
    """The system allows no other thread now."""


class SharedWork:
    """Runs each piece of work once at a time, however many ask for it; safe to use from several threads.

    Its threads are no reason for a process to stay alive: what hangs in them is left behind.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Any]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        """The result of the work with this key that runs already, or of ``work``, which starts now.

        It is ``NoThread`` where no thread can be had.
        """
        with self._lock:
            future: Future[T] | None = self._running.get(key)
            if future is None:
                future = Future()
                # Nobody who waits for it can cancel it from here on.
                future.set_running_or_notify_cancel()
                self._begin(key, future, work)
            return future

    def _begin(self, key: Hashable, future: Future[T], work: Callable[[], T]) -> None:
        arguments = (key, future, work)
        try:
            threading.Thread(target=self._carry_out, args=arguments, daemon=True, name="isthmus-dynamodb").start()
        except RuntimeError as error:
            future.set_exception(NoThread(str(error)))
        else:
            self._running[key] = future

    def _carry_out(self, key: Hashable, future: Future[T], work: Callable[[], T]) -> None:
        try:
            result = work()
        except BaseException as error:
            self._leave(key)
            future.set_exception(error)
        else:
            self._leave(key)
            future.set_result(result)

    def _leave(self, key: Hashable) -> None:
        with self._lock:
            del self._running[key]


def wait_for(future: Future[T], end: float | None) -> T:
    """The result of shared work.

    :param end: on the monotonic clock; ``None`` waits as long as it takes
    :raises TimeoutError: it did not end in time; it goes on
    """
    return future.result(_left(end))


async def await_for(future: Future[T], end: float | None) -> T:
    """As ``wait_for``, on an event loop."""
    async with asyncio.timeout(_left(end)):
        return await asyncio.wrap_future(future)


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())
