"""The backend's life: what it finds out at open, loops, processes and closing."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

import isthmus
from isthmus import Capability, Database, Emulated, Full, Key, Table
from isthmus.errors import Closed, ConfigurationError
from isthmus_mongodb.probing import capabilities_of, server_of
from plugins.mongodb.tests.servers import driver, failing, fresh_name, in_database


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database]:
    """A database of the backend."""
    with isthmus.connect(in_database(mongodb_url)) as database:
        yield database


HELLO = {"ok": 1, "isWritablePrimary": True}
BUILD = {"version": "6.0.5", "versionArray": [6, 0, 5, 0]}
TRANSACTIONS = {Capability.TRANSACT_WRITE, Capability.TRANSACT_GET, Capability.IDEMPOTENCY_TOKEN}


@pytest.mark.parametrize(
    ("hello", "kind"),
    [
        ({"setName": "rs0"}, "replica set"),
        ({"msg": "isdbgrid"}, "sharded cluster"),
        ({}, "standalone"),
    ],
)
def test_what_kind_of_server_it_is(hello: dict[str, Any], kind: str) -> None:
    """The server's own answer decides, and with it what there is."""
    server = server_of({**HELLO, **hello}, BUILD, "db:1")
    unsupported = set(capabilities_of(server).unsupported())
    assert server.kind == kind
    alone = TRANSACTIONS if kind == "standalone" else set()
    unique = set() if kind == "replica set" else {Capability.UNIQUE_INDEX}
    assert unsupported == {Capability.WIDE_NUMBERS} | alone | unique


def test_an_old_server_is_refused() -> None:
    """ConfigurationError with both versions."""
    with pytest.raises(ConfigurationError, match=r"db:1 runs MongoDB 5\.0\.9.*6\.0"):
        server_of(HELLO, {"version": "5.0.9", "versionArray": [5, 0, 9, 0]}, "db:1")


def test_a_member_that_is_not_the_primary_is_refused() -> None:
    """ConfigurationError that says what to write; only a direct connection leads there."""
    with pytest.raises(ConfigurationError, match=r"not its primary: leave directConnection out.*replicaSet=rs0"):
        server_of({**HELLO, "setName": "rs0", "isWritablePrimary": False, "secondary": True}, BUILD, "db:1")


def test_the_server_is_asked_at_open(database: Database, mongodb_standalone_url: str) -> None:
    """A URL says nothing about transactions."""
    assert database.capabilities[Capability.TRANSACT_WRITE] == Full()
    with isthmus.connect(in_database(mongodb_standalone_url)) as alone:
        assert isinstance(alone.capabilities[Capability.TRANSACT_WRITE], Emulated)


def test_guarantees_are_those_of_the_client(database: Database) -> None:
    """Majority writes into the journal, majority reads from the primary, one repetition of writes."""
    client = database.backend.native()
    assert isinstance(client, MongoClient)
    assert client.write_concern.document == {"w": "majority", "j": True}
    assert client.read_concern.document == {"level": "majority"}
    assert client.read_preference.mongos_mode == "primary"
    assert (client.options.retry_writes, client.options.retry_reads) == (True, False)
    assert client.options.max_adaptive_retries == 0


def test_own_writes_are_read(database: Database) -> None:
    """Right after each write, a hundred times (rule QRY-12)."""
    table = database.table(fresh_name(), partition_key="id").ensure()
    seen = []
    for number in range(100):
        table.put({"id": "a", "n": number})
        seen.append(table.get(id="a")["n"])
    table.drop()
    assert seen == list(range(100))


def test_a_database_may_be_used_from_one_loop_after_another(mongodb_url: str) -> None:
    """A loop that is closed leaves its client behind."""
    name = f"loops-{token_hex(4)}"
    database = asyncio.run(_opened(mongodb_url))
    asyncio.run(database.tables.create(Table(name, Key("id"))))
    # Others use the same database meanwhile, so only the table of our own is looked for.
    found = [name in asyncio.run(database.tables.list()) for _ in range(2)]
    asyncio.run(database.tables.drop(name))
    asyncio.run(database.close())
    assert found == [True, True]


def test_a_loop_that_ends_leaves_no_connection_open(mongodb_url: str) -> None:
    """A program may use its database in one loop after another, and does not close it in each."""
    database = asyncio.run(_opened(mongodb_url))
    opened = []
    for _ in range(8):
        asyncio.run(database.tables.list())
        opened.append(len(list(Path("/dev/fd").iterdir())))
    asyncio.run(database.close())
    # The driver's other client may open some by itself.
    assert opened[-1] < opened[0] + 5


