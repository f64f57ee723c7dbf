"""Tables that others made: opened by what the service says of them, used, and left as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from isthmus import F, Index, Key, Table
from isthmus.errors import InvalidPath, SchemaMismatch, TableNotFound, Unavailable
from isthmus_dynamodb.hidden import HIDDEN
from plugins.dynamodb.tests.stored import NOW, Store, attributes, key_schema, open_store, until

ALL = {"ProjectionType": "ALL"}
KEYS = {"ProjectionType": "KEYS_ONLY"}
SOME = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}


def index(name: str, projection: Any, *keys: str) -> dict[str, Any]:
    """An index in the service's words."""
    return {"IndexName": name, "KeySchema": key_schema(*keys), "Projection": projection}


@pytest.fixture
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database on DynamoDB Local."""
    with open_store(dynamodb_url) as opened:
        yield opened


@pytest.fixture
def orders(store: Store) -> Store:
    """A table with a global and a local index and expiry, and three items of which one has expired."""
    store.create_raw("orders", "customer:S number:N", {
        "AttributeDefinitions": attributes(state="S", due="B"),
        "GlobalSecondaryIndexes": [index("by-state", KEYS, "state", "number")],
        "LocalSecondaryIndexes": [index("by-due", SOME, "customer", "due")],
    })  # fmt: skip
    expiry = {"Enabled": True, "AttributeName": "gone"}
    store.client.update_time_to_live(TableName=store.prefix + "orders", TimeToLiveSpecification=expiry)
    rows: list[dict[str, Any]] = [
        {"number": {"N": "1"}, "due": {"B": b"\x02"}, "note": {"S": "a"}, "gone": {"N": str(NOW + 60)}},
        {"number": {"N": "2"}, "due": {"B": b"\x01"}, "note": {"S": "b"}, "gone": {"S": "never"}},
        {"number": {"N": "3"}, "due": {"B": b"\x00"}, "note": {"S": "c"}, "gone": {"N": str(NOW)}},
    ]
    common = {"customer": {"S": "x"}, "state": {"S": "open"}}
    store.put_raw("orders", *({**common, **row} for row in rows))
    return store


def test_a_table_is_opened_by_its_description(orders: Store) -> None:
    """Keys of all three types, both kinds of index, their projections, and expiry."""
    assert orders.database.tables.describe("orders") == Table(
        "orders",
        "customer",
        Key("number", "number"),
        [
            Index("by-state", "state", Key("number", "number"), "keys"),
            Index("by-due", "customer", Key("due", "binary"), ["note"]),
        ],
        ttl="gone",
    )


def test_opening_and_reading_write_nothing(orders: Store) -> None:
    """Only requests that read are sent."""
    table = orders.database.tables.open("orders")
    assert [item["number"] for item in table.query(customer="x")] == [1, 2]
    assert table.scan().count() == 2
    reads = {"DescribeTable", "DescribeTimeToLive", "ListTagsOfResource", "GetItem", "Query", "Scan"}
    assert set(orders.recorder.actions) <= reads


def test_an_index_without_the_expiry_attribute_hides_expired_items(orders: Store) -> None:
    """The table is asked for the expiry of what a KEYS_ONLY index gives; counts and pages agree."""
    query = orders.database.tables.open("orders").query(state="open", index="by-state")
    assert [item["number"] for item in query] == [1, 2]
    assert query.count() == 2
    first = query.page(size=1)
    second = query.page(size=1, cursor=first.cursor)
    assert [item["number"] for page in (first, second) for item in page.items] == [1, 2]
    assert second.cursor is None


def test_a_local_index_is_read_in_its_order(orders: Store) -> None:
    """By its own sort key, cut to what it holds, with filters on the table's sort key."""
    query = orders.database.tables.open("orders").query(customer="x", index="by-due")
    assert [item["note"] for item in query] == ["b", "a"]
    assert list(query.where(F.number == 2)) == [{"customer": "x", "due": b"\x01", "number": 2, "note": "b"}]
    assert [item["note"] for item in query.where(F.due > b"\x01")] == ["a"]


def test_a_table_that_can_not_be_declared_is_refused(store: Store) -> None:
    """The error names the table and the reason."""
    store.create_raw("odd", "__id:S")
    with pytest.raises(SchemaMismatch, match=r"'odd'.*reserved"):
        store.database.tables.open("odd")


