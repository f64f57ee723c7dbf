"""Mapped collections: documents that PyMongo wrote are read, and changed in nothing but what a write names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection

import isthmus
from isthmus import BoundTable, Database, F
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    InvalidArgument,
    InvalidKey,
    InvalidStoredValue,
    InvalidValue,
    SchemaMismatch,
    TableNotFound,
    TransactionFailed,
    UniqueViolation,
)
from isthmus.operations import Action
from isthmus_mongodb.catalogue import CATALOGUE
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name, in_database

OWN = ObjectId("65a000000000000000000001")
CUSTOMER = ObjectId("65a0000000000000000000c1")
PRODUCT = ObjectId("65a0000000000000000000f1")
WHEN = datetime(2027, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
WHEN_TEXT = "2027-03-01T12:30:15.250000Z"
ORDERS: dict[str, Any] = {
    "partition_key": "_id",
    "object_ids": ["_id", "customer.id", "lines[].product", "followers[]"],
    "dates": ["created", "lines[].shipped"],
    "sets": ["tags", "followers"],
}
ORDER: dict[str, Any] = {
    "_id": OWN,
    "__v": 3,
    "customer": {"name": "Ann", "id": CUSTOMER, "rating": 4.5},
    "created": WHEN,
    "lines": [
        {"product": PRODUCT, "count": 2, "price": Decimal128("9.50"), "shipped": None},
        {"product": PRODUCT, "count": Int64(1), "price": 0.1, "shipped": WHEN},
    ],
    "tags": ["new", "big", "gift"],
    "followers": [CUSTOMER, OWN],
    "weight": 2.50,
    "pieces": 3.0,
    "a.b": 1,
    "$odd": {"%SS": ["x"], "x.y": 1},
}
ITEM: dict[str, Any] = {
    "_id": str(OWN),
    "customer": {"name": "Ann", "id": str(CUSTOMER), "rating": Decimal("4.5")},
    "created": WHEN_TEXT,
    "lines": [
        {"product": str(PRODUCT), "count": 2, "price": Decimal("9.5"), "shipped": None},
        {"product": str(PRODUCT), "count": 1, "price": Decimal("0.1"), "shipped": WHEN_TEXT},
    ],
    "tags": {"new", "big", "gift"},
    "followers": {str(CUSTOMER), str(OWN)},
    "weight": Decimal("2.5"),
    "pieces": 3,
    "a.b": 1,
    "$odd": {"%SS": ["x"], "x.y": 1},
}


@pytest.fixture
def admin(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client beside the backend's."""
    with driver(mongodb_url) as client:
        yield client


@pytest.fixture
def raw(admin: MongoClient[dict[str, Any]]) -> Iterator[Collection[dict[str, Any]]]:
    """A collection of somebody else, empty at first."""
    found = admin[DATABASE].create_collection(fresh_name())
    yield found
    found.drop()


def connect(url: str, raw: Collection[dict[str, Any]], **mapping: Any) -> Database:
    """A database in which the collection is the table ``orders``."""
    given = {**mapping, "collection": raw.name}
    return isthmus.connect(in_database(url), mongodb={"mappings": {"orders": given}})


@pytest.fixture
def orders(mongodb_url: str, raw: Collection[dict[str, Any]]) -> Iterator[BoundTable]:
    """The table over a collection that holds ``ORDER``."""
    raw.insert_one(ORDER)
    with connect(mongodb_url, raw, **ORDERS) as database:
        yield database.tables.open("orders")


def stored(raw: Collection[dict[str, Any]], key: Any = OWN) -> bytes:
    """The bytes of a document."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    found = raw.with_options(options).find_one({"_id": key})
    assert found is not None
    return bytes(found.raw)


def fields(raw: Collection[dict[str, Any]], key: Any = OWN) -> dict[str, bytes]:
    """The bytes of each field of a document, in their order."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    pipeline = [
        {"$match": {"_id": key}},
        {"$project": {"pairs": {"$objectToArray": "$$ROOT"}, "_id": 0}},
    ]
    (found,) = raw.with_options(options).aggregate(pipeline)
    return {pair["k"]: bytes(pair.raw) for pair in found["pairs"]}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """The fields that differ, as long as all others are in their old order."""
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert [name for name in before if name not in names] == [name for name in after if name not in names]
    return names


