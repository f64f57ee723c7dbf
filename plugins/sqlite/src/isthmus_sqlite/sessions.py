"""The connections of a database: operations take them and give them back; none is shared with a child process."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast
from weakref import WeakSet

from isthmus.errors import Closed, Conflict, DeadlineExceeded
from isthmus_sqlite import files
from isthmus_sqlite.failures import moved
from isthmus_sqlite.options import Options
from isthmus_sqlite.session import Session

# Statements that a connection keeps prepared: a few for each table.
_STATEMENTS = 512
# Most connections that wait for the next operation; what is beyond them is closed.
_IDLE = 32
_LOG_BYTES = 67_108_864
_CLOSED = "the database was closed: connect again"


class Sessions:
    """All sessions of one database.

    A file gets as many connections as operations are at work at the same time. The one that was given back last is
    taken first: its cache has what was read or written last, and a new thread need not connect. A database in memory
    has a single connection, which its threads take in turn.

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
        self._claimed = False
        self._idle: list[Session] = []
        self._open: WeakSet[Session] = WeakSet()
        self._opening = threading.Lock()
        # Threads of one process queue here: SQLite itself lets them poll, which is slow and unfair.
        self._turn = threading.RLock()
        self._shared = self._connect() if path is None else None
        _living.add(self)

    def take(self) -> Session:
        """A session for one operation, which gives it back.

        :raises Closed: the database was closed
        """
        if self.closed:
            raise Closed(_CLOSED)
        if self._claimed and (own := getattr(self._local, "session", None)) is not None:
            return cast("Session", own)
        try:
            return self._idle.pop()
        except IndexError:
            return self._shared or self._connect()

    def give_back(self, session: Session) -> None:
        """End an operation."""
        if session is self._shared or (self._claimed and session is getattr(self._local, "session", None)):
            return
        # One that is not kept is closed when nobody refers to it any more; close() may be about to do so.
        if not self.closed and len(self._idle) < _IDLE:
            self._idle.append(session)

    def claim(self) -> Session:
        """The session that only the current thread uses from now on.

        :raises Closed: the database was closed
        """
        session = self._local.session = self.take()
        self._claimed = True
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

    @property
    def shared(self) -> bool:
        """Whether all threads use one connection."""
        return self._shared is not None

    @contextmanager
    def turn(self, deadline: float | None) -> Iterator[None]:
        """No other thread of this process writes; a thread that has the turn may take it again.

        :raises DeadlineExceeded: the others took too long
        """
        if not self._turn.acquire(timeout=self._patience(deadline)):
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlineExceeded("the deadline passed while other threads were writing: allow a longer timeout")
            raise Conflict(
                "other threads were writing all the time: retry later, or raise the option busy_timeout",
                retryable=False,
            )
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def writing(self, session: Session, deadline: float | None) -> Iterator[None]:
        """No other thread of this process writes.

        :raises DeadlineExceeded: the others took too long
        :raises Unavailable: the file is not the one that was opened
        """
        with self.turn(deadline):
            self._check_file()
            if deadline is not None:
                session.allow(deadline)
            yield

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
        # An interruption, while this waits for one of them, leaves none of the others open.
        with ExitStack() as last:
            last.callback(_living.discard, self)
            for session in sessions:
                last.callback(_close, session)
            for session in sessions:
                session.interrupt()
            self._idle.clear()

    def before_fork(self) -> None:
        """Close what the forking thread may close, so that the child inherits none of those connections' locks."""
        session = self._local.__dict__.pop("session", None)
        if session is not None and session is not self._shared:
            session.close()
        while self._idle:
            session = self._idle.pop()
            with session.lock:
                session.close()

    def after_fork(self) -> None:
        """In the child: forget the parent's connections; closing them would release locks of the child."""
        _inherited.extend(() if self._shared else self._open)
        self._idle.clear()
        self._open = WeakSet([self._shared] if self._shared else ())
        self._local, self._claimed = threading.local(), False
        self._opening, self._turn = threading.Lock(), threading.RLock()
        if self._shared is not None:
            self._shared.lock = threading.RLock()


def _close(session: Session) -> None:
    with session.lock:
        # A signal's handler may close in the middle of its own thread's operation: its thread closes that one.
        if not session.at_work:
            session.close()


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
