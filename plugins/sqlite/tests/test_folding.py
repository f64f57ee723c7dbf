"""A closed database is one file that holds everything."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import isthmus
from isthmus import F
from isthmus.errors import Closed
from isthmus.expressions import any_of
from plugins.sqlite.tests.helpers import open_counters, url

ITEMS = 2_000


def filled(path: Path) -> tuple[isthmus.Database, isthmus.BoundTable]:
    """A database whose items are still in the log."""
    database, table = open_counters(path, "?synchronous=off")
    table.put_many([{"id": str(number), "text": "x" * 100} for number in range(ITEMS)])
    return database, table


def items_of_the_file_alone(path: Path) -> int:
    """How many items a copy of the main file holds."""
    alone = path.parent / "alone" / path.name
    alone.parent.mkdir()
    shutil.copy(path, alone)
    with isthmus.connect(url(alone)) as database:
        return database.tables.open("counters").scan().count()


def in_a_thread(table: isthmus.BoundTable) -> None:
    """A read whose connection belongs to a thread that is still there."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(table.find, id="1").result()


@pytest.mark.parametrize(
    "last",
    [
        lambda table: table.put({"id": "1"}),
        lambda table: table.get(id="1"),
        lambda table: table.get(id="1", timeout=5),
        lambda table: list(table.query(id="1")),
        lambda table: table.scan().page(size=1),
        lambda table: table.database.tables.list(),
        in_a_thread,
    ],
    ids=["put", "get", "get with a timeout", "query", "page", "list", "thread"],
)
def test_closing_leaves_one_file(tmp_path: Path, last: Callable[[isthmus.BoundTable], object]) -> None:
    """The log is folded into the file, whatever the last operation was."""
    database, table = filled(tmp_path / "file.db")
    last(table)
    database.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]
    assert items_of_the_file_alone(tmp_path / "file.db") == ITEMS


@pytest.mark.parametrize("last", ["get", "query"])
def test_closing_an_async_database_leaves_one_file(tmp_path: Path, last: str) -> None:
    """The connections of its threads are closed in order too."""

    async def write_and_read() -> None:
        database = await isthmus.aconnect(url(tmp_path / "file.db", "?synchronous=off"))
        table = await database.table("counters", partition_key="id").ensure()
        await table.put_many([{"id": str(number), "text": "x" * 100} for number in range(ITEMS)])
        await (table.get(id="1") if last == "get" else table.query(id="1").page(size=1))
        await database.close()

    asyncio.run(write_and_read())
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]
    assert items_of_the_file_alone(tmp_path / "file.db") == ITEMS


def test_an_interrupted_read_leaves_one_file(tmp_path: Path) -> None:
    """An interruption ends the read, and not what SQLite does when the connection is closed."""
    database, table = filled(tmp_path / "file.db")
    slow = any_of(F.text.contains(f"{number}y") for number in range(100))

    def read() -> None:
        while True:
            table.scan().where(slow).count()

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        time.sleep(0.1)
        database.close()
        with pytest.raises(Closed):
            reading.result(60)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.db"]
    assert items_of_the_file_alone(tmp_path / "file.db") == ITEMS
