"""The catalogue: which tables the file holds, and the layouts that were read from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from isthmus.errors import AlreadyExists, IntegrityError, IsthmusError, SchemaMismatch, TableNotFound
from isthmus.schema import Table
from isthmus_sqlite.files import TABLES
from isthmus_sqlite.layout import Layout
from isthmus_sqlite.session import Session


class Catalogue:
    """Layouts by name.

    A layout that was read stays. When another process drops its table, statements fail because their SQL table is gone,
    and the backend forgets the layout then.
    """

    def __init__(self) -> None:
        # With each layout the declaration that it was last compared with: the same object needs no second comparison.
        self._known: dict[str, tuple[Table, Layout]] = {}

    def layout(self, table: Table, session: Session) -> Layout:
        """The layout of a declared table.

        :raises TableNotFound: it is not in the file
        :raises SchemaMismatch: it is there with other keys
        """
        known = self._known.get(table.name)
        if known is not None and known[0] is table:
            return known[1]
        layout = read(session, table.name) if known is None else known[1]
        if table.keys != layout.table.keys:
            raise mismatch(table, layout.table)
        if known is None and table == layout.table:
            # With the declaration itself inside, comparing them later takes no time.
            layout = Layout(table, layout.number)
        self._known[table.name] = (table, layout)
        return layout

    def forget(self, names: Iterable[str]) -> None:
        """Read these tables anew when they are next used."""
        for name in names:
            self._known.pop(name, None)


def mismatch(declared: Table, stored: Table) -> SchemaMismatch:
    """The error for a declaration that does not fit what is stored."""
    differences = declared.differences(stored)
    message = f"table {declared.name!r} is stored with another definition: {'; '.join(differences)}"
    return SchemaMismatch(message, differences=differences)


def read(session: Session, name: str) -> Layout:
    """The layout of a stored table.

    :raises TableNotFound: it is not in the file
    :raises IntegrityError: its definition is damaged
    """
    row = session.execute(f"SELECT id, definition FROM {TABLES} WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise TableNotFound(f"table {name!r} does not exist: create it with ensure()")
    message = f"the definition of table {name!r} is damaged: restore it from a backup"
    try:
        table = Table.from_dict(json.loads(row[1]))
    except (IsthmusError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(message) from error
    if table.name != name:
        raise IntegrityError(message)
    return Layout(table, row[0])


def names(session: Session) -> list[str]:
    """The names of all tables, in order."""
    return [name for (name,) in session.execute(f"SELECT name FROM {TABLES} ORDER BY name").fetchall()]


def create(session: Session, table: Table) -> None:
    """Create a table, inside a transaction.

    :raises AlreadyExists: there is one of that name
    """
    insert = f"INSERT INTO {TABLES} (name, definition) VALUES (?, ?)"
    try:
        number = session.execute(insert, (table.name, json.dumps(table.to_dict()))).lastrowid
    except sqlite3.IntegrityError:
        raise AlreadyExists(f"table {table.name!r} exists already: use ensure() to accept it") from None
    assert number is not None
    for statement in Layout(table, number).definition():
        session.execute(statement)


def drop(session: Session, name: str) -> None:
    """Remove a table with all its items, inside a transaction.

    :raises TableNotFound: it is not in the file
    """
    layout = read(session, name)
    session.execute(f"DROP TABLE {layout.name}")
    session.execute(f"DELETE FROM {TABLES} WHERE id = ?", (layout.number,))
