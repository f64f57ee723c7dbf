"""Connections: one for each thread, none shared with a child process, closed with the database or with their thread."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from isthmus.errors import Closed, Conflict, DeadlineExceeded
from isthmus_sqlite import files
from isthmus_sqlite.failures import moved, unapplied
from isthmus_sqlite.options import Options

# Statements that a connection keeps prepared: a few for each table.
_STATEMENTS = 512
# SQLite's virtual machine steps between two looks at the clock.
_STEPS = 20_000
_LOG_BYTES = 67_108_864
_CLOSED = "the database was closed: connect again"


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
        self.closed = False
        self._identity: tuple[int, int] | None = None
        self._local: Any = threading.local()
        self._open: WeakSet[Session] = WeakSet()
        self._opening = threading.Lock()
        # Threads of one process queue here: SQLite itself lets them poll, which is slow and unfair.
        self._turn = threading.Lock()
        self._shared = self._connect() if path is None else None
        _living.add(self)

    def get(self) -> Session:
        """The current thread's session.

        :raises Closed: the database was closed
        """
        if self.closed:
            raise Closed(_CLOSED)
        try:
            session: Session = self._local.session
        except AttributeError:
            session = self._local.session = self._shared or self._connect()
        return session

    def admit(self, session: Session, *, writes: bool, deadline: float | None) -> None:
        """Begin an operation, whose thread holds the session's lock.

        :raises Closed: the database was closed
        """
        session.reading, session.at_work = not writes, True
        # Looked at after the line above: close() sets it first, so that it interrupts nothing but reads.
        if self.closed:
            session.at_work = False
            raise Closed(_CLOSED)
        if deadline is not None or session._busy != session._default:  # noqa: SLF001  # saves a call on each operation
            session.allow(deadline)

    @contextmanager
    def writing(self, session: Session, deadline: float | None) -> Iterator[None]:
        """No other thread of this process writes.

        :raises DeadlineExceeded: the others took too long
        :raises Unavailable: the file is not the one that was opened
        """
        if not self._turn.acquire(timeout=self._patience(deadline)):
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlineExceeded("the deadline passed while other threads were writing: allow a longer timeout")
            raise Conflict(
                "other threads were writing all the time: retry later, or raise the option busy_timeout",
                retryable=False,
            )
        try:
            self._check_file()
            if deadline is not None:
                session.allow(deadline)
            yield
        finally:
            self._turn.release()

    def _patience(self, deadline: float | None) -> float:
        limit = self._options.busy_timeout
        return limit if deadline is None else max(0.0, min(limit, deadline - time.monotonic()))

    def _check_file(self) -> None:
        """Refuse a path at which there is another file by now, or none: what is written would be lost."""
        if self._identity is not None and _identity(self.path) != self._identity:
            raise moved(self.path)

    def _connect(self) -> Session:
        with self._opening:
            if self.closed:
                raise Closed(_CLOSED)
            self._check_file()
            session = Session(self._connection(), self._options.busy_timeout, self.path)
            self._open.add(session)
            self._identity = self._identity or _identity(self.path)
            self._check_file()
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
            files.prepare(connection, self.path, options.busy_timeout)
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
        """Refuse new operations, wait for those at work, and close all connections. Reads are interrupted."""
        with self._opening:
            self.closed = True
            sessions = tuple(self._open)
        for session in sessions:
            session.interrupt()
        for session in sessions:
            with session.lock:
                # A signal's handler may close in the middle of its own thread's operation: its thread closes that one.
                if not session.at_work:
                    session.close()
        _living.discard(self)

    def before_fork(self) -> None:
        """Close the forking thread's connection, so that the child inherits none of its locks."""
        session = getattr(self._local, "session", None)
        if session is not None and self._shared is None:
            session.close()
            del self._local.session

    def after_fork(self) -> None:
        """In the child: forget the parent's connections; closing them would release locks of the child."""
        _inherited.extend(() if self._shared else self._open)
        self._open = WeakSet([self._shared] if self._shared else ())
        self._local = threading.local()
        self._opening, self._turn = threading.Lock(), threading.Lock()
        if self._shared is not None:
            self._shared.lock = threading.RLock()


def _identity(path: str | None) -> tuple[int, int] | None:
    """What tells a file from another one that takes its path; ``None`` when there is none."""
    if path is None:
        return None
    try:
        found = os.stat(path)  # noqa: PTH116  # half the time of Path.stat(), on each write
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
