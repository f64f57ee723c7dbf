"""Items as documents, and back."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import example, given
from hypothesis import strategies as st
from pymongo.collection import Collection

from isthmus import Index, Table
from isthmus.errors import InvalidStoredValue
from isthmus.values import Item, equal, item_digest
from isthmus_conformance.profiles import profile
from isthmus_conformance.strategies import items, keys, values
from isthmus_mongodb.layouts import layout_of
from isthmus_mongodb.values import (
    CODEC_OPTIONS,
    decode_item,
    decode_key,
    encode_item,
    encode_key,
    encode_value,
    expiry_date,
    moment,
)

TABLE = Table("items", ("k", bytes), ("$n", int))
PLAIN = Table("items", "id")
LAYOUT = layout_of(TABLE)
TYPES_WRITTEN = {"dict", "list", "str", "bytes", "bool", "NoneType", "Int64", "Decimal128"}


def through_bson(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the driver brings it back."""
    return bson.decode(bson.encode(document), codec_options=CODEC_OPTIONS)


def types_of(value: Any) -> set[str]:
    """The types of a decoded document's values."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value).__name__}.union(*map(types_of, inner))


@given(items(TABLE, few_keys=False))
def test_items_come_back(item: Item) -> None:
    """With the same types, so that digests are the same."""
    back = decode_item(LAYOUT, through_bson(encode_item(LAYOUT, item)))
    assert (equal(back, item), item_digest(back)) == (True, item_digest(item))


@given(items(TABLE, few_keys=False))
def test_documents_hold_no_doubles_and_no_small_integers(item: Item) -> None:
    """Integers are int64 or Decimal128, never int32 or double (rules NUM-3, NUM-4)."""
    assert types_of(through_bson(encode_item(LAYOUT, item))) <= TYPES_WRITTEN


@given(st.dictionaries(st.text("ab%$.z", min_size=1, max_size=3), values(), max_size=4))
@example({"a": 1, "b": {"y": 1, "z": 2}})
@example({"a": 1, "a.b": 2})
def test_equal_maps_are_equal_bytes(value: dict[str, Any]) -> None:
    """The order in which a map was made has no meaning (rule COL-4)."""
    backwards = dict(reversed(value.items()))
    assert bson.encode({"v": encode_value(value)}) == bson.encode({"v": encode_value(backwards)})


@given(values(), values())
def test_different_values_are_different_bytes(one: Any, two: Any) -> None:
    """Nothing that a user stores can pass for a set or for a value of another type."""
    same = bson.encode({"v": encode_value(one)}) == bson.encode({"v": encode_value(two)})
    assert same == equal(one, two)


def test_layout_of_a_document() -> None:
    """What is stored, which can't change any more."""
    table = Table("items", ("k", bytes), ("n", int), [Index("by-hash", ("hash", bytes))], ttl="until")
    item = {
        "k": b"\x01\xff", "n": 5, "hash": b"\xab", "until": 1_800_000_000, "_id": True, "set": frozenset({2, 1}),
        "m": {"b": None, "a.b": Decimal("1.50").normalize()},
    }  # fmt: skip
    assert repr(encode_item(layout_of(table), item)) == repr({
        "_id": {"k": "01ff", "n": 5}, "hash": b"\xab", "until": 1_800_000_000, "%5Fid": True, "set": {"%NS": [1, 2]},
        "m": {"a%2Eb": bson.Decimal128("1.5"), "b": None}, "__ix_hash": "ab",
        "__exp": DatetimeMS(1_800_000_000_000),
    })  # fmt: skip


FOREIGN = [
    bson.ObjectId("6a0000000000000000000001"), dt.datetime(2027, 1, 1),  # noqa: DTZ001  # dates in documents have no zone
    bson.Regex("a"), bson.Code("x"), bson.Timestamp(1, 1), bson.MinKey(),
    bson.DBRef("a", 1), bson.Binary(b"x", 4), float("nan"), float("inf"), 1e300, bson.Decimal128("NaN"),
    bson.Decimal128("1E200"), {"%SS": []}, {"%SS": [1]}, {"%NS": ["a"]}, {"%SS": "a"}, {"%BS": [b"a"], "x": 1},
    {"%NS": [True]}, {"%xx": 1},
]  # fmt: skip


