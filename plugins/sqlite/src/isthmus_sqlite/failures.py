"""What SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from isthmus.errors import (
    BackendError,
    Closed,
    Conflict,
    DeadlineExceeded,
    InvalidStoredValue,
    IsthmusError,
    ItemTooLarge,
    PermissionDenied,
    Unavailable,
)
from isthmus.operations import Operation
from isthmus_sqlite.files import damaged, missing, named

_LOCKED = "another process holds the database's write lock: retry later, or raise the option busy_timeout"
_WAITED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_TIMEOUT)
# SQLite waits for whole milliseconds, so it may give up a little before a deadline, seconds.
_ROUNDING = 0.01


def translate(error: Exception, *, writes: bool, path: str | None = None) -> IsthmusError | None:
    """The error of the tree for one of ``sqlite3``, or ``None`` if it is not one of its.

    SQLite rolls back what it refuses, so nothing was applied, except where writing the log itself failed.

    :param writes: whether the operation writes
    :param path: the database file, or ``None`` for memory
    """
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return Closed("the database was closed: connect again")
    if not isinstance(error, sqlite3.Error):
        return None
    return _by_text(str(error), path) or _by_code(getattr(error, "sqlite_errorcode", 0), writes, path)


def unapplied(error: sqlite3.Error, path: str | None) -> IsthmusError | None:
    """The error for one that undid its transaction, if it does not tell by itself that nothing was applied."""
    failure = None if missing_table(error) else translate(error, writes=True, path=path)
    return translate(error, writes=False, path=path) if failure is not None and failure.maybe_applied else None


def interrupted(error: Exception) -> bool:
    """Whether a statement was stopped from outside."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_INTERRUPT


def busy(error: Exception) -> bool:
    """Whether a statement waited for another process as long as it was allowed to."""
    return getattr(error, "sqlite_errorcode", 0) in _WAITED


def moved(path: str | None) -> Unavailable:
    """The error for a file that was replaced or removed while it was open."""
    return Unavailable(
        f"{named(path)} was replaced or removed while it was open, nothing was written: connect again",
        retryable=False,
    )


def _by_text(text: str, path: str | None) -> IsthmusError | None:
    if "malformed JSON" in text:
        return InvalidStoredValue(f"an item stored in {named(path)} is no JSON text: restore the file from a backup")
    if text.startswith("no such table: isthmus_"):
        return missing(path)
    return None


def _by_code(code: int, writes: bool, path: str | None) -> IsthmusError:
    # The wait is over already: repeating it would multiply what the caller allowed.
    if code in _WAITED:
        return Conflict(_LOCKED, retryable=False)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return moved(path)
    # The low byte is the kind; the rest tells where inside SQLite it arose.
    return _by_kind(code & 0xFF, writes, path)


def _by_kind(kind: int, writes: bool, path: str | None) -> IsthmusError:  # noqa: PLR0911  # a table
    match kind:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_SCHEMA:
            return Conflict(_LOCKED)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return damaged(path)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return PermissionDenied(f"{named(path)} can't be written: check its permissions and those of its folder")
        case sqlite3.SQLITE_FULL:
            return BackendError(f"the disk is full, {named(path)} was not written: free some space")
        case sqlite3.SQLITE_CANTOPEN:
            return Unavailable(f"{named(path)} can't be opened: {_obstacle(path)}", retryable=False)
        case sqlite3.SQLITE_IOERR:
            return BackendError(f"reading or writing {named(path)} failed: check the disk", maybe_applied=writes)
        case sqlite3.SQLITE_INTERRUPT:
            return DeadlineExceeded("the deadline passed while SQLite was at work: allow a longer timeout")
        case sqlite3.SQLITE_TOOBIG:
            return ItemTooLarge("the item is larger than SQLite can hold: split it")
        case 0 | sqlite3.SQLITE_ERROR:
            return BackendError("SQLite refused the statement, nothing was applied: see the cause")
        case _:
            return BackendError("SQLite failed: see the cause", maybe_applied=writes)


def _obstacle(path: str | None) -> str:
    """Why a file can't be opened, and what to do; SQLite does not tell."""
    file = Path(path or "")
    folder = str(file.parent)
    if os.path.isdir(file):  # noqa: PTH112  # Path.is_dir() fails in a folder that may not be searched
        return "it is a directory, name a file in it"
    if not os.access(folder, os.F_OK):
        return f"the folder {folder!r} does not exist, create it first"
    if not os.path.isdir(folder):  # noqa: PTH112
        return f"{folder!r} is no folder, check the path"
    if not os.access(path or "", os.R_OK) and (os.path.lexists(file) or not os.access(folder, os.W_OK | os.X_OK)):
        return "there is no permission, check those of the file and of its folder"
    return "check its name, and the file system"


def missing_table(error: Exception) -> bool:
    """Whether a statement named the SQL table of items that are not there (any more)."""
    text = str(error)
    return isinstance(error, sqlite3.OperationalError) and text.startswith("no such table") and ":" in text[15:]


def meaning(error: Exception, operation: Operation, *, closed: bool, path: str | None) -> IsthmusError:
    """What an operation ends with after any error that is none of the tree.

    :param closed: whether the database was closed meanwhile
    """
    if interrupted(error) and closed:
        return Closed("the database was closed while this operation was at work: connect again")
    deadline = operation.context.deadline
    if busy(error) and deadline is not None and time.monotonic() >= deadline - _ROUNDING:
        return DeadlineExceeded("the deadline passed while another process was writing: allow a longer timeout")
    # What is not SQLite's own was raised before a statement or a COMMIT, so nothing was applied.
    return translate(error, writes=operation.writes, path=path) or BackendError(
        f"sqlite failed with {type(error).__name__}, nothing was applied: see the cause"
    )