def test_a_database_belongs_to_one_loop_at_a_time(mongodb_url: str) -> None:
    """ConfigurationError that says what to do, not a call that hangs."""
    loop = asyncio.new_event_loop()
    database = loop.run_until_complete(_opened(mongodb_url))
    loop.run_until_complete(database.tables.list())
    with pytest.raises(ConfigurationError, match="event loop"):
        asyncio.run(database.tables.list())
    loop.run_until_complete(database.close())
    loop.close()


async def _opened(url: str) -> isthmus.AsyncDatabase:
    return await isthmus.aconnect(in_database(url))


def test_the_native_client_is_the_one_of_the_caller(database: Database) -> None:
    """On an event loop the async one, elsewhere the sync one."""

    async def kind() -> type:
        client: Any = database.backend.native()
        await client.close()
        return type(client)

    assert type(database.backend.native()) is MongoClient
    assert asyncio.run(kind()) is AsyncMongoClient


def test_a_cancelled_transaction_locks_nothing(mongodb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session ends with the task, so that others can write at once; the server waits a minute for its end."""
    name, begun = fresh_name(), asyncio.Event()

    async def never(_session: AsyncClientSession) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def run() -> float:
        async with isthmus.aconnect(in_database(mongodb_url)) as database:
            table = await database.table(name, partition_key="id").ensure()
            await table.put({"id": "a", "n": 0})
            monkeypatch.setattr(AsyncClientSession, "commit_transaction", never)
            actions = [table.actions.update(id="a", add={"n": 1})]
            task = asyncio.create_task(database.transact_write(actions))
            await asyncio.wait_for(begun.wait(), 60)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            started = time.monotonic()
            await table.put({"id": "a", "n": 5})
            took = time.monotonic() - started
            await table.drop()
            return took

    assert asyncio.run(run()) < 30


def until_at_work(admin: Any, application: str, command: str) -> None:
    """Wait until the server has begun with a command of an application."""
    until = time.monotonic() + 60
    while not any(command in one.get("command", {}) for one in admin.admin.aggregate(
        [{"$currentOp": {}}, {"$match": {"appName": application}}]
    )):  # fmt: skip
        assert time.monotonic() < until
        time.sleep(0.02)


def test_closing_waits_for_calls_at_work(mongodb_url: str) -> None:
    """A write that has begun ends as applied; later calls are refused."""
    name, application = fresh_name(), fresh_name()
    database = isthmus.connect(in_database(mongodb_url, f"appName={application}"))
    table = database.table(name, partition_key="id").ensure()
    table.find(id="a")
    answers: list[Any] = []
    blocking = {"failCommands": ["update"], "blockConnection": True, "blockTimeMS": 1_000}
    with driver(mongodb_url) as admin, failing(admin, application, blocking, {"times": 1}):
        thread = threading.Thread(target=lambda: answers.append(table.put({"id": "a"}, returning="new")))
        thread.start()
        until_at_work(admin, application, "update")
        database.close()
        thread.join()
        admin["isthmus-tests"].drop_collection(name)
        admin["isthmus-tests"]["isthmus_tables"].delete_one({"_id": name})
    assert answers == [{"id": "a"}]
    with pytest.raises(Closed):
        table.find(id="a")


def _in_child(table: isthmus.BoundTable, answers: Any) -> None:
    table.put({"id": "child"})
    answers.put(table.get(id="parent"))
    table.database.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_child_process_connects_for_itself(database: Database) -> None:
    """After a fork both go on."""
    table = database.table(fresh_name(), partition_key="id").ensure()
    table.put({"id": "parent"})
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(table, answers))
    child.start()
    answer = answers.get(timeout=60)
    child.join(60)
    found = table.get(id="child")
    table.drop()
    assert (answer, found, child.exitcode) == ({"id": "parent"}, {"id": "child"}, 0)


def test_what_explain_shows(database: Database) -> None:
    """The filter's shape and the order, and no value."""
    table = database.table(fresh_name(), partition_key="id", sort_key="s").ensure()
    shown = table.query(id="s3cr3t").where(isthmus.F.x == "s3cr3t").explain()
    table.drop()
    assert "s3cr3t" not in str(shown["native"])
    assert shown["native"]["command"] == "find"
    assert shown["native"]["index"] == "_id"


def test_a_closed_database_opens_no_client_again(mongodb_url: str) -> None:
    """Nor does its escape hatch."""
    database = isthmus.connect(in_database(mongodb_url))
    backend = database.backend
    database.close()
    with pytest.raises(Closed):
        backend.native()