@pytest.mark.parametrize("value", FOREIGN, ids=repr)
def test_foreign_values_are_refused_with_their_place(value: Any) -> None:
    """A type that Isthmus does not write is named with its path (rule TYP-3)."""
    document = through_bson({"_id": {"id": "1"}, "ok": 1, "m": {"l": [0, value]}})
    with pytest.raises(InvalidStoredValue, match=re.escape("m.l[1]") + "|did not write"):
        decode_item(layout_of(PLAIN), document)


@pytest.mark.parametrize(
    "key", [bson.ObjectId("6a0000000000000000000001"), "1", {"other": "1"}, {"id": "1", "x": 2}, {}]
)
def test_foreign_keys_are_refused(key: Any) -> None:
    """An ``_id`` of another shape belongs to another program."""
    with pytest.raises(InvalidStoredValue, match="_id"):
        decode_item(layout_of(PLAIN), {"_id": key, "a": 1})


@pytest.mark.parametrize(("stored", "expected"), [(0.5, Decimal("0.5")), (3.0, 3), (0.1, Decimal("0.1")), (7, 7)])
def test_numbers_of_others_are_read(stored: float, expected: Decimal | int) -> None:
    """Finite doubles as the decimals that they print as, and small integers."""
    found = decode_item(layout_of(PLAIN), through_bson({"_id": {"id": "1"}, "a": stored}))["a"]
    assert (type(found), found) == (type(expected), expected)


@given(items(TABLE, few_keys=False))
def test_reading_leaves_the_document_alone(item: Item) -> None:
    """Compare-and-swap sends it back, to find the stored one unchanged."""
    document = through_bson(encode_item(LAYOUT, item))
    before = bson.encode(document)
    decode_item(LAYOUT, document)
    assert bson.encode(document) == before


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_800_000_000, 1_800_000_000_000),
        (Decimal("1800000000.0001"), 1_800_000_000_001),
        (0, 0),
        (253_402_300_799, 253_402_300_799_000),
        (253_402_300_800, None),
        (10**100, None),
        (-1, None),
        ("1800000000", None),
        (None, None),
        (True, None),
    ],
)
def test_expiry_dates(value: Any, expected: int | None) -> None:
    """Only a number expires an item, and what the server deletes is expired already."""
    date = expiry_date(value)
    assert (None if date is None else int(date)) == expected


@given(st.floats(0, 4e9), st.integers(-3, 3))
def test_moments_compare_as_python_compares(now: float, distance: int) -> None:
    """``expires <= now`` is decided alike on both sides, to the last binary digit."""
    expires = (Decimal(now) + distance).quantize(Decimal("1E-6"))
    stored = Decimal(str(moment(now)))
    assert (expires <= stored) == (expires <= now)


@pytest.mark.parametrize("kind", ["string", "number", "binary"])
def test_keys_sort_on_the_server_as_they_sort_here(collection: Collection[dict[str, Any]], kind: Any) -> None:
    """Partitions and sort keys, through the index of ``_id`` (rules KEY-7, BIN-1, STR-1)."""
    layout = layout_of(Table("items", ("a", kind), ("b", kind)))

    @profile()
    @given(st.lists(st.tuples(keys(kind), keys(kind)), min_size=2, max_size=8, unique=True))
    def compare(pairs: list[tuple[Any, Any]]) -> None:
        collection.delete_many({})
        collection.insert_many([{"_id": encode_key(layout, {"a": a, "b": b})} for a, b in pairs])
        found = [decode_key(layout, document["_id"]) for document in collection.find().sort("_id")]
        assert [(key["a"], key["b"]) for key in found] == sorted(pairs)

    compare()


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("string", 5),
        ("number", "5"),
        ("number", True),
        ("binary", 5),
        ("binary", "abc"),
        ("binary", "AB"),
        ("binary", "xy"),
    ],
)
def test_a_stored_key_of_another_type_is_refused(kind: Any, stored: Any) -> None:
    """It would be read as a key that finds nothing."""
    layout = layout_of(Table("items", ("id", kind)))
    with pytest.raises(InvalidStoredValue):
        decode_key(layout, {"id": stored})
