"""Ranges of ``_id``: documents of all types, what can't be read, and what transactions hold."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

import isthmus
from isthmus import BoundTable, Database, Table
from isthmus.errors import TableNotFound
from isthmus.slices import slice_reader
from isthmus.values import Item
from isthmus_mongodb.raw_ids import raw_id
from plugins.mongodb.tests.locking import Holder, State
from plugins.mongodb.tests.servers import driver, failing, fresh_name, in_database
from tests.slices.reading import Reading, count_all, read_all

Raw = Collection[dict[str, Any]]

ODD: list[Any] = [
    None, True, False, MinKey(), MaxKey(), datetime(2020, 1, 1, tzinfo=UTC), Timestamp(1, 2), Code("x"),
    Code("x", {"a": 1}), DBRef("other", 1), {}, {"$ref": "other", "$id": 2, "more": 3}, "", b"", Int64(2**62),
    float("inf"), float("nan"), {"a": {"b": MaxKey()}},
]  # fmt: skip
MIXED: list[Any] = [
    *range(60), *(f"s{n}" for n in range(50)), *(ObjectId() for _ in range(40)), *({"a": n} for n in range(20)),
    *(n + 0.5 for n in range(20)), *(Decimal128(f"{n}.25") for n in range(15)), *(bytes([n]) for n in range(10)),
    *(Binary(uuid.UUID(int=n).bytes, 4) for n in range(10)), *ODD,
]  # fmt: skip


@pytest.fixture
def name() -> str:
    """A collection that no other test uses."""
    return fresh_name()


@pytest.fixture
def database(mongodb_url: str, name: str) -> Iterator[Database]:
    """A database with a collection that is somebody else's."""
    mapping = {"partition_key": "_id"}
    with isthmus.connect(in_database(mongodb_url), mongodb={"mappings": {name: mapping}}) as opened:
        yield opened


@pytest.fixture
def raw(mongodb_url: str, name: str) -> Iterator[Raw]:
    """That collection, empty."""
    with driver(in_database(mongodb_url)) as client:
        found = client.get_default_database()[name]
        yield found
        found.drop()


def _ids(reading: Reading) -> Counter[bytes]:
    """How often each ``_id`` was read, as it is stored; those that are no text can't be keys of the table."""
    found = Counter(raw_id(one.original or b"") for one in reading.unreadable)
    for (text,), times in reading.items.items():
        found[bson.encode({"_id": text})] += times
    return found


def _once(ids: list[Any]) -> dict[bytes, int]:
    return {bson.encode({"_id": one}): 1 for one in ids}


def _mapped(database: Database, name: str) -> Table:
    return database.tables.describe(name)


@pytest.mark.parametrize(("wanted", "items"), [(1, 1_000), (5, 7), (40, 3), (300, 50)])
def test_documents_of_all_types_are_read_once(database: Database, raw: Raw, name: str, wanted: int, items: int) -> None:
    """As their own bytes say, and where filters by range would leave some out."""
    raw.insert_many([{"_id": one, "n": 1} for one in MIXED])
    found = read_all(database, _mapped(database, name), wanted=wanted, items=items, chance=random.Random(items))
    assert _ids(found) == _once(MIXED)
    assert (found.largest <= items, found.units) == (True, min(wanted, found.units))
    assert {one.form for one in found.unreadable} == {"bson"}


@pytest.mark.parametrize(("wanted", "items"), [(1, 1_000), (40, 3)])
def test_documents_of_all_types_are_counted_once(
    database: Database, raw: Raw, name: str, wanted: int, items: int
) -> None:
    """Whether they can be read or not; the index alone is asked."""
    raw.insert_many([{"_id": one, "n": 1} for one in MIXED])
    counts = count_all(database, _mapped(database, name), wanted=wanted, items=items)
    assert (sum(counts), max(counts) <= items) == (len(MIXED), True)


def test_ranges_of_filters_would_leave_documents_out(raw: Raw) -> None:
    """So the documents above are a test of what they are for."""
    raw.insert_many([{"_id": one} for one in MIXED])
    buckets = list(raw.aggregate([{"$bucketAuto": {"groupBy": "$_id", "buckets": 5}}]))
    bounds = [bucket["_id"]["min"] for bucket in buckets]
    between = [{"_id": {"$gte": low, "$lt": high}} for low, high in pairwise(bounds)]
    naive = [*between, {"_id": {"$gte": bounds[-1]}}]
    assert sum(raw.count_documents(one) for one in naive) < len(MIXED)


def test_a_large_collection_is_divided_by_a_sample(database: Database, raw: Raw, name: str) -> None:
    """Its units are of about one size, and hold everything."""
    ids = [ObjectId() for _ in range(2_000)] + [str(n) for n in range(2_400)]
    raw.insert_many([{"_id": one} for one in ids])
    table = _mapped(database, name)
    reader = slice_reader(database, table)
    sizes = []
    for unit in reader.units(2):
        found = reader.read(unit, None, items=10_000)
        sizes.append(len(found.items) + len(found.unreadable))
    assert (sum(sizes), min(sizes) > 1_000) == (4_400, True)