# ---- reading ----


def test_a_document_of_somebody_else_is_an_item(orders: BoundTable) -> None:
    """Names as they are, ObjectIds and dates as text, numbers as they print; hidden fields are not shown."""
    assert orders.get(_id=str(OWN)) == ITEM


def test_reading_changes_nothing(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """Not a byte, by any kind of read."""
    before = stored(raw)
    many = orders.get_many([{"_id": str(OWN)}])
    found = [orders.get(_id=str(OWN)), *orders.scan(), *orders.query(_id=str(OWN)), *many]
    assert (found, stored(raw)) == ([ITEM] * 4, before)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (ObjectId(), "objectId"),
        (WHEN, "date"),
        (Regex("a", "i"), "regex"),
        (Code("x"), "javascript"),
        (Code("x", {"a": 1}), "javascript"),
        (Timestamp(1, 2), "timestamp"),
        (MinKey(), "minKey"),
        (MaxKey(), "maxKey"),
        (DBRef("things", 1), "DBRef"),
        (Binary.from_uuid(UUID(int=1)), "binData of subtype 4"),
        (float("nan"), "double"),
        (float("inf"), "double"),
        (1e300, "double"),
        (Decimal128("NaN"), "decimal"),
        (Decimal128("1E+4000"), "decimal"),
    ],
)
def test_what_is_no_portable_value_is_named(
    orders: BoundTable, raw: Collection[dict[str, Any]], value: Any, name: str
) -> None:
    """The field with its path and type; the rest of the item and other items stay readable (rule TYP-3)."""
    raw.insert_one({"_id": ObjectId("65a000000000000000000002"), "deep": [{"strange": value}], "fine": 1})
    before = stored(raw, ObjectId("65a000000000000000000002"))
    with pytest.raises(InvalidStoredValue, match=rf"deep\[0\]\.strange of collection .* is a BSON {name}"):
        orders.get(_id="65a000000000000000000002")
    assert orders.get(_id="65a000000000000000000002", select=["fine"]) == {"fine": 1}
    assert orders.get(_id=str(OWN)) == ITEM
    assert stored(raw, ObjectId("65a000000000000000000002")) == before


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("created", "2027-03-01", "string, not a date"),
        ("customer", {"id": "ann"}, "string, not an ObjectId"),
        ("tags", "new", "string, not an array"),
        ("tags", ["a", 1], "array, not a set"),
        ("tags", [["a"]], "array, not a set"),
        ("created", DatetimeMS(10**15), "date, not a date of the years 1 to 9999"),
        ("", 1, "int, not a name"),
    ],
)
def test_what_is_not_as_declared_is_named(
    orders: BoundTable, raw: Collection[dict[str, Any]], field: str, value: Any, reason: str
) -> None:
    """InvalidStoredValue with the type that is there and the one that was declared."""
    raw.insert_one({"_id": ObjectId("65a000000000000000000002"), field: value})
    with pytest.raises(InvalidStoredValue, match=reason):
        orders.get(_id="65a000000000000000000002")


