"""Properties of mapped collections: what programs see decides, whatever types others stored."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st
from pymongo.collection import Collection

import isthmus
from isthmus import BoundTable, F
from isthmus.errors import InvalidStoredValue
from isthmus.evaluate import matches
from isthmus.expressions import Condition
from isthmus_mongodb.mapped_changes import changed_fields
from isthmus_mongodb.mapped_keys import forms, greatest, least
from isthmus_mongodb.mapped_values import decode, decode_item
from isthmus_mongodb.mappings import Node, read_mapping
from isthmus_mongodb.values import CODEC_OPTIONS
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name, in_database

NEAR = [0.1, 0.3, 0.1 + 0.2, 1e23, 2.0**60, 5.0, -0.0, 2.5]
DECIMALS = [
    "0.1",
    "0.10",
    "0.3",
    "0.30000000000000004",
    "0.1000000000000000055511151231257827",
    "1E+23",
    "5",
    "5.0",
    "0",
    "2.5",
]
stored_numbers = st.one_of(
    st.sampled_from(NEAR),
    st.sampled_from(DECIMALS).map(Decimal128),
    st.sampled_from([0, 5, -7]),
    st.sampled_from([Int64(5), Int64(2**60), Int64(2**63 - 1)]),
    st.floats(-1e30, 1e30).filter(lambda number: not 0 < abs(number) < 1e-100),
)
stored_values = st.recursive(
    st.one_of(stored_numbers, st.none(), st.booleans(), st.sampled_from(["", "a", "ab", "b"]), st.just(b"a")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["x", "y", "a.b", "$z", "0"]), inner, max_size=3)
    ),
    max_leaves=5,
)
stored_documents = st.dictionaries(st.sampled_from(["a", "b", "a.b", "$c", "__v"]), stored_values, max_size=4)
constants = stored_values.map(lambda value: decode(value, Node()))
paths = st.sampled_from([F.a, F.b, F.a.x, F.a[0], F["a.b"], F["$c"], F.a["a.b"], F.b[0].x])


def conditions() -> st.SearchStrategy[Condition]:
    """Comparisons and functions, nested a little."""
    orderable = constants.filter(lambda value: type(value) in (int, Decimal, str, bytes))
    leaves = st.one_of(
        st.builds(lambda path, value: path == value, paths, constants),
        st.builds(lambda path, value: path != value, paths, constants),
        st.builds(lambda path, value: path < value, paths, orderable),
        st.builds(lambda path, value: path >= value, paths, orderable),
        st.builds(lambda path, values: path.in_(values), paths, st.lists(constants, min_size=1, max_size=3)),
        st.builds(lambda path: path.exists(), paths),
        st.builds(lambda path: path.begins_with("a"), paths),
        st.builds(lambda path, value: path.contains(value), paths, constants),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda left, right: left & right, inner, inner),
            st.builds(lambda left, right: left | right, inner, inner),
            st.builds(lambda one: ~one, inner),
        ),
        max_leaves=3,
    )


@pytest.fixture(scope="module")
def raw(mongodb_url: str) -> Iterator[Collection[dict[str, Any]]]:
    """A collection of somebody else."""
    with driver(mongodb_url) as client:
        found = client[DATABASE].get_collection(fresh_name(), CODEC_OPTIONS)
        client[DATABASE].create_collection(found.name)
        yield found
        found.drop()


@pytest.fixture(scope="module")
def table(mongodb_url: str, raw: Collection[dict[str, Any]]) -> Iterator[BoundTable]:
    """The table over it."""
    mappings = {"mapped": {"collection": raw.name, "partition_key": "_id"}}
    with isthmus.connect(in_database(mongodb_url), mongodb={"mappings": mappings}) as database:
        yield database.tables.open("mapped")


MAPPING = read_mapping("mapped", {"partition_key": "_id"})


@given(st.lists(stored_documents, min_size=1, max_size=3), conditions())
def test_filters_find_what_the_evaluator_finds(
    raw: Collection[dict[str, Any]], table: BoundTable, documents: list[dict[str, Any]], condition: Condition
) -> None:
    """The server leaves out nothing that fulfils the condition, and nothing else passes."""
    raw.delete_many({})
    raw.insert_many([{**document, "_id": str(place)} for place, document in enumerate(documents)])
    items = [decode_item(MAPPING, {**document, "_id": str(place)}) for place, document in enumerate(documents)]
    assert list(table.scan().where(condition)) == [item for item in items if matches(condition, item)]


@given(stored_documents, stored_documents)
def test_a_put_leaves_equal_fields_alone(
    raw: Collection[dict[str, Any]], table: BoundTable, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Afterwards the item is what was put; what was equal before has its old stored form."""
    raw.delete_many({})
    raw.insert_one({**before, "_id": "k"})
    item = decode_item(MAPPING, {**after, "_id": "k"})
    table.put(item)
    found = raw.find_one({"_id": "k"})
    assert found is not None
    assert table.get(_id="k") == item
    old = decode_item(MAPPING, {**before, "_id": "k"})
    kept = [name for name in before if name.startswith("__") or (name in item and old[name] == item[name])]
    assert [(name, repr(found[name])) for name in kept] == [(name, repr(before[name])) for name in kept]