def test_what_is_written_beyond_all_others_is_in_the_last_unit(database: Database, raw: Raw, name: str) -> None:
    """Units leave nothing out in front, between and behind, whenever it comes."""
    raw.insert_many([{"_id": f"m{n:03}"} for n in range(50)])
    table = _mapped(database, name)
    reader = slice_reader(database, table)
    units = reader.units(4)
    new = ["", "a", "m010x", "z", 5, ObjectId(), MinKey(), MaxKey()]
    raw.insert_many([{"_id": one} for one in new])
    found = [reader.read(unit, None, items=1_000) for unit in units]
    assert sum(len(one.items) + len(one.unreadable) for one in found) == 58
    assert len(units) == 4


def test_originals_are_the_stored_bytes(database: Database, raw: Raw, name: str) -> None:
    """Of documents that the driver can't decode too; the others of the answer are items."""
    damaged = bson.encode({"_id": "b", "text": "ABCD"}).replace(b"ABCD", b"\xff\xfe\xfd\xfc")
    foreign = bson.encode({"_id": "c", "link": ObjectId(), "code": Code("x"), "number": Int64(1)})
    raw.insert_many([RawBSONDocument(one) for one in (bson.encode({"_id": "a"}), damaged, foreign)])
    found = slice_reader(database, _mapped(database, name)).read('{"from_id": null, "to_id": null}', None, items=9)
    assert found.items == ({"_id": "a"},)
    assert [(one.original, one.key) for one in found.unreadable] == [(damaged, None), (foreign, {"_id": "c"})]


def test_large_documents_end_a_slice(database: Database, raw: Raw, name: str) -> None:
    """An answer of the server's ends at 16 MB; no document beyond is taken for the end of the unit."""
    raw.insert_many([{"_id": f"{n}", "text": "x" * 5_000_000} for n in range(8)])
    found = read_all(database, _mapped(database, name), wanted=1, items=100, size=100_000_000, chance=random.Random(0))
    assert (found.items, found.slices) == ({(f"{n}",): 1 for n in range(8)}, 1)
    small = read_all(database, _mapped(database, name), wanted=1, items=100, size=8_000_000, chance=random.Random(0))
    assert (small.items, small.slices) == (found.items, 5)  # the last one is empty: only then has the unit ended


def test_a_lost_connection_is_repeated(mongodb_url: str, raw: Raw, name: str) -> None:
    """As for other operations: the reader's requests go through the core's retries."""
    raw.insert_many([{"_id": f"{n}"} for n in range(8)])
    url = in_database(mongodb_url, f"appName={name}")
    with isthmus.connect(url, mongodb={"mappings": {name: {"partition_key": "_id"}}}) as database:
        table = _mapped(database, name)
        data = {"failCommands": ["find"], "closeConnection": True}
        with failing(raw.database.client, name, data, {"times": 1}):
            found = read_all(database, table, wanted=1, items=5, chance=random.Random(0))
    assert found.items == {(f"{n}",): 1 for n in range(8)}


def test_a_table_that_was_dropped_is_not_taken_for_an_empty_one(database: Database, mongodb_url: str) -> None:
    """Although this client believes for a second that it is there."""
    table = database.table(fresh_name(), partition_key="id").ensure()
    table.put_many([{"id": f"{n}"} for n in range(10)]).raise_for_failures()
    reader = slice_reader(database, table.schema)
    (unit,) = reader.units(1)
    cursor = reader.read(unit, None, items=5).cursor
    with isthmus.connect(in_database(mongodb_url)) as other:
        other.tables.drop(table.name)
    with pytest.raises(TableNotFound):
        reader.read(unit, cursor, items=5)


@pytest.mark.parametrize(("state", "n"), [("committed", 77), ("aborted", 10)])
def test_items_that_a_transaction_holds_are_read_as_scans_read_them(
    table_alone: BoundTable, state: State, n: int
) -> None:
    """The image that counts, whoever left the lock; what a transaction removed is absent."""
    after: dict[str, Item | None] = {
        "held": {"id": "held", "n": 77, "group": "g"},
        "going": None,
        "new": {"id": "new", "n": 77},
    }
    Holder(table_alone, state).hold(after)
    read = read_all(table_alone.database, table_alone.schema, wanted=2, items=1, chance=random.Random(0))
    items = slice_reader(table_alone.database, table_alone.schema).read(
        '{"from_id": null, "to_id": null}', None, items=9
    )
    assert sorted(map(str, items.items)) == sorted(map(str, table_alone.scan()))
    assert {item["id"]: item["n"] for item in items.items}["held"] == n
    assert (read.items, items.held) == ({(item["id"],): 1 for item in table_alone.scan()}, ())
    counts = count_all(table_alone.database, table_alone.schema, wanted=2, items=1)
    assert sum(counts) == len(list(table_alone.scan()))


@pytest.mark.parametrize("value", MIXED[::9] + ODD, ids=lambda value: type(value).__name__)
def test_ids_keep_their_bytes(value: Any) -> None:
    """Of each type that the server takes."""
    alone = bson.encode({"_id": value})
    assert raw_id(bson.encode({"_id": value, "n": 1, "text": "x"})) == alone
    assert raw_id(alone) == alone
    assert raw_id(bson.encode({"n": 1, "_id": "late"})) == bson.encode({"_id": "late"})