def test_null_is_null_where_something_is_declared(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """Fields without a value are common."""
    raw.insert_one({"_id": ObjectId("65a000000000000000000002"), "created": None, "tags": None})
    assert orders.get(_id="65a000000000000000000002", select=["created", "tags"]) == {"created": None, "tags": None}


def test_an_empty_set_is_no_attribute(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """Sets are never empty; the empty array stays where it is."""
    raw.update_one({"_id": OWN}, {"$set": {"tags": []}})
    assert "tags" not in orders.get(_id=str(OWN))
    orders.update(_id=str(OWN), set={"note": "x"})
    found = raw.find_one({"_id": OWN})
    assert found is not None
    assert found["tags"] == []


# ---- writing ----


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"set": {"note": "x"}}, "note"),
        ({"set": {"weight": 3}}, "weight"),
        ({"add": {"pieces": 1}}, "pieces"),
        ({"remove": ["weight"]}, "weight"),
        ({"set": {"created": "2027-04-01T00:00:00.001000Z"}}, "created"),
        ({"add": {"tags": {"late"}}}, "tags"),
        ({"set": {F.customer.name: "Bob"}}, "customer"),
        ({"append": {"lines": [{"product": str(OWN), "count": 1}]}}, "lines"),
        ({"set": {F["a.b"]: 2}}, "a.b"),
        ({"set": {F["$odd"]["x.y"]: 2}}, "$odd"),
    ],
)
def test_an_update_touches_only_what_it_names(
    orders: BoundTable, raw: Collection[dict[str, Any]], changes: dict[str, Any], name: str
) -> None:
    """All other fields keep their bytes and their order."""
    before = fields(raw)
    new = orders.update(_id=str(OWN), returning="new", **changes)
    assert changed(before, fields(raw)) == {name}
    assert orders.get(_id=str(OWN)) == new


def test_parts_of_a_changed_field_keep_their_types(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """A double beside a changed name stays a double, and so do elements beside a changed one."""
    orders.update(_id=str(OWN), set={F.customer.name: "Bob", F.lines[0].count: 5})
    found = raw.find_one({"_id": OWN})
    assert found is not None
    assert list(found["customer"].items()) == [("name", "Bob"), ("id", CUSTOMER), ("rating", 4.5)]
    assert [type(line["price"]) for line in found["lines"]] == [Decimal128, float]
    assert str(found["lines"][0]["price"]) == "9.50"


def test_a_removed_element_leaves_its_neighbours(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """The elements after it move as they are."""
    second = ORDER["lines"][1]
    orders.update(_id=str(OWN), remove=[F.lines[0]])
    found = raw.find_one({"_id": OWN})
    assert found is not None
    assert found["lines"] == [{**second, "shipped": WHEN.replace(tzinfo=None)}]
    assert type(found["lines"][0]["price"]) is float


def test_set_members_keep_their_order(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """Members that stay are where they were; new ones follow."""
    orders.update(_id=str(OWN), set={"tags": {"gift", "new", "late", "early"}, "followers": {str(PRODUCT)}})
    found = raw.find_one({"_id": OWN})
    assert found is not None
    assert (found["tags"], found["followers"]) == (["new", "gift", "early", "late"], [PRODUCT])


def test_new_values_are_stored_as_declared(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """ObjectIds and dates where they are declared, int64 and Decimal128 for all numbers."""
    item = {
        "_id": "65a000000000000000000009",
        "customer": {"id": str(CUSTOMER)},
        "created": WHEN_TEXT,
        "tags": {"b", "a"},
        "count": 1,
        "price": Decimal("0.1"),
    }
    orders.create(item)
    found = raw.find_one({"_id": ObjectId("65a000000000000000000009")})
    assert found == {
        "_id": ObjectId("65a000000000000000000009"),
        "customer": {"id": CUSTOMER},
        "created": WHEN.replace(tzinfo=None),
        "tags": ["a", "b"],
        "count": Int64(1),
        "price": Decimal128("0.1"),
    }
    assert orders.get(_id="65a000000000000000000009") == item


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"created": "2027-03-01"}, "created is declared as a date"),
        ({"created": "2027-03-01T12:30:15.250001Z"}, "keeps milliseconds"),
        ({"created": 5}, "created is declared as a date"),
        ({"customer": {"id": "ann"}}, "customer.id is declared as an ObjectId"),
        ({"customer": {"id": "65A0000000000000000000C1"}}, "24 lower-case"),
        ({"lines": [{"product": 1}]}, r"lines\[\].product is declared as an ObjectId"),
        ({"tags": ["a"]}, "tags is declared as a set"),
        ({"colours": {"red"}}, "add colours to sets"),
        ({"deep": [{"colours": {"red"}}]}, r"add deep\[\].colours to sets"),
        ({"link": {"$ref": "things", "$id": 1}}, "link is a map with the name \\$ref"),
    ],
)
def test_what_the_mapping_can_not_store_is_refused(
    orders: BoundTable, raw: Collection[dict[str, Any]], attributes: dict[str, Any], reason: str
) -> None:
    """InvalidValue that names the path, and nothing is written."""
    before = stored(raw)
    for write in (
        lambda: orders.put({"_id": str(OWN), **attributes}),
        lambda: orders.create({"_id": "65a000000000000000000009", **attributes}),
        lambda: orders.update(_id=str(OWN), set=attributes),
        lambda: orders.put_many([{"_id": str(OWN), **attributes}]),
    ):
        with pytest.raises(InvalidValue, match=reason):
            write()
    assert (stored(raw), raw.count_documents({})) == (before, 1)


