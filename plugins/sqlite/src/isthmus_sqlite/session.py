"""One connection, and how operations use it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from isthmus.errors import DeadlineExceeded
from isthmus_sqlite.failures import unapplied

# SQLite's virtual machine steps between two looks at the clock.
_STEPS = 20_000


class Session:
    """One connection and the waiting time that it is set to.

    ``lock`` is held by every operation that uses the connection: closing a connection under a statement at work would
    kill the process. ``at_work`` tells whether there is one, and ``reading`` whether it may be interrupted.
    """

    __slots__ = ("__weakref__", "_busy", "_default", "at_work", "connection", "execute", "lock", "path", "reading")

    def __init__(self, connection: sqlite3.Connection, busy_timeout: float, path: str | None) -> None:
        self.connection, self.path = connection, path
        self.execute: Callable[..., sqlite3.Cursor] = connection.execute
        self.lock = threading.RLock()
        self.reading = self.at_work = False
        self._default = self._busy = int(busy_timeout * 1_000)

    def __del__(self) -> None:
        self.close()

    def interrupt(self) -> None:
        """Stop a read that is at work."""
        # An idle connection is left alone, and one whose thread ended meanwhile is closed.
        if self.at_work and self.reading:
            with suppress(sqlite3.ProgrammingError):
                self.connection.interrupt()

    def close(self) -> None:
        """Close the connection; the last one of a file folds its log into it."""
        # An interruption lasts until the next statement begins, and SQLite would not fold the log under it.
        with suppress(sqlite3.Error):
            self.connection.execute("SELECT 1").fetchall()
        self.connection.close()

    @contextmanager
    def held_until(self, deadline: float) -> Iterator[None]:
        """Hold the lock, and wait for it no longer than until ``deadline``, monotonic seconds.

        :raises DeadlineExceeded: other threads held it too long
        """
        if not self.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise DeadlineExceeded("the deadline passed while other threads were at work: allow a longer timeout")
        try:
            yield
        finally:
            self.lock.release()

    def allow(self, deadline: float | None) -> None:
        """Wait for other processes no longer than until ``deadline``, monotonic seconds."""
        wait = self._default
        if deadline is not None:
            wait = max(0, min(wait, int((deadline - time.monotonic()) * 1_000)))
        if wait != self._busy:
            self.execute(f"PRAGMA busy_timeout = {wait}")
            self._busy = wait

    @contextmanager
    def transaction(self, begin: str) -> Iterator[None]:
        """Everything inside is applied, or nothing."""
        try:
            self.execute(begin)
            try:
                yield
            except sqlite3.Error as error:
                failure = unapplied(error, self.path)
                if failure is None:
                    raise
                raise failure from error
            self.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    @contextmanager
    def interrupted_at(self, deadline: float | None) -> Iterator[None]:
        """Stop a statement that is still at work at ``deadline``."""
        if deadline is None:
            yield
            return
        self.connection.set_progress_handler(lambda: time.monotonic() >= deadline, _STEPS)
        try:
            yield
        finally:
            self.connection.set_progress_handler(None, 0)
