"""``blocking``: an opened database for code that blocks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import isthmus
from isthmus.errors import Closed


def test_an_async_database_can_be_used_by_threads(tmp_path: Path) -> None:
    """Both views are of one database: what one writes, the other reads."""

    def write(database: isthmus.Database) -> None:
        database.table("notes", partition_key="id").ensure().put({"id": "1"})

    async def steps() -> None:
        async with isthmus.aconnect(f"sqlite:///{tmp_path}/notes.db") as database:
            await asyncio.to_thread(write, database.blocking())
            assert await (await database.tables.open("notes")).get(id="1") == {"id": "1"}

    asyncio.run(steps())


def test_the_view_keeps_the_caller() -> None:
    """Whoever is bound to the database is bound to the view."""
    with isthmus.connect("memory://") as database:
        assert database.bind(actor="ann").blocking().context(None).actor == "ann"


def test_a_closed_database_gives_none() -> None:
    """As every other call refuses."""
    with isthmus.connect("memory://") as database:
        pass
    with pytest.raises(Closed):
        database.blocking()


def test_closing_the_view_closes_the_database() -> None:
    """It is a view and no second database."""
    database = isthmus.connect("memory://")
    database.blocking().close()
    with pytest.raises(Closed):
        database.tables.list()