def test_a_key_that_is_no_object_id_is_refused(orders: BoundTable) -> None:
    """InvalidKey, before anything is sent."""
    for call in (lambda: orders.find(_id="ann"), lambda: orders.put({"_id": "ann"}), lambda: orders.delete(_id="ann")):
        with pytest.raises(InvalidKey, match="24 lower-case hexadecimal digits"):
            call()


def test_a_put_keeps_hidden_fields_and_equal_ones(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """What items don't show is not the put's; what is equal keeps its bytes."""
    before = fields(raw)
    orders.put({**ITEM, "weight": 1})
    assert changed(before, fields(raw)) == {"weight"}
    orders.put({"_id": str(OWN), "pieces": 3})
    assert fields(raw) == {name: before[name] for name in ("_id", "__v", "pieces")}


def test_a_put_replaces_what_can_not_be_read(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """Only a put with a condition has to read what was there."""
    raw.update_one({"_id": OWN}, {"$set": {"strange": Regex("a")}})
    with pytest.raises(InvalidStoredValue, match="strange"):
        orders.put({"_id": str(OWN)}, when=F.weight.exists())
    orders.put({"_id": str(OWN), "strange": 1})
    assert orders.get(_id=str(OWN)) == {"_id": str(OWN), "strange": 1}


def test_conditions_judge_what_programs_see(orders: BoundTable) -> None:
    """A double is the decimal that it prints as, in conditions and in filters."""
    is_tenth = F.lines[1].price == Decimal("0.1")
    assert [item["_id"] for item in orders.scan().where(is_tenth)] == [str(OWN)]
    assert orders.update(_id=str(OWN), set={"n": 1}, when=is_tenth, returning="new") == {**ITEM, "n": 1}
    with pytest.raises(ConditionFailed):
        orders.update(_id=str(OWN), set={"n": 2}, when=F.lines[1].price > Decimal("0.1"))


def test_creating_what_is_there_fails(orders: BoundTable) -> None:
    """AlreadyExists, as everywhere."""
    with pytest.raises(AlreadyExists):
        orders.create({"_id": str(OWN)})


def test_deletes(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """With the image before, and of what is not there."""
    assert orders.pop(_id=str(OWN)) == ITEM
    assert raw.count_documents({}) == 0
    assert orders.pop(_id=str(OWN)) is None


def test_batches(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """Puts insert and change, reads and deletes find what is there."""
    before = fields(raw)
    new = {"_id": "65a000000000000000000009", "n": 1}
    orders.put_many([{**ITEM, "pieces": 4}, new])
    assert changed(before, fields(raw)) == {"pieces"}
    keys = [{"_id": key} for key in ("65a000000000000000000009", str(OWN), "65a00000000000000000000a")]
    assert list(orders.get_many(keys)) == [new, {**ITEM, "pieces": 4}, None]
    orders.delete_many(keys)
    assert list(raw.find()) == []


def test_a_transaction_over_both_sorts(
    orders: BoundTable, raw: Collection[dict[str, Any]], admin: MongoClient[dict[str, Any]]
) -> None:
    """A check leaves a document's bytes alone, an update touches what it names; all or nothing with other tables."""
    database, name = orders.database, fresh_name()
    second = ObjectId("65a000000000000000000002")
    raw.insert_one({"_id": second, "open": True, "x": 1.5})
    own = database.table(name, partition_key="id").ensure()
    before, checked = fields(raw), stored(raw, second)
    actions: list[Action] = [
        orders.actions.update(_id=str(OWN), add={"pieces": 1}),
        orders.actions.check(_id=str(second), when=F.open == True),  # noqa: E712
        orders.actions.check(_id="65a00000000000000000000a", when=F.open.not_exists()),
        own.actions.create({"id": "a"}),
    ]
    try:
        database.transact_write(actions)
        assert (changed(before, fields(raw)), stored(raw, second)) == ({"pieces"}, checked)
        assert database.transact_get([orders.actions.get(_id=str(OWN)), own.actions.get(id="a")])[1] == {"id": "a"}
        with pytest.raises(TransactionFailed):
            database.transact_write(actions)
        assert orders.get(_id=str(OWN))["pieces"] == 4
        assert raw.count_documents({}) == 2
    finally:
        admin[DATABASE][CATALOGUE].delete_one({"_id": name})
        admin[DATABASE].drop_collection(name)


# ---- other keys ----


def test_a_key_of_two_fields(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """A unique index stands for the key; ``_id`` is not shown, and stays."""
    raw.create_index([("customer", 1), ("number", 1)], unique=True)
    raw.insert_many([{"customer": "ann", "number": number, "n": 1.5} for number in (1, 2.5, Int64(3))])
    mapping = {"partition_key": "customer", "sort_key": {"field": "number", "type": "number"}}
    with connect(mongodb_url, raw, **mapping) as database:
        table = database.tables.open("orders")
        assert [item["number"] for item in table.query(customer="ann").where(F.number >= 2)] == [Decimal("2.5"), 3]
        assert table.get(customer="ann", number=Decimal("2.5")) == {
            "customer": "ann",
            "number": Decimal("2.5"),
            "n": Decimal("1.5"),
        }
        with pytest.raises(AlreadyExists):
            table.create({"customer": "ann", "number": 1})
        table.create({"customer": "bob", "number": 1})
        with pytest.raises(InvalidValue, match="_id can't be written"):
            table.put({"customer": "ann", "number": 1, "_id": "x"})
    assert all(type(document["_id"]) is ObjectId for document in raw.find())
    assert raw.count_documents({}) == 4


def test_a_double_and_a_decimal_are_the_same_key(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """The server holds them for two, programs see one: it is found, and not created a second time."""
    raw.insert_one({"_id": 0.1, "n": 1})
    with connect(mongodb_url, raw, partition_key={"field": "_id", "type": "number"}) as database:
        table = database.tables.open("orders")
        assert table.get(_id=Decimal("0.1")) == {"_id": Decimal("0.1"), "n": 1}
        with pytest.raises(AlreadyExists):
            table.create({"_id": Decimal("0.1")})
        table.put({"_id": Decimal("0.1"), "n": 2})
        assert list(table.query(_id=Decimal("0.1"))) == [{"_id": Decimal("0.1"), "n": 2}]
    assert list(raw.find()) == [{"_id": 0.1, "n": 2}]


def test_a_key_inside_of_the_id(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """Its fields are attributes; queries read ranges of whole ids."""
    raw.insert_many(
        [{"_id": {"customer": name, "on": WHEN.replace(day=day)}, "n": day} for name in "ab" for day in (1, 2, 3)]
    )
    mapping = {"partition_key": "_id.customer", "sort_key": "_id.on", "dates": ["_id.on"]}
    with connect(mongodb_url, raw, **mapping) as database:
        table = database.tables.open("orders")
        found = list(table.query(customer="a").where(F.on.begins_with("2027-03-02")))
        assert found == [{"customer": "a", "on": "2027-03-02T12:30:15.250000Z", "n": 2}]
        assert [item["n"] for item in table.query(customer="b").where(F.on > found[0]["on"])] == [3]
        table.update(customer="a", on=found[0]["on"], add={"n": 5})
        assert table.query(customer="a").descending().first() == {
            "customer": "a", "on": "2027-03-03T12:30:15.250000Z", "n": 3,
        }  # fmt: skip
    assert raw.find_one({"_id": {"customer": "a", "on": WHEN.replace(day=2)}})["n"] == 7  # type: ignore[index]


def test_another_unique_value_is_no_key(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """UniqueViolation, neither AlreadyExists nor a lost write."""
    raw.create_index("mail", unique=True)
    raw.insert_many([{"_id": "a", "mail": "a@b"}, {"_id": "b", "mail": "b@b"}])
    with connect(mongodb_url, raw, partition_key="_id") as database:
        table = database.tables.open("orders")
        writes: tuple[Callable[[], object], ...] = (
            lambda: table.create({"_id": "c", "mail": "a@b"}),
            lambda: table.put({"_id": "b", "mail": "a@b"}),
            lambda: table.update(_id="b", set={"mail": "a@b"}),
        )
        for write in writes:
            with pytest.raises(UniqueViolation, match="a unique index allows once"):
                write()


def test_a_part_of_the_key_that_is_unique(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """The same key is there already; another key with that part is a unique value."""
    raw.create_index([("customer", 1), ("_id", 1)])
    raw.insert_one({"_id": "1", "customer": "ann"})
    with connect(mongodb_url, raw, partition_key="customer", sort_key="_id") as database:
        table = database.tables.open("orders")
        with pytest.raises(AlreadyExists):
            table.create({"customer": "ann", "_id": "1"})
        with pytest.raises(UniqueViolation):
            table.put({"customer": "bob", "_id": "1"})
        assert list(table.query(customer="ann").where(F["_id"] >= "1")) == [{"customer": "ann", "_id": "1"}]


def test_a_document_without_the_key_is_named(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """InvalidStoredValue that says which field is missing."""
    raw.create_index("customer", unique=True)
    raw.insert_one({"n": 1})
    with connect(mongodb_url, raw, partition_key="customer") as database:
        scan = database.tables.open("orders").scan()
        with pytest.raises(InvalidStoredValue, match="has no field customer"):
            list(scan)


# ---- expiry ----


def test_a_date_of_expiry_is_seconds(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """A date with a TTL index is the contract's expiry time; an expired item is absent."""
    raw.create_index("gone", expireAfterSeconds=0)
    raw.insert_one({"_id": "a", "gone": datetime(2100, 1, 1, tzinfo=UTC)})
    mapping = {"partition_key": "_id", "dates": ["gone"], "ttl": "gone", "collection": raw.name}
    now = [4_000_000_000.0]
    with isthmus.connect(
        in_database(mongodb_url), mongodb={"mappings": {"orders": mapping}}, clock=lambda: now[0]
    ) as database:
        table = database.tables.open("orders")
        assert table.get(_id="a") == {"_id": "a", "gone": 4_102_444_800}
        table.put({"_id": "b", "gone": Decimal("4000000001.5")})
        gone = datetime(2096, 10, 2, 7, 6, 41, 500_000, tzinfo=UTC)
        assert raw.find_one({"_id": "b"}) == {"_id": "b", "gone": gone.replace(tzinfo=None)}
        now[0] = 4_000_000_001.5
        assert (table.find(_id="b"), [item["_id"] for item in table.scan()]) == (None, ["a"])


# ---- tables ----


def test_mapped_tables_are_listed_and_described(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """By the names of the mapping."""
    assert "orders" in orders.database.tables.list()
    assert raw.name not in orders.database.tables.list()
    assert orders.database.tables.describe("orders").key_names == ("_id",)


def test_ensure_verifies_and_creates_nothing(orders: BoundTable, admin: MongoClient[dict[str, Any]]) -> None:
    """A fitting declaration is accepted, another one is reported."""
    orders.database.table("orders", partition_key="_id").ensure()
    with pytest.raises(SchemaMismatch, match="partition_key"):
        orders.database.table("orders", partition_key="id").ensure()
    with pytest.raises(SchemaMismatch, match="mapped with another key"):
        orders.database.table("orders", partition_key="id").find(id="a")
    assert "orders" not in admin[DATABASE].list_collection_names()
    assert admin[DATABASE][CATALOGUE].find_one({"_id": "orders"}) is None


def test_a_mapped_collection_is_not_dropped(orders: BoundTable, raw: Collection[dict[str, Any]]) -> None:
    """It is not Isthmus's."""
    with pytest.raises(InvalidArgument, match="does not drop"):
        orders.drop()
    assert raw.count_documents({}) == 1


def test_a_collection_that_is_not_there(mongodb_url: str) -> None:
    """TableNotFound that names it, and nothing is made."""
    mappings = {"orders": {"collection": fresh_name(), "partition_key": "_id"}}
    with isthmus.connect(in_database(mongodb_url), mongodb={"mappings": mappings}) as database:
        assert "orders" not in database.tables.list()
        with pytest.raises(TableNotFound, match=re.escape(mappings["orders"]["collection"])):
            database.table("orders", partition_key="_id").ensure()
        assert mappings["orders"]["collection"] not in database.native()[DATABASE].list_collection_names()


def test_a_collection_without_a_mapping_says_what_to_do(mongodb_url: str, raw: Collection[dict[str, Any]]) -> None:
    """TableNotFound that names the collection and the way to declare it."""
    with (
        isthmus.connect(in_database(mongodb_url)) as database,
        pytest.raises(TableNotFound, match=f"the collection '{raw.name}' does.*mappings"),
    ):
        database.tables.open(raw.name)


def test_a_table_of_isthmus_is_not_mapped(mongodb_url: str, admin: MongoClient[dict[str, Any]]) -> None:
    """Its documents have a form of their own."""
    name = fresh_name()
    with isthmus.connect(in_database(mongodb_url)) as database:
        database.table(name, partition_key="id").ensure()
    try:
        mappings = {"orders": {"collection": name, "partition_key": "_id"}}
        with (
            isthmus.connect(in_database(mongodb_url), mongodb={"mappings": mappings}) as database,
            pytest.raises(SchemaMismatch, match="is a table of Isthmus"),
        ):
            database.tables.open("orders")
    finally:
        admin[DATABASE][CATALOGUE].delete_one({"_id": name})
        admin[DATABASE].drop_collection(name)


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"partition_key": "customer"}, r"no unique index covers the key: create a unique index on {'customer': 1}"),
        (
            {"partition_key": "number", "sort_key": "_id"},
            r"no index serves the key: create an index on {'number': 1, '_id': 1}",
        ),
        ({"partition_key": "_id", "indexes": {"by-state": {"partition_key": "state"}}}, r"no index serves 'by-state'"),
        ({"partition_key": "_id", "indexes": {"by-some": {"partition_key": "some"}}}, r"no index serves 'by-some'"),
        ({"partition_key": "_id", "dates": ["gone"], "ttl": "gone"}, "no index lets documents expire at 'gone'"),
    ],
)
def test_a_missing_index_is_named(
    mongodb_url: str, raw: Collection[dict[str, Any]], mapping: dict[str, Any], problem: str
) -> None:
    """SchemaMismatch that says which one to create; partial ones and those of a language don't count."""
    raw.create_index("state", collation={"locale": "en"})
    raw.create_index("some", partialFilterExpression={"some": {"$gt": 5}})
    with connect(mongodb_url, raw, **mapping) as database, pytest.raises(SchemaMismatch, match=problem):
        database.tables.open("orders")
