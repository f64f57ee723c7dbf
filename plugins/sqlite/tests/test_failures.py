"""What SQLite's errors become."""

from __future__ import annotations

import sqlite3

import pytest

from isthmus import errors
from isthmus_sqlite.failures import missing_table, translate


def failure(code: int) -> sqlite3.Error:
    """An error as the driver raises it."""
    error = sqlite3.OperationalError("some text of SQLite's")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "expected", "retryable", "maybe_applied"),
    [
        (sqlite3.SQLITE_BUSY, errors.Conflict, True, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, errors.Conflict, True, False),
        (sqlite3.SQLITE_LOCKED, errors.Conflict, True, False),
        (sqlite3.SQLITE_CORRUPT, errors.IntegrityError, False, False),
        (sqlite3.SQLITE_NOTADB, errors.IntegrityError, False, False),
        (sqlite3.SQLITE_READONLY_DBMOVED, errors.PermissionDenied, False, False),
        (sqlite3.SQLITE_FULL, errors.BackendError, False, False),
        (sqlite3.SQLITE_CANTOPEN, errors.Unavailable, False, False),
        (sqlite3.SQLITE_IOERR_FSYNC, errors.BackendError, False, True),
        (sqlite3.SQLITE_INTERRUPT, errors.DeadlineExceeded, False, False),
        (sqlite3.SQLITE_TOOBIG, errors.ItemTooLarge, False, False),
        (sqlite3.SQLITE_ERROR, errors.BackendError, False, True),
    ],
)
def test_kinds_of_errors(code: int, expected: type[errors.IsthmusError], retryable: bool, maybe_applied: bool) -> None:
    """Each kind says what failed, whether to repeat, and whether a write may have happened."""
    error = translate(failure(code), writes=True)
    assert error is not None
    assert (type(error), error.retryable, error.maybe_applied) == (expected, retryable, maybe_applied)


def test_a_failed_read_applied_nothing() -> None:
    """What only reads can't have been applied."""
    error = translate(failure(sqlite3.SQLITE_IOERR_READ), writes=False)
    assert error is not None
    assert not error.maybe_applied


def test_messages_hold_nothing_of_the_native_error() -> None:
    """SQLite's text may name values; it stays in the cause."""
    error = translate(failure(sqlite3.SQLITE_ERROR), writes=True)
    assert error is not None
    assert "some text" not in str(error.to_dict())


def test_foreign_exceptions_are_left_alone() -> None:
    """What is not the driver's is for others to translate."""
    assert translate(ValueError("x"), writes=True) is None


def test_missing_tables_are_recognised() -> None:
    """The words of this SQLite are the expected ones."""
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute('SELECT * FROM "a:1"')
    connection.close()
    assert missing_table(caught.value)
