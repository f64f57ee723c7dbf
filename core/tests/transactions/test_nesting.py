"""One unit of work of a database at a time, in each thread and task."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import isthmus
from isthmus import Database
from isthmus.errors import InvalidArgument


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty database."""
    with isthmus.connect("memory://") as opened:
        yield opened


def test_one_inside_another_is_refused(database: Database) -> None:
    """Also through a view of the same database, through the unit of work itself, and by run_transaction."""
    with database.transaction() as tx:
        for outer in (database, database.bind(actor="somebody"), tx):
            with pytest.raises(InvalidArgument, match="pass its tx on"), outer.transaction():
                raise AssertionError("the body ran")
        with pytest.raises(InvalidArgument, match="pass its tx on"):
            database.run_transaction(lambda _tx: None)
    with database.transaction():
        pass


def test_another_database_is_another_matter(database: Database) -> None:
    """Each has its own."""
    with isthmus.connect("memory://") as other, database.transaction(), other.transaction() as tx:
        assert tx.capabilities is other.capabilities


def test_other_threads_have_their_own(database: Database) -> None:
    """What is open here does not concern them."""
    table = database.table("things", partition_key="id").ensure()

    def work() -> None:
        with database.transaction() as tx:
            tx.table(table).put({"id": "2"})

    with database.transaction() as tx, ThreadPoolExecutor(1) as pool:
        tx.table(table).put({"id": "1"})
        pool.submit(work).result()
    assert sorted(str(item["id"]) for item in table.scan()) == ["1", "2"]


def test_one_that_was_given_up_is_forgotten(database: Database) -> None:
    """Its end never came; the next one is not in its way."""
    database.transaction().__enter__()
    gc.collect()
    with database.transaction():
        pass


def test_tasks_have_their_own_and_one_at_a_time() -> None:
    """As threads do."""

    async def main() -> None:
        async with await isthmus.aconnect("memory://") as database:
            table = await database.table("things", partition_key="id").ensure()
            both = asyncio.Barrier(2)

            async def work(key: str) -> None:
                async with database.transaction() as tx:
                    await both.wait()
                    await tx.table(table).put({"id": key})
                    with pytest.raises(InvalidArgument, match="pass its tx on"):
                        async with database.transaction():
                            raise AssertionError("the body ran")

            await asyncio.gather(work("1"), work("2"))
            assert sorted([str(item["id"]) async for item in table.scan()]) == ["1", "2"]

    asyncio.run(main())


def test_it_has_no_close_and_no_other_callers(database: Database) -> None:
    """What would be the database's is refused."""
    with database.transaction() as tx:
        with pytest.raises(InvalidArgument):
            tx.close()
        with pytest.raises(InvalidArgument):
            tx.bind(actor="somebody")


def test_a_table_of_another_database_is_refused(database: Database) -> None:
    """A unit of work could not be atomic over both."""
    with isthmus.connect("memory://") as other, database.transaction() as tx:
        with pytest.raises(InvalidArgument, match="another database"):
            tx.table(other.table("things", partition_key="id"))
        assert tx.table("things", partition_key="id", versioned=True).schema.version == "version"