def test_an_index_that_can_not_be_declared_is_left_out(store: Store) -> None:
    """The rest of the table can be used."""
    store.create_raw("dotted", "id:S", {
        "AttributeDefinitions": attributes(x="S"), "GlobalSecondaryIndexes": [index("by.x", ALL, "x")],
    })  # fmt: skip
    assert store.database.tables.open("dotted").schema == Table("dotted", "id")


@pytest.mark.parametrize(
    "declared",
    [Table("orders", "customer"), Table("orders", "customer", "number"), Table("orders", "other", ("number", int))],
    ids=["no sort key", "another type", "another name"],
)
def test_another_key_is_refused_before_anything_is_asked(orders: Store, declared: Table) -> None:
    """SchemaMismatch that says what differs; the table is described once, and nothing else is sent."""
    item = {key.name: 1 if key.type == "number" else "x" for key in declared.keys}
    with pytest.raises(SchemaMismatch, match=r"is declared as .*, stored as ") as raised:
        orders.database.table(declared).put(item)
    assert raised.value.differences
    assert set(orders.recorder.actions) == {"DescribeTable"}


def test_an_index_that_does_not_exist_is_named(orders: Store) -> None:
    """SchemaMismatch, while the table itself can be read."""
    declared = Table("orders", "customer", ("number", int), [Index("by-age", "age")])
    table = orders.database.table(declared)
    with pytest.raises(SchemaMismatch, match="'by-age'"):
        list(table.query(age="x", index="by-age"))
    assert len(list(table.query(customer="x"))) == 3


def test_an_index_of_another_projection_is_refused(orders: Store) -> None:
    """What the declaration says it holds would be missing."""
    declared = Table("orders", "customer", ("number", int), [Index("by-state", "state", ("number", int))])
    with pytest.raises(SchemaMismatch, match="'by-state'"):
        list(orders.database.table(declared).query(state="open", index="by-state"))


def test_an_index_that_is_dropped_later_is_noticed(orders: Store) -> None:
    """What was known of a table is asked again when the service refuses."""
    query = orders.database.tables.open("orders").query(state="open", index="by-state")
    assert query.count() == 2
    gone = [{"Delete": {"IndexName": "by-state"}}]
    orders.update_raw("orders", GlobalSecondaryIndexUpdates=gone)
    until(lambda: "GlobalSecondaryIndexes" not in orders.describe("orders"))
    with pytest.raises(SchemaMismatch, match="'by-state'"):
        query.count()


def test_an_index_that_is_being_built_is_unavailable(store: Store) -> None:
    """A retryable error that names it, until it is there."""
    store.create_raw("plain", "id:S")
    store.put_raw("plain", *({"id": {"S": str(number)}, "x": {"S": "y"}} for number in range(20)))
    by_x = index("by-x", ALL, "x")
    store.update_raw(
        "plain", AttributeDefinitions=attributes(id="S", x="S"), GlobalSecondaryIndexUpdates=[{"Create": by_x}]
    )
    query = store.database.table("plain", partition_key="id", indexes=[Index("by-x", "x")]).query(x="y", index="by-x")
    with pytest.raises(Unavailable, match=r"'by-x'.*still being built") as raised:
        query.count()
    assert raised.value.retryable
    until(lambda: store.describe("plain")["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE")
    assert query.count() == 20


def test_a_table_that_others_drop_is_noticed(orders: Store) -> None:
    """TableNotFound from a handle that was used before."""
    table = orders.database.tables.open("orders")
    assert table.query(customer="x").count() == 2
    orders.client.delete_table(TableName=orders.prefix + "orders")
    with pytest.raises(TableNotFound):
        table.query(customer="x").count()


@pytest.mark.parametrize("name", HIDDEN)
def test_what_the_backend_hides_has_no_path(name: str) -> None:
    """Neither conditions nor copies can reach it (rule PTH-7)."""
    with pytest.raises(InvalidPath):
        F[name].exists()


def test_names_that_are_reserved_here_are_read_and_kept(store: Store) -> None:
    """Amplify adds ``__typename``, say: it is shown, updates of both forms keep it, and conditions see it."""
    store.create_raw("todos", "id:S")
    store.put_raw("todos", {"id": {"S": "1"}, "__typename": {"S": "Todo"}, "m": {"M": {"s": {"SS": ["a"]}}}})
    table = store.database.table("todos", partition_key="id")
    assert table.get(id="1")["__typename"] == "Todo"
    table.update(id="1", set={"n": 1}, when=F["__typename"] == "Todo")
    table.update(id="1", add={F.m.s: {"b"}})
    assert table.get(id="1") == {"id": "1", "__typename": "Todo", "n": 1, "m": {"s": frozenset({"a", "b"})}}
