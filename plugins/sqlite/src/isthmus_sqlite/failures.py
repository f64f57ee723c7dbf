"""What SQLite's errors mean."""

from __future__ import annotations

import sqlite3

from isthmus.errors import (
    BackendError,
    Closed,
    Conflict,
    DeadlineExceeded,
    IntegrityError,
    IsthmusError,
    ItemTooLarge,
    PermissionDenied,
    Unavailable,
)

_LOCKED = "another process holds the database's write lock: retry, or raise the option busy_timeout"
_DAMAGED = "the file is damaged or no SQLite database: restore it from a backup"
_READ_ONLY = "the database can't be written: check the permissions of the file and of its folder"


def translate(error: Exception, *, writes: bool) -> IsthmusError | None:
    """The error of the tree for one of ``sqlite3``, or ``None`` if it is not one of its.

    SQLite rolls back what it refuses, so nothing was applied, except where writing the log itself failed.

    :param writes: whether the operation writes
    """
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return Closed("the database was closed: connect again")
    if not isinstance(error, sqlite3.Error):
        return None
    # The low byte is the kind; the rest tells where inside SQLite it arose.
    return _by_kind(getattr(error, "sqlite_errorcode", 0) & 0xFF, writes)


def _by_kind(kind: int, writes: bool) -> IsthmusError:  # noqa: PLR0911  # a table
    match kind:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_SCHEMA:
            return Conflict(_LOCKED)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return IntegrityError(_DAMAGED)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return PermissionDenied(_READ_ONLY)
        case sqlite3.SQLITE_FULL:
            return BackendError("the disk is full, nothing was written: free some space")
        case sqlite3.SQLITE_CANTOPEN:
            return Unavailable("the database file can't be opened: check that its folder exists", retryable=False)
        case sqlite3.SQLITE_IOERR:
            return BackendError("reading or writing the database file failed: check the disk", maybe_applied=writes)
        case sqlite3.SQLITE_INTERRUPT:
            return DeadlineExceeded("the deadline passed while SQLite was at work: allow a longer timeout")
        case sqlite3.SQLITE_TOOBIG:
            return ItemTooLarge("the item is larger than SQLite can hold: split it")
        case _:
            return BackendError("SQLite failed: see the cause", maybe_applied=writes)


def missing_table(error: sqlite3.OperationalError) -> bool:
    """Whether a statement named a SQL table that is not there (any more)."""
    return str(error).startswith("no such table")
