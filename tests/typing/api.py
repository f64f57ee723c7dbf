"""Typed usage of the public API: checked by mypy, never run. ``assert_type`` fixes what callers get."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, assert_type

import isthmus
from isthmus import AsyncDatabase, BoundTable, Database, F, Flow, Layer, Page, Plugin, Selection, Stage, hookimpl
from isthmus.expressions import Condition, Field
from isthmus.operations import Check, Delete, Get, Operation, Put, Update
from isthmus.results import GetManyResult, TransactWriteResult, WriteManyResult
from isthmus.schema import Index, Key, Table
from isthmus.values import Item


def expressions() -> None:
    """Builders give conditions."""
    assert_type(F.age, Field)
    assert_type(F["a.b"], Field)
    assert_type(F.tags[0], Field)
    assert_type(F.age >= 18, Condition)
    assert_type((F.age >= 18) & ~F.name.begins_with("A") | F.tags.contains("x"), Condition)
    assert_type(F.price.between(Decimal("1.5"), 3), Condition)


def tables(database: Database) -> BoundTable:
    """Declarations in their different forms."""
    Table("cities", Key("country"), Key("id", "number"), [Index("by_size", "country", ("population", int))])
    return database.table("cities", partition_key="country", sort_key=("id", int), ttl="expires_at", versioned=True)


def single_items(table: BoundTable) -> None:
    """Reads and writes of one item."""
    assert_type(table.get(country="FR", id=75), Item)
    assert_type(table.find({"country": "FR", "id": 75}, select=["name", F.place.latitude]), Item | None)
    assert_type(table.put({"country": "FR", "id": 75}, when=F.name == "Paris", returning="old"), Item | None)
    changed = table.update(country="FR", id=75, set={"mayor": "x", F.a.b: 1}, add={"visits": 1}, remove=["old"])
    assert_type(changed, Item | None)
    named: dict[str, int] = {"mayor": 1}
    fields: dict[Field, Any] = {F.a.b: 1}
    table.update(country="FR", id=75, set=named, add=fields)
    assert_type(table.delete(country="FR", id=75, expected_version=3), bool)
    assert_type(table.pop(country="FR", id=75), Item | None)


def batches(table: BoundTable) -> None:
    """Many items at once."""
    assert_type(table.get_many([{"country": "FR", "id": 75}]), GetManyResult)
    assert_type(table.put_many([{"country": "FR", "id": 75}]), WriteManyResult)
    assert_type(table.delete_many([]).raise_for_failures(), WriteManyResult)


def selections(table: BoundTable) -> None:
    """Queries and scans."""
    query = table.query(country="FR").where(F.population > 100_000).select("name").descending().limit(10)
    assert_type(query, Selection)
    assert_type(query.page(size=20, cursor=None), Page)
    assert_type(query.first(), Item | None)
    assert_type(table.scan(segments=4).count(), int)
    assert_type(table.scan().sorted_by("name"), list[Item])
    for item in query:
        assert_type(item, Item)


def transactions(database: Database, table: BoundTable) -> None:
    """Several items, all or nothing."""
    assert_type(table.actions.put({"country": "FR", "id": 1}), Put)
    assert_type(table.actions.update(country="FR", id=1, add={"n": 1}), Update)
    assert_type(table.actions.delete(country="FR", id=1), Delete)
    assert_type(table.actions.check(country="FR", id=1, when=F.n.exists()), Check)
    assert_type(table.actions.get(country="FR", id=1), Get)
    assert_type(database.transact_write([table.actions.put({})], token="once"), TransactWriteResult)
    assert_type(database.transact_get([table.actions.get(country="FR", id=1)]), list[Item | None])


async def asynchronous() -> None:
    """The async twins give the same types."""
    async with isthmus.aconnect("memory://") as database:
        assert_type(database, AsyncDatabase)
        table = await database.table("cities", partition_key="country").ensure()
        assert_type(await table.get(country="FR"), Item)
        assert_type(await table.find(country="FR"), Item | None)
        assert_type(await table.query(country="FR").page(size=3), Page)
        async for item in table.scan():
            assert_type(item, Item)
        assert_type(await database.tables.list(), list[str])


def synchronous() -> None:
    """Opening and closing."""
    with isthmus.connect("sqlite:///shop.db", timeout=5.0) as database:
        assert_type(database, Database)
        assert_type(database.bind(actor="ann"), Database)
        assert_type(database.native(), Any)


class Upper(Layer):
    """A layer of a third party."""

    name = "upper"
    stage = Stage.TRANSFORM

    def flow(self, operation: Operation) -> Flow:
        """Hand on and hand back."""
        result = yield operation
        return result


class UpperPlugin(Plugin):
    """A plugin of a third party; the hook's signature is checked against its specification."""

    name = "upper"

    @hookimpl
    def isthmus_layers(self, database: object) -> list[Layer]:
        """One layer."""
        return [Upper()]
