"""What is damaged inside a file that SQLite itself can read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import F
from isthmus.errors import IntegrityError, InvalidStoredValue
from plugins.sqlite.tests.helpers import open_counters, url

READS: dict[str, Callable[[isthmus.BoundTable], Any]] = {
    "get": lambda table: table.get(id="a"),
    "projection": lambda table: table.get(id="a", select="n"),
    "scan": lambda table: list(table.scan()),
    "get_many": lambda table: table.get_many([{"id": "a"}]),
    "update": lambda table: table.update(id="a", set={"n": 2}),
}


@pytest.mark.parametrize("text", ["{bad", "[1]", '"text"', "5", b"{}", 7, ""])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_damaged_item_is_never_returned(text: object, read: Callable[[isthmus.BoundTable], Any]) -> None:
    """What is not the JSON of an item is an invalid stored value, on each way to read it."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        table.put({"id": "a", "n": 1})
        database.native().execute('UPDATE "counters:1" SET item = ?', (text,))
        with pytest.raises(InvalidStoredValue):
            read(table)


def test_a_damaged_item_under_a_filter() -> None:
    """SQLite's own complaint about the JSON is the same error."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        table.put({"id": "a", "n": 1})
        database.native().execute("""UPDATE "counters:1" SET item = '{bad'""")
        with pytest.raises(InvalidStoredValue):
            table.scan().where(F.n == 1).count()


def definition(**changes: Any) -> str:
    """A stored definition of the table ``counters``, changed."""
    return json.dumps({**isthmus.Table("counters", isthmus.Key("id")).to_dict(), **changes})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "{}", "[" * 100_000, definition(name="x!"), definition(name="others"),
     definition(partition_key="xx"), definition(indexes=5), definition(sort_key="x"), definition(ttl="id")],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_damaged_definition_is_damage(text: str) -> None:
    """Whatever is wrong with a stored definition, the file's integrity is."""
    with isthmus.connect("sqlite://") as database:
        database.table("counters", partition_key="id").ensure()
        database.native().execute("UPDATE isthmus_tables SET definition = ?", (text,))
        with pytest.raises(IntegrityError, match="counters"):
            database.tables.describe("counters")


@pytest.mark.parametrize("name", ["isthmus_tables", "isthmus_tokens"])
def test_a_missing_catalogue_is_found_when_the_file_is_opened(tmp_path: Path, name: str) -> None:
    """A file of ours without one of its own tables is damaged."""
    open_counters(tmp_path / "file.db")[0].close()
    with closing(sqlite3.connect(tmp_path / "file.db")) as connection:
        connection.execute(f"DROP TABLE {name}")
    with pytest.raises(IntegrityError, match="catalogue"):
        isthmus.connect(url(tmp_path / "file.db"))


def test_a_catalogue_that_goes_missing_later_is_damage_too() -> None:
    """It is no missing table of the caller's."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        database.native().execute("DROP TABLE isthmus_tokens")
        with pytest.raises(IntegrityError, match="catalogue"):
            database.transact_write([table.actions.put({"id": "a"})], token="t")
