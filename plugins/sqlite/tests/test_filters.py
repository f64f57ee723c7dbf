"""Conditions as SQL against the evaluator."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.tests.expressions.strategies import conditions, items
from core.tests.values.strategies import numbers, texts
from isthmus import F
from isthmus.evaluate import matches
from isthmus.expressions import Condition
from isthmus.values import dumps
from isthmus_sqlite.filters import FUNCTIONS, compile_condition, json_path

Item = dict[str, Any]


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """A connection that knows the functions of filters."""
    opened = sqlite3.connect(":memory:")
    for name, arguments, function in FUNCTIONS:
        opened.create_function(name, arguments, function)
    yield opened
    opened.close()


def holds(connection: sqlite3.Connection, condition: Condition, item: Item) -> int:
    """What SQL says of one item."""
    predicate = compile_condition(condition)
    row = connection.execute(
        f"SELECT {predicate.sql} FROM (SELECT ? AS item)", (*predicate.params, dumps(item))
    ).fetchone()
    answer: int = row[0]
    return answer


def check(connection: sqlite3.Connection, condition: Condition, item: Item) -> None:
    """SQL says 0 or 1; the evaluator agrees, or at least never finds what SQL leaves out."""
    found, expected = holds(connection, condition, item), int(matches(condition, item))
    if compile_condition(condition).exact:
        assert found == expected
    else:
        assert found >= expected
        assert found in (0, 1)


@settings(max_examples=600)
@given(conditions(), items)
def test_sql_agrees_with_the_evaluator(connection: sqlite3.Connection, condition: Condition, item: Item) -> None:
    """An exact predicate is the condition, any other one holds wherever the condition does."""
    check(connection, condition, item)


COMPARISONS = {
    "==": lambda value: F.a == value,
    "!=": lambda value: F.a != value,
    "<": lambda value: F.a < value,
    "<=": lambda value: F.a <= value,
    ">": lambda value: F.a > value,
    ">=": lambda value: F.a >= value,
}


@pytest.mark.parametrize("operator", COMPARISONS)
@settings(max_examples=300)
@given(left=numbers(), right=numbers())
@example(left=2**63, right=2**63 - 1)
@example(left=-(2**63), right=-(2**63))
@example(left=-(2**63) - 1, right=-(2**63))
@example(left=Decimal("0." + "9" * 30), right=1)
@example(left=9007199254740993, right=Decimal("9007199254740992.5"))
def test_numbers_compare_exactly(connection: sqlite3.Connection, operator: str, left: Any, right: Any) -> None:
    """Comparisons of numbers are exact for every number of digits."""
    condition = COMPARISONS[operator](right)
    assert compile_condition(condition).exact
    check(connection, condition, {"a": left})


@pytest.mark.parametrize("operator", COMPARISONS)
@settings(max_examples=300)
@given(left=texts(), right=texts())
@example(left="a\0b", right="a")
@example(left="a\0b", right="a\0a")
@example(left="\\u0000", right="a")
@example(left='a"\\\n', right='a"\\')
def test_strings_compare_exactly(connection: sqlite3.Connection, operator: str, left: str, right: str) -> None:
    """Comparisons of strings are exact, with NUL, quotes and characters of every plane."""
    condition = COMPARISONS[operator](right)
    assert compile_condition(condition).exact
    check(connection, condition, {"a": left})


@settings(max_examples=500)
@given(texts(), texts())
@example("a\0b", "a\0")
@example("a\nb", "a\n")
@example("x", "")
def test_prefixes_are_exact(connection: sqlite3.Connection, text: str, prefix: str) -> None:
    """begins_with is exact for every prefix, also an empty one and one with characters that JSON escapes."""
    condition = F.a.begins_with(prefix)
    assert compile_condition(condition).exact
    check(connection, condition, {"a": text})


@settings(max_examples=300)
@given(st.one_of(texts(), st.lists(texts(), max_size=3), st.frozensets(texts(), min_size=1, max_size=3)), texts())
def test_contains_leaves_nothing_out(connection: sqlite3.Connection, value: Any, part: str) -> None:
    """What contains a text passes the SQL predicate."""
    check(connection, F.a.contains(part), {"a": value})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("a",), '$."a"'),
        (("a.b", 0, "c"), '$."a.b"[0]."c"'),
        (("$set",), None),
        (('a"b',), None),
        (("a\\b",), None),
        (("a\n",), None),
        (("a", 10**12), None),
    ],
)
def test_only_plain_paths_reach_sql(path: tuple[str | int, ...], expected: str | None) -> None:
    """A name that JSON or SQLite's paths would spell differently is left to the evaluator."""
    assert json_path(path) == expected


@pytest.mark.parametrize(
    "value", [{"$set": [1]}, {"$binary": "YQ=="}, {"$map": {"a": 1}}, frozenset({1}), b"a", {"x": {"$set": [1]}}]
)
def test_tags_are_not_confused_with_maps(connection: sqlite3.Connection, value: Any) -> None:
    """Sets and binary values are stored as tagged maps, and never equal maps that look like their tags."""
    candidates = [{"$set": [1]}, {"$binary": "YQ=="}, frozenset({1}), b"a", {"a": 1}, {"x": frozenset({1})}]
    answers = [holds(connection, F.a == candidate, {"a": value}) for candidate in candidates]
    assert answers == [int(matches(F.a == candidate, {"a": value})) for candidate in candidates]


def test_true_is_not_one(connection: sqlite3.Connection) -> None:
    """A boolean equals no number, and has no order."""
    item = {"a": True}
    assert [holds(connection, condition, item) for condition in (F.a == 1, F.a >= 1, F.a == True)] == [0, 0, 1]  # noqa: E712


def nested(levels: int) -> Condition:
    """A condition of so many levels, true where ``a`` is 5."""
    condition: Condition = F.a == 5
    for level in range(levels):
        condition = (condition & (F.a > level - 1_000)) if level % 2 else (condition | (F.a == level + 100))
    return condition


@pytest.mark.parametrize("levels", [10, 40, 120, 149])
def test_deep_conditions_are_no_trouble(connection: sqlite3.Connection, levels: int) -> None:
    """What is nested deeper than SQLite's parser can follow is left to the evaluator."""
    assert [bool(holds(connection, nested(levels), {"a": 5})), matches(nested(levels), {"a": 5})] == [True, True]
    check(connection, nested(levels), {"a": 6})


@pytest.mark.parametrize("count", [1, 1_000, 100_000])
def test_long_lists_of_values_are_no_trouble(connection: sqlite3.Connection, count: int) -> None:
    """What has more values than a statement has parameters is left to the evaluator."""
    condition = F.a.in_(range(count))
    assert holds(connection, condition, {"a": 0}) == 1
    check(connection, condition, {"a": -1})


@pytest.mark.parametrize("kind", [dict, list])
def test_many_maps_are_no_trouble(connection: sqlite3.Connection, kind: type) -> None:
    """Values that SQL can't compare stay one term, not one for each."""
    values: list[Any] = [{"x": 1, "y": number} for number in range(1_500)]
    values = values if kind is dict else [[value] for value in values]
    condition = F.a.in_(values)
    assert holds(connection, condition, {"a": values[7]}) == 1
    check(connection, condition, {"a": 5})


def test_negation_of_an_inexact_predicate_leaves_nothing_out(connection: sqlite3.Connection) -> None:
    """A superset can't be negated: everything passes then, and the evaluator decides."""
    condition = ~(F.a == {"x": 1, "y": 2})
    assert holds(connection, condition, {"a": {"y": 2, "x": 3}}) == 1
