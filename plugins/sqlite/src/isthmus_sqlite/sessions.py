"""Connections: one for each thread, none shared with a child process, closed with the database or with their thread."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from isthmus.errors import Closed, Conflict, DeadlineExceeded
from isthmus_sqlite import files
from isthmus_sqlite.options import Options

# Statements that a connection keeps prepared: a few for each table.
_STATEMENTS = 512
# SQLite's virtual machine steps between two looks at the clock.
_STEPS = 20_000
_LOG_BYTES = 67_108_864


class Session:
    """One connection and the waiting time that it is set to."""

    __slots__ = ("__weakref__", "_busy", "_default", "connection", "execute")

    def __init__(self, connection: sqlite3.Connection, busy_timeout: float) -> None:
        self.connection = connection
        self.execute: Callable[..., sqlite3.Cursor] = connection.execute
        self._default = self._busy = int(busy_timeout * 1_000)

    def __del__(self) -> None:
        self.connection.close()

    def allow(self, deadline: float | None) -> None:
        """Wait for locks no longer than until ``deadline``, monotonic seconds."""
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
            yield
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


class Sessions:
    """All sessions of one database.

    A file gets a connection for each thread. A database in memory has a single one, which its threads take in turn.

    :param path: the file, or ``None`` for memory
    :param functions: SQL functions to offer: name, number of arguments, function
    """

    def __init__(
        self, path: str | None, options: Options, functions: tuple[tuple[str, int, Callable[..., Any]], ...]
    ) -> None:
        self.path = path
        self._options = options
        self._functions = functions
        self._closed = False
        self._local: Any = threading.local()
        self._open: WeakSet[Session] = WeakSet()
        self._opening = threading.Lock()
        # Threads of one process queue here: SQLite itself lets them poll, which is slow and unfair.
        self._turn = threading.Lock()
        self.memory_lock = threading.RLock()
        self._shared = self._connect() if path is None else None
        _living.add(self)

    def get(self, deadline: float | None = None) -> Session:
        """The current thread's session."""
        try:
            session: Session = self._local.session
        except AttributeError:
            session = self._local.session = self._shared or self._connect()
        if deadline is not None or session._busy != session._default:  # noqa: SLF001  # saves a call on each operation
            session.allow(deadline)
        return session

    @contextmanager
    def writing(self, deadline: float | None) -> Iterator[Session]:
        """The current thread's session, with no other thread of this process writing.

        :raises DeadlineExceeded: the others took too long
        """
        session = self.get(deadline)
        if not self._turn.acquire(timeout=self._patience(deadline)):
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlineExceeded("the deadline passed while other threads were writing: allow a longer timeout")
            raise Conflict("other threads were writing all the time: retry, or raise the option busy_timeout")
        try:
            if deadline is not None:
                session.allow(deadline)
            yield session
        finally:
            self._turn.release()

    def _patience(self, deadline: float | None) -> float:
        limit = self._options.busy_timeout
        return limit if deadline is None else max(0.0, min(limit, deadline - time.monotonic()))

    def _connect(self) -> Session:
        with self._opening:
            if self._closed:
                raise Closed("the database was closed: connect again")
            session = Session(self._connection(), self._options.busy_timeout)
            self._open.add(session)
            return session

    def _connection(self) -> sqlite3.Connection:
        options = self._options
        connection = sqlite3.connect(
            self.path or ":memory:",
            timeout=options.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        try:
            files.prepare(connection, options.busy_timeout)
            for setting in self._settings():
                connection.execute(f"PRAGMA {setting}")
            for name, arguments, function in self._functions:
                connection.create_function(name, arguments, function, deterministic=True)
        except BaseException:
            connection.close()
            raise
        return connection

    def _settings(self) -> tuple[str, ...]:
        options = self._options
        # fullfsync matters on macOS only, where an ordinary fsync leaves data in the drive's cache.
        return (
            f"synchronous = {options.synchronous}",
            f"cache_size = {-int(options.cache_mb * 1_024)}",
            f"fullfsync = {int(options.synchronous == 'full')}",
            f"journal_size_limit = {_LOG_BYTES}",
            "trusted_schema = OFF",
        )

    def close(self) -> None:
        """Close all connections."""
        with self._opening:
            self._closed = True
            for session in tuple(self._open):
                session.connection.close()
        _living.discard(self)

    def before_fork(self) -> None:
        """Close the forking thread's connection, so that the child inherits none of its locks."""
        session = getattr(self._local, "session", None)
        if session is not None and self._shared is None:
            session.connection.close()
            del self._local.session

    def after_fork(self) -> None:
        """In the child: forget the parent's connections; closing them would release locks of the child."""
        _inherited.extend(() if self._shared else self._open)
        self._open = WeakSet([self._shared] if self._shared else ())
        self._local = threading.local()
        self._opening, self._turn, self.memory_lock = threading.Lock(), threading.Lock(), threading.RLock()


_living: WeakSet[Sessions] = WeakSet()
_inherited: list[Session] = []


def _before_fork() -> None:
    for sessions in tuple(_living):
        sessions.before_fork()


def _after_fork() -> None:
    for sessions in tuple(_living):
        sessions.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
