"""Tables: the catalogue, the collections behind it, and what happens when others change them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import MongoClient

import isthmus
from isthmus import Database, F, Index
from isthmus.errors import AlreadyExists, InvalidArgument, SchemaMismatch, TableNotFound
from isthmus_mongodb.catalogue import CATALOGUE
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
