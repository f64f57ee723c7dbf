"""What SQLite's errors become."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import isthmus
from isthmus import errors
from isthmus_sqlite import transactions
from isthmus_sqlite.backend import SQLiteBackend
from isthmus_sqlite.failures import missing_table, translate
from isthmus_sqlite.session import Session


def failure(code: int) -> sqlite3.Error:
    """An error as the driver raises it."""
    error = sqlite3.OperationalError("some text of SQLite's")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "expected", "retryable", "maybe_applied"),
    [
        (sqlite3.SQLITE_BUSY, errors.Conflict, False, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, errors.Conflict, True, False),
        (sqlite3.SQLITE_LOCKED, errors.Conflict, True, False),
        (sqlite3.SQLITE_CORRUPT, errors.IntegrityError, False, False),
        (sqlite3.SQLITE_NOTADB, errors.IntegrityError, False, False),
        (sqlite3.SQLITE_READONLY_DBMOVED, errors.Unavailable, False, False),
        (sqlite3.SQLITE_READONLY_DIRECTORY, errors.PermissionDenied, False, False),
        (sqlite3.SQLITE_FULL, errors.BackendError, False, False),
        (sqlite3.SQLITE_CANTOPEN, errors.Unavailable, False, False),
        (sqlite3.SQLITE_IOERR_FSYNC, errors.BackendError, False, True),
        (sqlite3.SQLITE_INTERRUPT, errors.DeadlineExceeded, False, False),
        (sqlite3.SQLITE_TOOBIG, errors.ItemTooLarge, False, False),
        (sqlite3.SQLITE_ERROR, errors.BackendError, False, False),
        (sqlite3.SQLITE_INTERNAL, errors.BackendError, False, True),
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


@pytest.mark.parametrize("error", [TypeError("x"), failure(sqlite3.SQLITE_IOERR_WRITE)], ids=["python", "disk"])
@pytest.mark.parametrize(
    "write",
    [
        lambda table: table.update(id="a", add={"n": 1}, upsert=True),
        lambda table: table.database.transact_write([table.actions.put({"id": "a"})]),
    ],
    ids=["update", "transaction"],
)
def test_what_fails_before_the_commit_applied_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception, write: Callable[[isthmus.BoundTable], object]
) -> None:
    """A transaction that was rolled back leaves no outcome open."""

    def fail(*_arguments: object) -> None:
        raise error

    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        monkeypatch.setattr(transactions, "store", fail)
        with pytest.raises(errors.BackendError) as caught:
            write(table)
        stored = table.scan().count()
    assert (caught.value.maybe_applied, stored) == (False, 0)


def test_a_commit_that_fails_may_have_applied_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails under a COMMIT, nobody knows."""

    def fail_commit(session: Session, statement: str, *arguments: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            raise failure(sqlite3.SQLITE_IOERR_FSYNC)
        return session.connection.execute(statement, *arguments)

    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        backend = database.backend
        assert isinstance(backend, SQLiteBackend)
        session = backend._sessions.take()
        monkeypatch.setattr(session, "execute", partial(fail_commit, session))
        with pytest.raises(errors.OutcomeUnknown):
            table.update(id="a", add={"n": 1}, upsert=True)


def test_missing_tables_are_recognised() -> None:
    """The words of this SQLite are the expected ones."""
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute('SELECT * FROM "a:1"')
    connection.close()
    assert missing_table(caught.value)


def test_missing_tables_of_the_catalogue_are_damage() -> None:
    """A table of the file's own is nothing that a caller could create."""
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("SELECT * FROM isthmus_tokens")
    connection.close()
    assert not missing_table(caught.value)
    assert isinstance(translate(caught.value, writes=True), errors.IntegrityError)
