"""Tables: the catalogue, the collections behind it, and what happens when others change them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

import isthmus
from isthmus import BoundTable, Database, F, Index
from isthmus.errors import AlreadyExists, InvalidArgument, InvalidKey, SchemaMismatch, TableNotFound
from isthmus.operations import Context, DropTable
from isthmus_mongodb import tables
from isthmus_mongodb.catalogue import CATALOGUE
from isthmus_mongodb.native import Command
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name, in_database


@pytest.fixture
def admin(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client beside the backend's."""
    with driver(mongodb_url) as client:
        yield client


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database]:
    """A database of the backend."""
    with isthmus.connect(in_database(mongodb_url)) as database:
        yield database


@pytest.fixture
def name(admin: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """A name that is free, and is so again afterwards."""
    name = fresh_name()
    yield name
    admin[DATABASE][CATALOGUE].delete_one({"_id": name})
    admin[DATABASE].drop_collection(name)


def test_a_collection_with_a_language_is_refused(
    database: Database, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """SchemaMismatch that says why (rule STR-1)."""
    admin[DATABASE].create_collection(name, collation={"locale": "en", "strength": 1})
    with pytest.raises(SchemaMismatch, match=r"default collation \(en\)"):
        database.table(name, partition_key="id").ensure()


def test_a_collection_that_gets_a_language_later_is_refused(
    database: Database, mongodb_url: str, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """A database that opens it sees it."""
    table = database.table(name, partition_key="id").ensure()
    admin[DATABASE].drop_collection(name)
    admin[DATABASE].create_collection(name, collation={"locale": "sv"})
    with isthmus.connect(in_database(mongodb_url)) as other:
        for call in (lambda: other.tables.open(name), lambda: other.table(table.schema).find(id="a")):
            with pytest.raises(SchemaMismatch, match="sv"):
                call()


def test_a_view_is_refused(database: Database, admin: MongoClient[dict[str, Any]], name: str) -> None:
    """SchemaMismatch: it can't be written."""
    admin[DATABASE].command({"create": name, "viewOn": CATALOGUE, "pipeline": []})
    with pytest.raises(SchemaMismatch, match="view"):
        database.table(name, partition_key="id").ensure()


def test_documents_of_others_are_not_taken_over(
    database: Database, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """SchemaMismatch, and they stay as they are."""
    admin[DATABASE][name].insert_one({"_id": 1})
    with pytest.raises(SchemaMismatch, match="holds documents"):
        database.table(name, partition_key="id").ensure()
    assert name not in database.tables.list()
    assert list(admin[DATABASE][name].find()) == [{"_id": 1}]


def test_an_empty_collection_is_taken(database: Database, admin: MongoClient[dict[str, Any]], name: str) -> None:
    """What a creation that ended half-way has left is no obstacle."""
    admin[DATABASE].create_collection(name)
    table = database.table(name, partition_key="id").ensure()
    table.put({"id": "a"})
    assert table.get(id="a") == {"id": "a"}


def test_a_creation_that_ended_half_way_is_finished(
    database: Database, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """The next ``ensure`` makes what is missing."""
    table = database.table(name, partition_key="id", indexes=[Index("by-x", "x")]).ensure()
    admin[DATABASE][CATALOGUE].update_one({"_id": name}, {"$set": {"state": "creating"}})
    admin[DATABASE].drop_collection(name)
    assert name not in database.tables.list()
    again = database.table(table.schema).ensure()
    again.put({"id": "a", "x": "y"})
    assert [item["id"] for item in again.query(index="by-x", x="y")] == ["a"]


def test_a_drop_that_ended_half_way_is_finished(
    database: Database, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """The table is gone for everybody, and a new one is empty."""
    table = database.table(name, partition_key="id").ensure()
    table.put({"id": "a"})
    admin[DATABASE][CATALOGUE].update_one({"_id": name}, {"$set": {"state": "dropping"}})
    with pytest.raises(TableNotFound):
        database.tables.open(name)
    assert list(database.table(table.schema).ensure().scan()) == []


def test_a_table_whose_collection_is_gone_is_not_found(
    database: Database, mongodb_url: str, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """Nothing is created by using it; ``ensure`` makes it anew."""
    table = database.table(name, partition_key="id").ensure()
    admin[DATABASE].drop_collection(name)
    with isthmus.connect(in_database(mongodb_url)) as other:
        same = other.table(table.schema)
        with pytest.raises(TableNotFound):
            same.put({"id": "a"})
        assert name not in admin[DATABASE].list_collection_names()
        same.ensure().put({"id": "a"})
        assert same.get(id="a") == {"id": "a"}


def test_racing_creations_make_one_table(database: Database, name: str) -> None:
    """One succeeds, all others learn that it exists, and it works."""
    wanted = database.table(name, partition_key="id", ttl="gone").schema

    def create(_number: int) -> str:
        try:
            database.tables.create(wanted)
        except AlreadyExists:
            return "exists"
        return "created"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == ["created", "exists", "exists", "exists"]
    assert database.tables.open(name).schema == wanted


def test_a_change_by_another_process_is_noticed_within_a_second(
    database: Database, admin: MongoClient[dict[str, Any]], name: str
) -> None:
    """What the catalogue said is believed for so long."""
    table = database.table(name, partition_key="id").ensure()
    table.put({"id": "a"})
    admin[DATABASE][CATALOGUE].delete_one({"_id": name})
    admin[DATABASE].drop_collection(name)
    time.sleep(1.05)
    with pytest.raises(TableNotFound):
        table.put({"id": "a"})
    assert name not in admin[DATABASE].list_collection_names()


def test_prefixes_keep_tables_apart(mongodb_url: str, database: Database, name: str) -> None:
    """Each sees its own tables, under their own names."""
    database.table(name, partition_key="id").ensure().put({"id": "a"})
    with isthmus.connect(in_database(mongodb_url, "prefix=test_")) as other:
        with pytest.raises(TableNotFound):
            other.tables.open(name)
        mine = other.table(name, partition_key="id").ensure()
        assert (list(mine.scan()), other.tables.list()) == ([], [name])
        mine.drop()
    assert name in database.tables.list()


def test_our_own_names_are_refused(database: Database) -> None:
    """InvalidArgument."""
    with pytest.raises(InvalidArgument):
        database.table("isthmus_tables", partition_key="id").ensure()


def test_an_index_serves_its_queries(database: Database, admin: MongoClient[dict[str, Any]], name: str) -> None:
    """As many documents are looked at as are returned, with a range and from page to page (rule KEY-10)."""
    table = database.table(name, partition_key="id", indexes=[Index("by-x", "x", ("n", int))]).ensure()
    items = [{"id": f"{n}", "x": "y", "n": n // 3} for n in range(60)] + [{"id": "none", "x": "y"}]
    table.put_many(items).raise_for_failures()
    query = table.query(index="by-x", x="y").where(F.n >= 5)
    first = query.page(size=10)
    second = query.page(size=10, cursor=first.cursor)
    with driver_profile(admin) as examined:
        found = query.page(size=10, cursor=second.cursor)
    assert [item["id"] for item in found.items] == [f"{n}" for n in range(35, 45)]
    assert examined(name) == [(11, 11)]


class driver_profile:  # noqa: N801  # used like a function
    """What the server notes of its finds meanwhile: documents examined and returned."""

    def __init__(self, client: MongoClient[dict[str, Any]]) -> None:
        self._database = client[DATABASE]

    def __enter__(self) -> Any:
        self._database.command({"profile": 2})
        return self._examined

    def __exit__(self, *_error: object) -> None:
        self._database.command({"profile": 0})

    def _examined(self, name: str) -> list[tuple[int, int]]:
        wanted = {"ns": f"{DATABASE}.{name}", "op": "query"}
        notes = list(self._database["system.profile"].find(wanted).sort("ts", 1))[-1:]
        return [(note["docsExamined"], note["nreturned"]) for note in notes]


WRITES: dict[str, Callable[[BoundTable], Any]] = {
    "put": lambda table: table.put({"id": "b"}),
    "put-old": lambda table: table.put({"id": "b"}, returning="old"),
    "put-if": lambda table: table.put({"id": "b"}, when=F.x.not_exists()),
    "put-many": lambda table: table.put_many([{"id": "b"}]).raise_for_failures(),
    "create": lambda table: table.create({"id": "b"}),
    "update": lambda table: table.update(id="b", set={"x": 1}, upsert=True),
    "update-new": lambda table: table.update(id="b", set={"x": 1}, upsert=True, returning="new"),
    "transaction": lambda table: table.database.transact_write([table.actions.put({"id": "b"})]),
}


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch, mongodb_url: str) -> Iterator[Database]:
    """A database as in another process: what it drops is not told to the catalogues here."""
    with isthmus.connect(in_database(mongodb_url)) as database:
        catalogue = database.backend.catalogue  # type: ignore[attr-defined]
        monkeypatch.setattr("isthmus_mongodb.catalogue._CATALOGUES", {catalogue})
        yield database


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_no_write_makes_the_collection_of_a_dropped_table_again(
    database: Database,
    far: Database,
    admin: MongoClient[dict[str, Any]],
    name: str,
    write: Callable[[BoundTable], Any],
) -> None:
    """TableNotFound, at once, though another process dropped it, and the name is free."""
    table = database.table(name, partition_key="id").ensure()
    table.put({"id": "a"})
    far.tables.drop(name)
    with pytest.raises(TableNotFound):
        write(table)
    assert name not in admin[DATABASE].list_collection_names()


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_writes_find_a_table_that_was_made_anew(
    database: Database, far: Database, name: str, write: Callable[[BoundTable], Any]
) -> None:
    """With what it is now, though another process dropped it and made it with an index."""
    table = database.table(name, partition_key="id").ensure()
    table.put({"id": "a"})
    far.tables.drop(name)
    anew = far.table(name, partition_key="id", indexes=[Index("by-x", "x")]).ensure()
    if write in (WRITES["update"], WRITES["update-new"]):
        with pytest.raises(InvalidKey):
            write(table)
    else:
        write(table)
        assert anew.get(id="b") == {"id": "b"}


def test_a_slow_drop_leaves_a_table_that_was_made_meanwhile(database: Database, far: Database, name: str) -> None:
    """What it began to drop is gone, and the new one stays, with its items."""
    table = database.table(name, partition_key="id").ensure()
    backend: Any = database.backend
    slow = tables.drop(backend.catalogue, DropTable(Context(), name))
    for request in _requests(slow, lambda request: backend._blocking.send(request, None)):
        if isinstance(request, Command) and "drop" in request.command:
            far.table(table.schema).ensure().put({"id": "a"})
    assert far.table(table.schema).get(id="a") == {"id": "a"}


def _requests(plan: Generator[Any, Any, Any], send: Callable[[Any], Any]) -> Iterator[Any]:
    """The requests of a plan, each sent after it was looked at."""
    answer: Any = None
    with suppress(StopIteration):
        request = next(plan)
        while True:
            yield request
            try:
                answer = send(request)
            except OperationFailure as error:
                request = plan.throw(error)
            else:
                request = plan.send(answer)


def test_a_table_of_another_prefix_is_named(database: Database, mongodb_url: str, name: str) -> None:
    """SchemaMismatch, where a prefix and a name make the name of its collection."""
    database.table(name, partition_key="id").ensure()
    start = name[:6]
    with isthmus.connect(in_database(mongodb_url, f"prefix={start}")) as other:
        same = other.table(name[6:], partition_key="id")
        for call in (same.ensure, lambda: same.find(id="a"), lambda: other.tables.drop(name[6:])):
            with pytest.raises(SchemaMismatch, match="belongs to the prefix ''"):
                call()
    assert database.tables.open(name).schema.name == name


def test_an_explanation_shows_no_values(database: Database, name: str) -> None:
    """Also none that begin with a dollar sign, and no truth values."""
    table = database.table(name, partition_key="id").ensure()
    secret = "$ecret"
    shown = [table.query(id=secret).where(F.name == secret).explain(), table.scan().where(F.ok == True).explain()]  # noqa: E712
    filters = [str(part["native"]["filter"]) for part in shown]
    assert [(secret in text, "True" in text) for text in filters] == [(False, False), (False, False)]
