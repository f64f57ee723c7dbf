"""``AsyncMigration``: the loop stays free, and cancelling ends a run gently."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import isthmus
from isthmus import AsyncDatabase
from isthmus.errors import InvalidArgument
from isthmus_migration import AsyncMigration, Rates, RunOptions, State, averify
from isthmus_migration.coordination.control import ControlFile


async def fill(database: AsyncDatabase, count: int = 400) -> None:
    """Put items into the table ``things``."""
    things = await database.table("things", partition_key="id").ensure()
    for first in range(0, count, 100):
        await things.put_many([{"id": f"k{n:05d}", "n": n} for n in range(first, first + 100)])


def test_async_databases_are_copied_verified_repaired_and_rolled_back(tmp_path: Path) -> None:
    """The same steps as in the blocking form, each awaited."""

    async def steps() -> None:
        async with isthmus.aconnect("memory://") as source, isthmus.aconnect("memory://") as target:
            await fill(source)
            migration = await AsyncMigration.plan(source, target, workdir=tmp_path / "work")
            assert migration.preflight is not None
            assert (await migration.run()).finished
            there = await target.tables.open("things")
            await there.delete(id="k00007")
            assert not (await migration.verify()).equal
            assert [found.kind async for found in migration.mismatches()] == ["missing"]
            assert (await migration.repair()).verification.equal
            assert (await averify(source, target)).equal
            assert (await migration.status()).state == State.READY
            assert "# Migration" in await migration.report()
            assert [letter async for letter in migration.dead.list()] == []
            assert (await migration.rollback()).finished
            assert [found async for found in migration.conflicts()] == []
            assert await target.tables.list() == []

    asyncio.run(steps())


def test_the_loop_is_free_meanwhile(tmp_path: Path) -> None:
    """Other tasks go on while a migration copies."""

    async def steps() -> None:
        async with isthmus.aconnect("memory://") as source, isthmus.aconnect("memory://") as target:
            await fill(source)
            migration = await AsyncMigration.plan(source, target, workdir=tmp_path / "work", units=4)
            begun, options = _noting_slices(slice_items=5, rates=Rates(items=25))
            running = asyncio.create_task(migration.run(options=options, workers=1))
            await begun.wait()
            assert not running.done()
            ControlFile(tmp_path / "work").say(rates=Rates(items=1e6))
            assert (await running).finished

    asyncio.run(steps())


def _noting_slices(**options: Any) -> tuple[asyncio.Event, RunOptions]:
    """An event that is set when a slice was journaled, and the options of the run that is to do it."""
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def listen(code: str, _data: object) -> None:
        if code == "slice":
            loop.call_soon_threadsafe(begun.set)

    return begun, RunOptions(listener=listen, **options)


def test_cancelling_a_run_ends_it_after_the_slices_at_work(tmp_path: Path) -> None:
    """Nothing goes on unseen: when the error is raised, no thread writes any more, and the same call goes on later."""

    async def steps() -> None:
        async with isthmus.aconnect("memory://") as source, isthmus.aconnect("memory://") as target:
            await fill(source, 1_000)
            migration = await AsyncMigration.plan(source, target, workdir=tmp_path / "work", units=4)
            begun, options = _noting_slices(slice_items=5, rates=Rates(items=50))
            running = asyncio.create_task(migration.run(options=options, engine="threads", workers=2))
            await begun.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            status = await migration.status()
            assert (status.state, status.holder) == (State.PAUSED, None)
            there = await (await target.tables.open("things")).scan().count()
            assert 0 < there < 1_000
            assert sum(table.written for table in status.tables) == there
            assert (await migration.run(options=RunOptions(rates=Rates(items=1e6)))).finished
            assert (await migration.verify()).equal

    asyncio.run(steps())


def test_errors_reach_whoever_awaits(tmp_path: Path) -> None:
    """With their type, as in the blocking form."""

    async def steps() -> None:
        async with isthmus.aconnect("memory://") as source:
            await fill(source, 100)
            migration = await AsyncMigration.plan(source, f"sqlite:///{tmp_path}/t.db", workdir=tmp_path / "work")
            with pytest.raises(InvalidArgument, match="use the engine threads or inline"):
                await migration.run(engine="processes")

    asyncio.run(steps())


def test_async_clients_of_the_servers_are_used_beside_their_loop(
    dynamodb_url: str, mongodb_url: str, tmp_path: Path
) -> None:
    """The async databases go on answering while a migration between them is at work, and afterwards."""
    owner = f"async{secrets.token_hex(4)}"
    here = dynamodb_url.replace("access_key_id=", f"access_key_id={owner}")
    there = urlsplit(mongodb_url)._replace(path=f"/{owner}").geturl()

    async def steps() -> None:
        async with isthmus.aconnect(here) as source, isthmus.aconnect(there) as target:
            await fill(source)
            try:
                migration = await AsyncMigration.plan(source, target, workdir=tmp_path / "work", tables=["things"])
                running = asyncio.create_task(migration.run(workers=2))
                things = await source.tables.open("things")
                assert (await things.get(id="k00001"))["n"] == 1
                assert (await running).finished
                assert (await migration.verify("full")).equal
                assert await (await target.tables.open("things")).scan().count() == 400
                assert (await migration.rollback()).clean
                assert await target.tables.list() == []
            finally:
                await source.tables.drop("things")

    asyncio.run(steps())
