"""Batches: chunks, members that fail, and a deadline in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

import isthmus
from isthmus import BoundTable, Table, Unique
from isthmus.errors import DeadlineExceeded, Throttled, UniqueViolation
from isthmus.operations import PutMany
from isthmus.results import WriteManyResult
from isthmus.retries import RetryPolicy
from plugins.mongodb.tests.servers import blocked, driver, failing, fresh_name, in_database
from tests.patience import judged_only_if, with_enough_time

ITEMS = [{"id": f"{number}", "n": number} for number in range(2_500)]


@pytest.fixture
def application() -> str:
    """The name by which the server knows this test's database."""
    return fresh_name()


@pytest.fixture
def admin(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that the fail points don't hit."""
    with driver(mongodb_url) as client:
        yield client


@pytest.fixture
def table(mongodb_url: str, application: str) -> Iterator[BoundTable]:
    """An empty table, in a database that never repeats a call."""
    url = in_database(mongodb_url, f"appName={application}")
    with isthmus.connect(url, retry_policy=RetryPolicy(attempts=1)) as database:
        table = database.table(fresh_name(), partition_key="id").ensure()
        yield table
        table.drop()


def test_more_than_one_chunk(table: BoundTable) -> None:
    """Everything is written, read in order, counted and removed."""
    assert table.put_many(ITEMS).written == len(ITEMS)
    assert list(table.get_many([{"id": item["id"]} for item in ITEMS])) == ITEMS
    assert table.scan().count() == len(ITEMS)
    assert len(list(table.scan())) == len(ITEMS)
    assert table.delete_many([{"id": item["id"]} for item in ITEMS]).written == len(ITEMS)
    assert table.scan().count() == 0


def test_large_members_go_in_several_requests(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The second one holds what would make the first larger than 16 MB."""
    with failing(admin, application, {"failCommands": ["update"], "errorCode": 262}, {"skip": 1}):
        result = table.put_many([{"id": f"{number:02}", "n": "x" * 390_000} for number in range(45)])
    assert [failure.position for failure in result.failures] == [41, 42, 43, 44]


def test_a_chunk_that_fails_leaves_those_before_it(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The members of it and after it are reported, each with its place."""
    data = {"failCommands": ["update"], "errorCode": 262}
    with failing(admin, application, data, {"skip": 1}):
        result = table.put_many(ITEMS)
    assert [failure.position for failure in result.failures] == list(range(1_000, 2_500))
    assert {type(failure.error) for failure in result.failures} == {Throttled}
    assert (result.written, table.scan().count()) == (1_000, 1_000)


def test_a_deadline_between_chunks_says_that_some_are_written(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """DeadlineExceeded with maybe_applied."""
    table.find(id="a")

    def attempt(seconds: float) -> None:
        late = blocked("update", 5 * seconds)
        with failing(admin, application, late, {"skip": 1}), pytest.raises(DeadlineExceeded) as raised:
            table.put_many(ITEMS, timeout=seconds)
        judged_only_if(table.scan().count() == 1_000)
        assert raised.value.maybe_applied is True

    with_enough_time(attempt)


def put_new(table: BoundTable, items: list[dict[str, Any]]) -> WriteManyResult:
    """What becomes of items that are said to be new."""
    operation = PutMany(table.database.context(None), table.schema, tuple(items), new=True)
    result = table.database.execute(operation)
    assert isinstance(result, WriteManyResult)
    return result


def test_items_that_are_new_are_inserted(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The server works a third as long for them."""
    with failing(admin, application, {"failCommands": ["update"], "errorCode": 262}):
        assert put_new(table, ITEMS).written == len(ITEMS)
    assert sorted(table.scan(), key=lambda item: int(str(item["id"]))) == ITEMS


def test_items_that_are_said_to_be_new_replace_what_is_there(table: BoundTable) -> None:
    """Those of earlier batches and of the same one; the others are written as well."""
    table.put_many([{"id": "1", "old": True}, {"id": "1500", "old": True}])
    assert put_new(table, [*ITEMS, {"id": "7", "last": True}]).written == len(ITEMS) + 1
    found = {item["id"]: item for item in table.scan()}
    assert found == {**{item["id"]: item for item in ITEMS}, "7": {"id": "7", "last": True}}


def test_new_items_stay_when_those_that_are_not_new_fail(
    table: BoundTable, admin: MongoClient[dict[str, Any]], application: str
) -> None:
    """The members that stand in the way are reported, with their places."""
    table.put_many([{"id": "1", "old": True}, {"id": "1500", "old": True}])
    with failing(admin, application, {"failCommands": ["update"], "errorCode": 262}):
        result = put_new(table, ITEMS)
    assert [(failure.position, type(failure.error)) for failure in result.failures] == [
        (1, Throttled),
        (1500, Throttled),
    ]
    assert (result.written, table.scan().count()) == (len(ITEMS) - 2, len(ITEMS))


def test_new_items_that_another_one_keeps_out_are_told_of(mongodb_url: str) -> None:
    """A value that must be unique: whose holder is the same item is no failure, whose holder is another one is."""
    with isthmus.connect(in_database(mongodb_url)) as database:
        declared = Table(fresh_name(), "id", unique=(Unique(("name",)),))
        table = database.table(declared).ensure()
        table.put_many([{"id": "a", "name": "x"}, {"id": "b", "name": "y"}])
        found = put_new(table, [{"id": "a", "name": "x", "n": 1}, {"id": "c", "name": "z"}, {"id": "d", "name": "y"}])
        assert [(failure.position, type(failure.error)) for failure in found.failures] == [(2, UniqueViolation)]
        assert [item["id"] for item in sorted(table.scan(), key=lambda item: str(item["id"]))] == ["a", "b", "c"]
        assert table.get(id="a") == {"id": "a", "name": "x", "n": 1}
        table.drop()
