"""What a unit of work notices of programs that write past Isthmus, as the page about transactions tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

import isthmus
from isthmus import BoundTable
from isthmus.errors import Conflict

Foreign = Mapping[str, Callable[[], object]]
"""Writes of another program, by what they do."""


@pytest.fixture(params=["mongodb_url", "mongodb_standalone_url", "dynamodb_url"])
def table(request: pytest.FixtureRequest) -> Iterator[BoundTable]:
    """A table of this test alone."""
    with isthmus.connect(request.getfixturevalue(request.param)) as database:
        made = database.table(f"foreign-{uuid4().hex[:8]}", partition_key="id").ensure()
        yield made
        made.drop()


def _writes(table: BoundTable, engine: str) -> Foreign:
    return _of_dynamodb(table) if engine == "dynamodb_url" else _of_mongodb(table)


def _of_mongodb(table: BoundTable) -> Foreign:
    collection = table.database.native().get_default_database()[table.name]
    key = {"_id": {"id": "1"}}
    return {
        "change": lambda: collection.update_one(key, {"$set": {"n": 5}}),
        "add": lambda: collection.update_one(key, {"$set": {"more": 5}}),
        "replace": lambda: collection.replace_one(key, {"n": 5}),
        "remove": lambda: collection.delete_one(key),
    }


def _of_dynamodb(table: BoundTable) -> Foreign:
    client = table.database.native()
    item = {"TableName": table.name, "Key": {"id": {"S": "1"}}}

    def update(expression: str, **values: Any) -> object:
        return client.update_item(**item, UpdateExpression=expression, **values)

    five = {"ExpressionAttributeValues": {":v": {"N": "5"}}}
    return {
        "change": lambda: update("SET n = :v", **five),
        "add": lambda: update("SET more = :v", **five),
        "replace": lambda: client.put_item(TableName=table.name, Item={"id": {"S": "1"}, "n": {"N": "5"}}),
        "remove": lambda: client.delete_item(**item),
    }


def _notices(table: BoundTable, write: Callable[[], object]) -> bool:
    """Whether a unit of work refuses to commit after a write to what it has read."""
    table.put({"id": "1", "n": 1})
    table.update(id="1", set={"text": "of Isthmus"})
    try:
        with table.database.transaction() as tx:
            tx.table(table).get(id="1")
            write()
            tx.table(table).put({"id": "2"})
    except Conflict:
        return True
    return False


EVERYTHING = {"change", "add", "replace", "remove"}
NOTICED = {
    "mongodb_url": EVERYTHING,
    "mongodb_standalone_url": {"replace", "remove"},
    "dynamodb_url": {"change", "replace", "remove"},
}


def test_what_is_noticed(table: BoundTable, request: pytest.FixtureRequest) -> None:
    """Each store notices what its row says, and no more: a limit that is gone must leave the page too."""
    engine = request.node.callspec.params["table"]
    writes = _writes(table, engine)
    assert {name for name, write in writes.items() if _notices(table, write)} == NOTICED[engine]


def test_own_writes_are_always_noticed(table: BoundTable) -> None:
    """Whatever they do."""
    writes = [
        lambda: table.update(id="1", set={"more": 5}),
        lambda: table.put({"id": "1", "n": 1, "text": "of Isthmus"}),
        lambda: table.delete(id="1"),
    ]
    assert [_notices(table, write) for write in writes] == [True] * 3
