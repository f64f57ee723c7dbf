"""Nothing stays open when a database is closed, whatever comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

import isthmus
from isthmus.errors import Closed
from plugins.mongodb.tests.holding import (
    HoldingLoop,
    cancel,
    cancelled_when_held,
    held_call,
    nothing_left,
    one_turn,
    run,
)
from plugins.mongodb.tests.servers import in_database


def test_a_database_that_is_closed_closes_the_sockets_of_its_monitors(loop: HoldingLoop, mongodb_url: str) -> None:
    """The driver's monitors connect by themselves, from the first call on, and are cancelled at the end."""

    async def scenario() -> None:
        async with await isthmus.aconnect(in_database(mongodb_url)) as database:
            await cancelled_when_held(database.tables.list)

    run(loop, scenario)
    assert set(loop.still_open) == {False}


def test_a_loop_that_ends_closes_the_sockets_of_the_monitors(loop: HoldingLoop, mongodb_url: str) -> None:
    """Also where nobody closed the database in it."""

    async def scenario() -> None:
        databases.append(await isthmus.aconnect(in_database(mongodb_url)))
        await cancelled_when_held(databases[0].tables.list)

    databases: list[isthmus.AsyncDatabase] = []
    run(loop, scenario)
    asyncio.run(databases[0].close())
    assert set(loop.still_open) == {False}


def test_a_database_whose_closing_is_cancelled_closes_its_clients(loop: HoldingLoop, mongodb_url: str) -> None:
    """While it waits for a call, and though nobody closes it again."""

    async def scenario() -> None:
        database = await isthmus.aconnect(in_database(mongodb_url))
        await database.tables.list()
        task = await held_call(lambda: asyncio.gather(database.tables.list(), database.tables.list()))
        closing = asyncio.create_task(database.close())
        await one_turn()
        with pytest.raises(Closed):
            await database.tables.list()
        await cancel(closing)
        await cancel(task)

    with nothing_left():
        run(loop, scenario)


def test_a_client_closes_though_who_waits_for_it_is_cancelled(
    loop: HoldingLoop, mongodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's own closing, cut off in its middle, would leave connections open."""

    async def scenario() -> None:
        database = await isthmus.aconnect(in_database(mongodb_url))
        await database.tables.list()
        client, begun, go_on = database.native(), asyncio.Event(), asyncio.Event()
        close = client.close

        async def close_slowly() -> None:
            begun.set()
            await go_on.wait()
            await close()

        monkeypatch.setattr("isthmus_mongodb.connecting._PATIENCE", 60.0)
        monkeypatch.setattr(client, "close", close_slowly)
        closing = asyncio.create_task(database.close())
        await begun.wait()
        asyncio.get_running_loop().call_soon(go_on.set)
        await cancel(closing)

    with nothing_left():
        run(loop, scenario)
        monkeypatch.undo()


@pytest.mark.parametrize("turns", range(12))
def test_a_loop_that_ends_while_a_database_is_closed_leaves_nothing(
    loop: HoldingLoop, mongodb_url: str, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cancels the driver's own closing, wherever that is."""

    async def scenario() -> None:
        database = await isthmus.aconnect(in_database(mongodb_url))
        await database.tables.list()
        client, begun = database.native(), asyncio.Event()
        close = client.close

        def close_noticed() -> Awaitable[None]:
            begun.set()
            closed: Awaitable[None] = close()
            return closed

        monkeypatch.setattr(client, "close", close_noticed)
        closing.append(asyncio.create_task(database.close()))
        await begun.wait()
        for _ in range(turns):
            await one_turn()

    closing: list[asyncio.Task[None]] = []
    with nothing_left():
        run(loop, scenario)
        closing.clear()
        monkeypatch.undo()


@pytest.mark.parametrize(
    "interrupted",
    [
        "isthmus_mongodb.backend.server_of",
        "isthmus_mongodb.backend.Gate.wait",
        "isthmus_mongodb.blocking.end_sessions",
    ],
)
def test_an_interruption_leaves_no_client(mongodb_url: str, interrupted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a database is opened, or closed."""

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with nothing_left():
        monkeypatch.setattr(interrupted, interrupt)
        with pytest.raises(KeyboardInterrupt):
            isthmus.connect(in_database(mongodb_url)).close()