@given(stored_documents, stored_documents)
def test_changes_are_only_what_differs(before: dict[str, Any], after: dict[str, Any]) -> None:
    """No change at all where the items are equal."""
    item = decode_item(MAPPING, {**after, "_id": "k"})
    changes = changed_fields(MAPPING, {**before, "_id": "k"}, item)
    old = decode_item(MAPPING, {**before, "_id": "k"})
    assert {name for name in {*old, *item} if (name in old) != (name in item)} <= set(changes)
    assert changed_fields(MAPPING, {**after, "_id": "k"}, item) == {}


@given(stored_numbers, stored_numbers)
def test_ranges_of_numbers_are_wide_enough(raw: Collection[dict[str, Any]], stored: Any, bound: Any) -> None:
    """The server finds each stored number that reads as one inside of the range, and each form of a number."""
    raw.delete_many({})
    raw.insert_one({"_id": "k", "n": stored})
    seen, limit = decode(stored, Node()), decode(bound, Node())
    found = {
        "above": raw.count_documents({"n": {"$gte": least(limit)}}) == 1,
        "below": raw.count_documents({"n": {"$lte": greatest(limit)}}) == 1,
        "same": raw.count_documents({"n": {"$in": forms(limit)}}) == 1,
    }
    wanted = {"above": seen >= limit, "below": seen <= limit, "same": seen == limit}
    assert [name for name in wanted if wanted[name] and not found[name]] == []


@given(st.lists(stored_numbers, min_size=1, max_size=6), st.integers(1, 3), st.booleans())
def test_pages_of_numbers_lose_and_repeat_nothing(
    mongodb_url: str, raw: Collection[dict[str, Any]], numbers: list[Any], size: int, forward: bool
) -> None:
    """Of an index over doubles and decimals; where a double is too close to a decimal, that is said instead."""
    raw.delete_many({})
    raw.insert_many([{"_id": str(place), "g": "x", "n": number} for place, number in enumerate(numbers)])
    raw.create_index([("g", 1), ("n", 1)])
    index = {"partition_key": "g", "sort_key": {"name": "n", "type": "number"}}
    mappings = {"mapped": {"collection": raw.name, "partition_key": "_id", "indexes": {"by-number": index}}}
    with isthmus.connect(in_database(mongodb_url), mongodb={"mappings": mappings}) as database:
        query = database.tables.open("mapped").query(g="x", index="by-number").consistent()
        query = query if forward else query.descending()
        try:
            found = [item for page in query.pages(size=size) for item in page.items]
        except InvalidStoredValue:
            assert float in map(type, numbers)
            assert Decimal128 in map(type, numbers)
            return
    assert sorted(str(item["_id"]) for item in found) == sorted(str(place) for place in range(len(numbers)))
