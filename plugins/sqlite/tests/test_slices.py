"""Ranges of keys: damaged rows, and keys of each type."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import Database, Key, Table
from isthmus.slices import SegmentReader, SliceReader, slice_reader
from tests.slices.reading import count_all, read_all

KEYS: dict[str, tuple[Key, list[Any]]] = {
    "string": (Key("id", "string"), ["a", "aé", "z", "\U0001f600", *(f"n{n}" for n in range(40))]),
    "binary": (Key("id", "binary"), [b"\0", b"\0\0", b"\xff", *(bytes([n, 0]) for n in range(1, 40))]),
    "number": (Key("id", "number"), [0, -1, Decimal("1E-130"), 10**37, *(Decimal(n) / 8 for n in range(1, 40))]),
}


def _damage(database: Database, table: Table, text: object, where: str) -> None:
    database.native().execute(f'UPDATE "{table.name}:1" SET item = ? WHERE {where}', (text,))


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_each_type(kind: str) -> None:
    """Their bounds are what the columns hold."""
    key, values = KEYS[kind]
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key=key).ensure()
        table.put_many([{"id": value} for value in values]).raise_for_failures()
        found = read_all(database, table.schema, wanted=5, items=3, chance=random.Random(0))
    assert (found.items, found.units) == ({(value,): 1 for value in values}, 5)


@pytest.mark.parametrize("reader_of", [slice_reader, SegmentReader])
@pytest.mark.parametrize("items", [1, 2, 50])
def test_damaged_items_are_reported_once_with_their_text(items: int, reader_of: Callable[..., SliceReader]) -> None:
    """Also at the ends of slices, in a row, and behind a layer, where segments are read."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": f"i{number:02}"} for number in range(12)]).raise_for_failures()
        for number, text in ((0, "{bad"), (4, b"\xff{}"), (5, "[1]"), (11, "")):
            _damage(database, table.schema, text, f"k0 = 'i{number:02}'")
        found = read_all(database, table.schema, wanted=3, items=items, chance=random.Random(0), reader_of=reader_of)
        assert sum(count_all(database, table.schema, wanted=3, items=items, reader_of=reader_of)) == 12
    assert found.items == {(f"i{number:02}",): 1 for number in range(12) if number not in (0, 4, 5, 11)}
    assert {(str((one.key or {})["id"]), one.original, one.form) for one in found.unreadable} == {
        ("i00", b"{bad", "isthmus-json"), ("i04", b"\xff{}", "isthmus-json"), ("i05", b"[1]", "isthmus-json"),
        ("i11", b"", "isthmus-json"),
    }  # fmt: skip
    assert (len(found.unreadable), found.largest <= items) == (4, True)


def test_a_row_whose_key_cannot_be_read_has_its_place() -> None:
    """A slice that ends at it goes on behind it."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key=("id", int)).ensure()
        table.put_many([{"id": number} for number in range(6)]).raise_for_failures()
        connection = database.native()
        for value in (b"\x01", 7, "text"):
            connection.execute("""INSERT INTO "things:1" (k0, item) VALUES (?, '{')""", (value,))
        found = read_all(database, table.schema, wanted=4, items=1, chance=random.Random(0))
    assert found.items == {(number,): 1 for number in range(6)}
    assert [one.key for one in found.unreadable] == [None, None, None]


def test_a_count_does_not_mind_what_is_deleted_in_its_middle(tmp_path: Path) -> None:
    """How many items there are, and where it ends, are of one moment."""
    with (
        isthmus.connect(f"sqlite:///{tmp_path}/things.db") as database,
        closing(sqlite3.connect(tmp_path / "things.db", isolation_level=None)) as other,
    ):
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": f"i{number}"} for number in range(6)]).raise_for_failures()
        deleted = list[int]()

        def delete(statement: str) -> None:
            if "OFFSET" in statement:
                deleted.append(other.execute('DELETE FROM "things:1"').rowcount)

        database.native().set_trace_callback(delete)
        reader = slice_reader(database, table.schema)
        found = reader.count(reader.units(1)[0], None, items=4)
    assert (found.count, found.cursor is None, deleted) == (4, False, [6])


def test_units_are_of_about_one_size() -> None:
    """So that workers end together."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": f"{number % 3}{number}"} for number in range(100)]).raise_for_failures()
        reader = slice_reader(database, table.schema)
        sizes = [len(reader.read(unit, None, items=100).items) for unit in reader.units(4)]
    assert sizes == [25, 25, 25, 25]
