"""Conditions on the server against the evaluator."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.collection import Collection

from isthmus import F, Table
from isthmus.evaluate import matches
from isthmus.expressions import Condition
from isthmus.values import Item
from isthmus_conformance.profiles import profile
from isthmus_conformance.strategies import ATTRIBUTES, items
from isthmus_conformance.trees import conditions
from isthmus_mongodb.filters import filter_of
from isthmus_mongodb.layouts import layout_of
from plugins.mongodb.tests.running import Bench

Documents = Collection[dict[str, Any]]

TABLES = [
    Table("items", "size"),
    Table("items", ("b", bytes), ("size", int)),
    Table("items", ("a.b", int), ("b", bytes)),
]
PLAIN = Table("items", "id")


def found(bench: Bench, condition: Condition) -> list[Item]:
    """What the server finds, in the order of keys."""
    query = filter_of(condition, bench.place.layout).query
    return [bench.decoded(document) for document in bench.collection.find(query or {}).sort("_id")]


def check(bench: Bench, condition: Condition) -> None:
    """An exact filter finds what the evaluator says, any other one leaves nothing of that out."""
    expected = [item for item in bench.items() if matches(condition, item)]
    if filter_of(condition, bench.place.layout).exact:
        assert found(bench, condition) == expected
    else:
        assert [item for item in found(bench, condition) if matches(condition, item)] == expected


@pytest.mark.parametrize("table", TABLES, ids=["string key", "binary and number", "number and binary"])
def test_filters_agree_with_the_evaluator(collection: Documents, table: Table) -> None:
    """Conditions on attributes and keys of every type, over items that were made to be mistaken."""
    bench = Bench(collection, table)
    unique = st.lists(
        items(table, few_keys=False), min_size=6, max_size=10, unique_by=lambda item: repr(table.key_of(item))
    )

    @profile()
    @given(unique, st.lists(conditions(ATTRIBUTES), min_size=4, max_size=8))
    def compare(stored: list[Item], wanted: list[Condition]) -> None:
        bench.store(*stored)
        for condition in wanted:
            check(bench, condition)

    compare()


NUMBERS = [F.a == 1, F.a >= Decimal("1.5"), F.a.between(1, 2), F.a.in_([1, "x"]), F.a.exists(), F.a.is_type("map")]
BINARY = [F.a < b"ab", F.a.begins_with(b"a"), F.a.contains(b"a"), F.a < F.b]


@pytest.mark.parametrize(("condition", "exact"), [*((one, True) for one in NUMBERS), *((one, False) for one in BINARY)])
def test_only_the_order_and_the_parts_of_binary_values_need_the_evaluator(condition: Condition, exact: bool) -> None:
    """Everything else is exact on the server (rules BIN-1, BIN-4)."""
    assert filter_of(condition, layout_of(PLAIN)).exact == exact


@pytest.mark.parametrize(
    ("condition", "narrowing"),
    [
        (F.a == 1, {"a": {"$eq": 1}}),
        (F["a.b"].x >= "q", {"a%2Eb.x": {"$gte": "q"}}),
        ((F.a == 1) & ~(F.b == 1), {"$and": [{"a": {"$eq": 1}}]}),
        ((F.a == 1) | (F.b == 2), {"$or": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}),
    ],
)
def test_indexes_can_serve_a_part(condition: Condition, narrowing: dict[str, Any]) -> None:
    """A plain predicate stands beside the exact expression, as only that decides for an index."""
    query = filter_of(condition, layout_of(PLAIN)).query
    assert query is not None
    assert query["$and"][0] == narrowing


@pytest.mark.parametrize("condition", [~(F.a == 1), (F.a == 1) | ~(F.b == 1), F.id == "x", F.a == F.b, F.a < b"x"])
def test_nothing_is_narrowed_that_might_be_left_out(condition: Condition) -> None:
    """Negations, keys, other attributes and binary order have no plain predicate."""
    query = filter_of(condition, layout_of(PLAIN)).query
    assert query is not None
    assert list(query) == ["$expr"]


HOSTILE: list[Any] = [
    {"$ne": None}, {"$gt": ""}, {"$where": "sleep(1000)"}, {"$expr": True}, "$id", "$$ROOT", "$$NOW", {"$literal": 1},
    {"$getField": "id"}, {"$regex": ".*"}, ["$a"], {"#n": ":v"}, {"a.b": {"$exists": True}}, {"%SS": ["a"]},
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_values_that_look_like_operators_are_values(collection: Documents, value: Any) -> None:
    """They equal themselves, and nothing else matches."""
    bench = Bench(collection, PLAIN)
    bench.store({"id": "1", "a": value}, {"id": "2", "a": 1}, {"id": "3"}, {"id": "4", "a": [value]})
    assert [item["id"] for item in found(bench, F.a == value)] == ["1"]
    for condition in (F.a != value, F.a.in_([value]), F.a.contains(value), F.a[0] == value, ~(F.a == value)):
        check(bench, condition)


def nested(levels: int) -> Condition:
    """A condition of so many levels, true where ``a`` is 5."""
    condition: Condition = F.a == 5
    for level in range(levels):
        condition = (condition & (F.a > level - 1_000)) if level % 2 else (condition | (F.a == level + 100))
    return condition


@pytest.mark.parametrize("levels", [10, 40, 70, 80, 149])
def test_deep_conditions_are_no_trouble(collection: Documents, levels: int) -> None:
    """What is nested deeper than the server allows is left to the evaluator."""
    bench = Bench(collection, PLAIN)
    bench.store({"id": "1", "a": 5}, {"id": "2", "a": 6})
    check(bench, nested(levels))


@pytest.mark.parametrize("length", [2, 20, 31, 32])
@pytest.mark.parametrize("element", ["x", 0])
def test_long_paths_are_no_trouble(collection: Documents, length: int, element: str | int) -> None:
    """A path of 32 elements is read on the server, or by the evaluator."""
    value: Any = 5
    for _ in range(length - 1):
        value = {element: value} if isinstance(element, str) else [value]
    bench = Bench(collection, PLAIN)
    bench.store({"id": "1", "a": value}, {"id": "2", "a": 5})
    field = F.a
    for _ in range(length - 1):
        field = field[element]
    for condition in (field == 5, field >= 5, field.exists(), field.size() == 1, field.contains("x"), ~(field == 5)):
        check(bench, condition)


@pytest.mark.parametrize("count", [1, 1_000, 100_000])
def test_long_lists_of_values_are_no_trouble(collection: Documents, count: int) -> None:
    """What would not fit a command is left to the evaluator."""
    bench = Bench(collection, PLAIN)
    bench.store({"id": "1", "a": 0}, {"id": "2", "a": -1}, {"id": "3", "a": "5" * 20})
    check(bench, F.a.in_(range(count)))
    check(bench, F.a.in_([str(number) * 20 for number in range(count)]))
