"""Unique values by indexes of the server, as repositories use them, and moves between these and guards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define
from bson.int64 import Int64
from pymongo import MongoClient

import isthmus
from isthmus import Database, Model, Repository, Table, Unique, copying
from isthmus.errors import Conflict, InvalidArgument, UniqueViolation
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name, in_database

LONG_AGO, LATER = 1_000_000_000, 9_000_000_000


@define
class Member:
    """Unique by its address, and by its shirt in its club."""

    id: str
    email: str
    club: str = "north"
    shirt: int | None = None
    until: int | None = None


@define
class Club:
    """Stored beside members, with names that are members' addresses."""

    id: str
    email: str


@define
class Tagged:
    """Unique by a list."""

    id: str
    tags: list[str]


def model(table: str | Table, **changes: Any) -> Model:
    """Members in their own or in a shared table."""
    declared: dict[str, Any] = {"unique": ["email", ("club", "shirt")], "ttl": "until", "names": {"email": "mail"}}
    key = changes.pop("partition_key", "id")
    return Model(table, key, **{**declared, **changes})


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database]:
    """A database of a replica set."""
    with isthmus.connect(in_database(mongodb_url)) as opened:
        yield opened


@pytest.fixture
def raw(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """The driver."""
    with driver(mongodb_url) as client:
        yield client


@pytest.fixture
def members(database: Database) -> Iterator[Repository[Member]]:
    """Two members, of one address each."""
    made = database.repository(Member, model=model(fresh_name())).ensure()
    made.create(Member("1", "a", shirt=7))
    made.create(Member("2", "b"))
    yield made
    made.drop()


def _names(table: str, raw: MongoClient[dict[str, Any]]) -> list[str]:
    return sorted(index["name"] for index in raw[DATABASE][table].list_indexes() if index.get("unique"))


def test_there_are_no_guards(members: Repository[Member], database: Database, raw: MongoClient[dict[str, Any]]) -> None:
    """An index for each constraint, in the stored definition too; a taken value is named by its fields."""
    name = members.schema.name
    assert [table for table in database.tables.list() if table.startswith(name)] == [name]
    assert _names(name, raw) == ["isthmus.unique.club+shirt", "isthmus.unique.mail"]
    assert database.tables.describe(name).unique == (Unique("mail"), Unique(["club", "shirt"]))
    with pytest.raises(UniqueViolation) as caught:
        members.put(Member("3", "a"))
    assert [caught.value.constraint, caught.value.table] == [("email",), name]


def test_a_batch_is_one_request_again(members: Repository[Member]) -> None:
    """Whose members fail one by one, each with its constraint."""
    result = members.put_many([Member("3", "c"), Member("4", "d", shirt=7), Member("5", "a")])
    found = [(failure.position, failure.error.constraint) for failure in result.failures]  # type: ignore[attr-defined]
    assert [result.written, found] == [1, [(1, ("club", "shirt")), (2, ("email",))]]


def test_async_repositories(mongodb_url: str, members: Repository[Member]) -> None:
    """Keep the same values unique, and name the same fields."""

    async def create() -> None:
        async with await isthmus.aconnect(in_database(mongodb_url)) as opened:
            same = await opened.repository(Member, model=members.model).ensure()
            assert await same.rebuild_unique_values() == []
            await same.create(Member("3", "a"))

    with pytest.raises(UniqueViolation) as caught:
        asyncio.run(create())
    assert caught.value.constraint == ("email",)


def test_classes_of_one_table_come_in_any_order(database: Database) -> None:
    """The constraint of one class is no concern of the other's, and ensure() of either leaves it there."""
    table = Table(fresh_name(), "key", ttl="until")
    clubs = database.repository(Club, model=Model(table, "CLUB#{id}", discriminator="club")).ensure()
    members = database.repository(Member, model=model(table, discriminator="member", names={}, partition_key="M#{id}"))
    members.ensure()
    clubs.ensure()
    members.create(Member("1", "a"))
    clubs.create(Club("1", "a"))
    clubs.create(Club("2", "a"))
    with pytest.raises(UniqueViolation):
        members.create(Member("2", "a"))
    members.drop()


def test_equal_values_that_are_there_already(database: Database, raw: MongoClient[dict[str, Any]]) -> None:
    """ensure() names the constraint and what lists them; a holder that has expired is none."""
    name = fresh_name()
    plain = database.tables.create(Table(name, "id", ttl="until"))
    for number, (mail, until) in enumerate((("a", LATER), ("a", LONG_AGO), ("b", LATER), ("b", LATER))):
        document = {"_id": {"id": f"{number}"}, "mail": mail, "club": "x", "until": Int64(until)}
        raw[DATABASE][name].insert_one(document)
    members = database.repository(Member, model=model(name))
    with pytest.raises(UniqueViolation, match="rebuild_unique_values") as caught:
        members.ensure()
    [double] = members.rebuild_unique_values()
    assert double.key is not None
    assert [caught.value.constraint, double.constraint, double.key["id"] in "23"] == [("email",), ("email",), True]
    plain.delete(double.key)
    assert [members.rebuild_unique_values(), members.scan().count()] == [[], 2]
    with pytest.raises(UniqueViolation):
        members.ensure().create(Member("9", "a"))
    members.drop()


def test_a_constraint_that_is_no_longer_declared(members: Repository[Member], raw: MongoClient[dict[str, Any]]) -> None:
    """Is kept until the values are rebuilt."""
    fewer = members.table.database.repository(Member, model=model(members.schema.name, unique=["email"])).ensure()
    with pytest.raises(UniqueViolation):
        fewer.create(Member("3", "c", shirt=7))
    assert fewer.rebuild_unique_values() == []
    fewer.create(Member("3", "c", shirt=7))
    assert _names(members.schema.name, raw) == ["isthmus.unique.mail"]


def test_from_guards_to_indexes_and_back(members: Repository[Member], database: Database) -> None:
    """What was copied is unique once the repository was asked for it, in both directions."""
    name = members.schema.name
    with isthmus.connect("memory://") as memory:
        copying.copy(database, memory, [name])
        guarded = memory.repository(Member, model=model(name))
        assert guarded.rebuild_unique_values() == []
        with pytest.raises(UniqueViolation):
            guarded.create(Member("3", "a"))
        guarded.update(id="1", set={"email": "c"})
        members.drop()
        copying.copy(memory, database, [name])
    back = members.ensure()
    for taken in ("b", "c"):
        with pytest.raises(UniqueViolation):
            back.create(Member("3", taken))
    assert back.create(Member("3", "a")).email == "a"


def test_values_that_an_index_would_compare_otherwise(database: Database) -> None:
    """The elements of lists, say: guards keep these."""
    tagged = database.repository(Tagged, model=Model(fresh_name(), "id", unique=["tags"])).ensure()
    tagged.create(Tagged("1", ["a", "b"]))
    tagged.create(Tagged("2", ["a", "c"]))
    with pytest.raises(UniqueViolation):
        tagged.create(Tagged("3", ["a", "b"]))
    assert f"{tagged.schema.name}-unique" in database.tables.list()
    tagged.drop()


def test_collections_of_others_have_guards(mongodb_url: str, raw: MongoClient[dict[str, Any]]) -> None:
    """No index is made in a mapped collection."""
    name = fresh_name()
    raw[DATABASE].create_collection(name)
    mappings = {name: {"partition_key": "_id", "ttl": None}}
    with isthmus.connect(in_database(mongodb_url), mongodb={"mappings": mappings}) as opened:
        clubs = opened.repository(Club, model=Model(Table(name, "_id"), "{id}", unique=["email"])).ensure()
        clubs.create(Club("1", "a"))
        with pytest.raises(UniqueViolation):
            clubs.create(Club("2", "a"))
        opened.tables.drop(f"{name}-unique")
    assert _names(name, raw) == []
    raw[DATABASE].drop_collection(name)


def test_a_value_is_taken_while_a_unit_of_work_waits(members: Repository[Member], database: Database) -> None:
    """Conflict, as for everything that changed meanwhile."""
    with pytest.raises(Conflict), database.transaction() as unit:  # noqa: PT012  # the commit is at the end
        unit.repository(Member, model=members.model).create(Member("3", "c"))
        members.create(Member("4", "c"))
    assert members.find("3") is None


def test_a_unit_of_work_knows_its_own_values(members: Repository[Member], database: Database) -> None:
    """Those that it took, and those that it gave up."""
    with database.transaction() as unit:
        inside = unit.repository(Member, model=members.model)
        inside.create(Member("3", "c"))
        inside.delete("1")
        inside.put_many([Member("4", "a", shirt=7)])
        writes: tuple[Callable[[], object], ...] = (
            lambda: inside.create(Member("5", "c")),
            lambda: inside.update(id="2", set={"email": "a"}),
        )
        for write in writes:
            with pytest.raises(UniqueViolation) as caught:
                write()
            assert caught.value.constraint == ("email",)
        inside.save(Member("2", "b2"))
    assert sorted((one.id, one.email) for one in members.scan()) == [("2", "b2"), ("3", "c"), ("4", "a")]


def test_the_holder_is_found_through_the_index(members: Repository[Member], raw: MongoClient[dict[str, Any]]) -> None:
    """Not by reading the collection."""
    from isthmus_mongodb.layouts import layout_of
    from isthmus_mongodb.unique import violation

    details = {"keyPattern": {"mail": 1}, "keyValue": {"mail": "a"}}
    where = violation(layout_of(members.schema), details).where  # type: ignore[attr-defined]
    plan = raw[DATABASE][members.schema.name].find(where).explain()["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["indexName"] == "isthmus.unique.mail"


def test_a_class_without_constraints_has_nothing_to_rebuild(database: Database) -> None:
    """InvalidArgument says where they are declared."""
    with pytest.raises(InvalidArgument, match="unique="):
        database.repository(Club, model=Model(fresh_name(), "id")).rebuild_unique_values()


def test_a_server_that_runs_alone_has_guards(alone: Database) -> None:
    """A unique index could refuse what is committed already."""
    members = alone.repository(Member, model=model(fresh_name())).ensure()
    members.create(Member("1", "a"))
    with pytest.raises(UniqueViolation):
        members.create(Member("2", "a"))
    assert f"{members.schema.name}-unique" in alone.tables.list()
    members.drop()
