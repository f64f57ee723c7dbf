"""Threads that serve async databases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from isthmus.errors import Closed

A = TypeVar("A")
R = TypeVar("R")


class Workers:
    """A pool of threads, which start when they are first needed.

    :param threads: most threads
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._closed = False
        self._renew()

    def _renew(self) -> None:
        self._executor = ThreadPoolExecutor(self._threads, "isthmus-sqlite")
        self._process = os.getpid()

    async def run(self, function: Callable[[A], R], argument: A) -> R:
        """Call a function in a thread. One whose caller is cancelled still ends there.

        :raises Closed: the pool was closed, so the function was not called
        """
        # Threads don't survive a fork; without a lock, neither can one that was held at the fork.
        if self._process != os.getpid():
            self._renew()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, function, argument)
        except RuntimeError as error:
            if not self._closed:
                raise
            raise Closed("the database was closed, nothing was done: connect again") from error
        return await future

    def close(self) -> None:
        """Refuse new calls and wait for those that were made."""
        self._closed = True
        if self._process == os.getpid():
            self._executor.shutdown()
