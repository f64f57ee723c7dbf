"""Validation of collections into which other clients write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Int64, ObjectId, Regex
from pymongo.collection import Collection

import isthmus
from isthmus.validating import Validation, avalidate_table, validate_table
from plugins.mongodb.tests.servers import driver, fresh_name, in_database

Raw = Collection[dict[str, Any]]
FIRST, SECOND = ObjectId("65a000000000000000000001"), ObjectId("65a000000000000000000002")


@pytest.fixture
def url(mongodb_url: str) -> str:
    """A server that all tests share; each has a table of its own."""
    return in_database(mongodb_url)


@pytest.fixture
def table(url: str) -> Iterator[isthmus.BoundTable]:
    """A table with 30 items as they should be."""
    with isthmus.connect(url) as database:
        made = database.table(
            fresh_name(), partition_key="id", indexes=[isthmus.Index("by_age", ("age", int))], ttl="expires"
        ).ensure()
        made.put_many([{"id": f"i{number:02}", "age": number} for number in range(30)]).raise_for_failures()
        yield made
        made.drop()


@pytest.fixture
def raw(url: str, table: isthmus.BoundTable) -> Iterator[Raw]:
    """The collection behind the table, for a client that knows nothing of Isthmus."""
    with driver(url) as client:
        yield client.get_default_database()[table.name]


def _foreign() -> list[dict[str, Any]]:
    return [
        {"_id": {"id": "i05b"}, "age": "thirty"},
        {"_id": {"id": "i07b"}, "expires": "soon", "age": Int64(1)},
        {"_id": {"id": "i09b"}, "deep": [{"link": SECOND}]},
        {"_id": {"id": Int64(5)}},
        {"_id": {"other": "x"}},
        {"_id": "a text"},
        {"_id": 17},
        {"_id": FIRST, "age": Int64(3)},
    ]


@pytest.mark.parametrize("chunk", [1, 7, 500])
def test_each_foreign_document_is_reported_once(table: isthmus.BoundTable, raw: Raw, chunk: int) -> None:
    """Whatever type its _id has, in front of the items and behind them; with its key where it has one."""
    raw.insert_many(_foreign())
    result = validate_table(table, chunk=chunk)
    found = {(one.kind, (one.key or {}).get("id") or one.name) for one in result.deviations}
    assert found == {
        ("index_key", "i05b"),
        ("ttl", "i07b"),
        ("unreadable", "i09b"),
        ("unreadable", "_id {'id': 5}"),
        ("unreadable", "_id {'other': 'x'}"),
        ("unreadable", "_id 'a text'"),
        ("unreadable", "_id 17"),
        ("unreadable", "_id ObjectId('65a000000000000000000001')"),
    }
    assert len(result.deviations) == len(found)
    assert (result.items, result.cursor) == (38, None)


def test_the_place_and_the_type_of_a_foreign_value_are_named(table: isthmus.BoundTable, raw: Raw) -> None:
    """Never the value itself."""
    raw.insert_one({"_id": {"id": "x"}, "deep": [{"link": Regex("a secret")}]})
    (found,) = validate_table(table).deviations
    assert "deep[0].link" in found.message
    assert "Regex" in found.message
    assert "a secret" not in found.message


def test_many_foreign_documents_in_a_row(table: isthmus.BoundTable, raw: Raw) -> None:
    """More than a portion, in front of the items and behind them."""
    raw.insert_many([{"_id": number} for number in range(1_200)])
    raw.insert_many([{"_id": ObjectId()} for _number in range(1_200)])
    result = validate_table(table, chunk=10)
    assert (result.items, result.deviating) == (2_430, 2_400)


def test_the_async_twin_finds_the_same(url: str, table: isthmus.BoundTable, raw: Raw) -> None:
    """On a loop of its own."""
    raw.insert_many(_foreign())

    async def validated() -> Validation:
        async with isthmus.aconnect(url) as database:
            return await avalidate_table(database.table(table.schema), chunk=7)

    assert asyncio.run(validated()) == validate_table(table, chunk=7)


@pytest.mark.parametrize("chunk", [1, 4, 500])
def test_a_mapped_collection(url: str, chunk: int) -> None:
    """Documents that don't fit the mapping, with keys and without, in the middle and at both ends."""
    name = fresh_name()
    mapping = {"partition_key": {"field": "number", "type": "number"}, "object_ids": ["customer"]}
    with driver(url) as client, isthmus.connect(url, mongodb={"mappings": {name: mapping}}) as database:
        collection = client.get_default_database()[name]
        collection.create_index("number", unique=True)
        collection.insert_many([{"_id": n, "number": n, "customer": FIRST} for n in range(20)])
        collection.insert_many([
            {"_id": "w", "number": 5.5, "customer": "ann"}, {"_id": "x", "number": "six"},
            {"_id": "y"}, {"_id": "z", "number": FIRST},
        ])  # fmt: skip
        result = validate_table(database.tables.open(name), chunk=chunk)
        collection.drop()
    found = sorted(str(one.key or one.name) for one in result.deviations)
    assert found == ["_id 'x'", "_id 'y'", "_id 'z'", "{'number': Decimal('5.5')}"]
    assert (result.items, result.kinds) == (24, {"unreadable": 4})
