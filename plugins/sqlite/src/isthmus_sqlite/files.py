"""The file's own format: a new file is set up, any other than ours is refused before anything is written."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.errors import ConfigurationError, IntegrityError

# "Isth" as a number, stored in the file's header, tells our files from other SQLite databases.
APPLICATION_ID = 0x49737468
FORMAT = 1
TABLES = "isthmus_tables"
TOKENS = "isthmus_tokens"

# Ids are never used twice, so a statement made for a dropped table can't touch another one of its name.
_SET_UP = f"""
CREATE TABLE {TABLES} (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL);
CREATE TABLE {TOKENS} (token TEXT PRIMARY KEY, expires REAL NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""


def named(path: str | None) -> str:
    """A database in messages: a file by its path."""
    return "the database in memory" if path is None else f"the database file {path!r}"


def missing(path: str | None) -> IntegrityError:
    """The error for a file without one of its own tables."""
    return IntegrityError(f"a table of the catalogue of {named(path)} is missing: restore it from a backup")


def damaged(path: str | None) -> IntegrityError:
    """The error for a file that SQLite can't read."""
    return IntegrityError(
        f"{named(path)} is damaged or no SQLite database: restore it from a backup, or choose another file"
    )


def prepare(connection: sqlite3.Connection, path: str | None, patience: float) -> None:
    """Check the file, and set it up if it is empty.

    :param path: the file, for messages
    :param patience: longest wait for another process that sets it up at the same time, seconds
    :raises ConfigurationError: the file belongs to another program or to a newer version
    :raises IntegrityError: the file is damaged, or no database
    """
    _check_encoding(connection, path)
    if _ours(connection, path):
        return
    _use_log(connection, time.monotonic() + patience)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _ours(connection, path):
            for statement in _SET_UP.strip().splitlines():
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


@contextmanager
def _readable(path: str | None) -> Iterator[None]:
    """Tell a file that can't be a database from one that can't be read at the moment."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise damaged(path) from error


def _ours(connection: sqlite3.Connection, path: str | None) -> bool:
    """Whether the file was set up before; ``False`` when it is empty."""
    with _readable(path):
        application = _pragma(connection, "application_id")
        version = _pragma(connection, "user_version")
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    if application == APPLICATION_ID and names:
        _check_version(version, path)
        if not {TABLES, TOKENS} <= names:
            raise missing(path)
        return True
    if application or version or names:
        raise ConfigurationError(f"{named(path)} belongs to another program: choose another file")
    return False


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _check_encoding(connection: sqlite3.Connection, path: str | None) -> None:
    """Refuse a file of another encoding, which an empty one may have too: its strings would be in another order."""
    with _readable(path):
        encoding = connection.execute("PRAGMA encoding").fetchone()[0]
    if encoding != "UTF-8":
        raise ConfigurationError(f"the text of {named(path)} is {encoding}, not UTF-8: choose another file")


def _check_version(version: int, path: str | None) -> None:
    if version > FORMAT:
        raise ConfigurationError(
            f"{named(path)} has format {version}, this version reads {FORMAT}: upgrade isthmus-sqlite"
        )
    if version < 1:
        raise IntegrityError(f"the format version of {named(path)} is damaged: restore it from a backup")


def _use_log(connection: sqlite3.Connection, until: float) -> None:
    """Switch to write-ahead logging; SQLite does not wait for other processes here, so we do."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return
