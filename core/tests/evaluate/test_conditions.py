"""The meaning of conditions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from core.tests.expressions.strategies import conditions, fields, items, ordered, values
from isthmus.errors import InvalidArgument
from isthmus.evaluate import matches, predicate
from isthmus.expressions import (
    ALWAYS,
    NEVER,
    Comparison,
    Condition,
    F,
    Field,
    In,
    Not,
    NotExists,
    all_of,
    any_of,
    path_of,
)
from isthmus.expressions import Attribute as Reference
from isthmus.values import Item

ITEM: Item = {
    "n": 5,
    "d": Decimal("1.5"),
    "zero": 0,
    "yes": True,
    "null": None,
    "s": "abc",
    "astral": "é\U0001d11e",
    "b": b"a\xff",
    "l": [1, "x", [2], {"k": 1}, True, None],
    "m": {"k": 5, "0": "zero", "x.y": 7},
    "ss": frozenset({"a", "b"}),
    "ns": frozenset({1, Decimal("1.5")}),
    "bs": frozenset({b"a"}),
    "e": "",
    "empty": [],
}

TRUE = [
    # NUL-1: null is a value, a missing attribute is none
    F.null.exists(),
    F.null == None,  # noqa: E711  # builds a condition
    F.x.not_exists(),
    # NUL-3: `!=` is exactly "not =="
    F.x != 5,
    F.x != None,  # noqa: E711  # builds a condition
    F.x != F.y,
    F.s != 5,
    # NUL-5: two-valued negation
    ~(F.x < 5),
    ~(F.x >= 5),
    ~(F.s < 5),
    # NUM-7, NUM-8: numbers by value
    F.n == 5.0,
    F.d == 1.5,
    F.n.in_([4, 5]),
    F.n.between(5, 5),
    F.d.between(1, 2),
    F.zero == -0.0,
    # STR-1, BIN-1: orders
    F.s < "abd",
    F.b > b"a\x7f",
    F.s.between("a", "b"),
    F.e < "a",
    # COL-2, COL-4, COL-5, COL-8: paths and containers
    F.m.k == 5,
    F.m["0"] == "zero",
    F.m["x.y"] == 7,
    F.l[0] == 1,
    F.l[3].k == 1,
    F.m == {"x.y": 7, "0": "zero", "k": 5},
    F.ss == {"b", "a"},
    F.empty == [],
    # COL-13: contains
    F.s.contains("bc"),
    F.s.contains(""),
    F.b.contains(b"\xff"),
    F.l.contains([2]),
    F.l.contains({"k": 1.0}),
    F.l.contains(None),
    F.ss.contains("a"),
    F.ns.contains(1.0),
    F.bs.contains(b"a"),
    # STR-8, BIN-4: prefixes
    F.s.begins_with("ab"),
    F.s.begins_with(""),
    F.b.begins_with(b"a"),
    # STR-6: sizes
    F.astral.size() == 3,
    F.s.size() == 3,
    F.b.size() == 2,
    F.l.size() == 6,
    F.m.size() == 3,
    F.ss.size().between(2, 2),
    F.bs.size().in_([1]),
    F.e.size() < 1,
    F.n.size() != 1,
    F.x.size() != 1,
    F.s.size() < F.n,
    # types
    F.n.is_type("number"),
    F.d.is_type("number"),
    F.yes.is_type("boolean"),
    F.null.is_type("null"),
    F.ns.is_type("number_set"),
    # paths against paths
    F.n == F.m.k,
    F.d < F.n,
    F.zero.between(F.zero2, 1) | F.n.between(F.d, F.m.k),
    ALWAYS,
    (F.n == 5) & (F.s == "abc"),
    (F.n == 6) | (F.s == "abc"),
]

FALSE = [
    # NUL-1, NUL-2: missing equals nothing
    F.x == None,  # noqa: E711  # builds a condition
    F.x == F.y,
    F.x.exists(),
    F.null.not_exists(),
    F.x.in_([None, 1]),
    # NUL-4: no order with missing values and other types
    F.x < 5,
    F.x >= 5,
    F.s < 5,
    F.s >= 5,
    F.null < 5,
    F.yes <= 5,
    F.l < 5,
    F.b < "z",
    F.s.between(1, 9),
    F.n < F.s,
    F.n >= F.s,
    F.yes >= F.zero,
    F.l >= F.empty,
    F.x <= F.n,
    F.n <= F.x,
    # NUM-9: booleans and numbers
    F.yes == 1,
    F.n.in_([True]),
    F.zero == False,  # noqa: E712  # builds a condition
    F.ns.contains(True),
    F.l[0] == True,  # noqa: E712  # builds a condition
    F.yes.is_type("number"),
    F.yes == F.l[0],
    # COL-1, COL-2, COL-3: lists are not walked, names are no indexes
    F.l == 1,
    F.l.k == 1,
    F.l["0"] == 1,
    F.m[0] == "zero",
    F.l[6].exists(),
    F.s[0].exists(),
    F.n.k.exists(),
    F["m.k"].exists(),
    F.m.x.y.exists(),
    # COL-9: sets and lists
    F.ss == ["a", "b"],
    F.bs == {"a"},
    # COL-13: contains
    F.m.contains("k"),
    F.n.contains(5),
    F.s.contains(b"a"),
    F.b.contains("a"),
    F.l.contains(2),
    F.ss.contains(1),
    F.ss.contains(["a"]),
    F.ss.contains({"a"}),
    F.x.contains("a"),
    F.null.contains(None),
    # prefixes
    F.s.begins_with("bc"),
    F.s.begins_with(b"a"),
    F.l.begins_with("x"),
    F.x.begins_with(""),
    # sizes
    F.n.size() >= 0,
    F.yes.size() >= 0,
    F.null.size() >= 0,
    F.x.size() >= 0,
    F.s.size() < F.null,
    F.x.is_type("null"),
    NEVER,
    (F.n == 5) & (F.s == "abd"),
    (F.n == 6) | (F.s == "abd"),
]


@pytest.mark.parametrize("condition", TRUE, ids=repr)
def test_true(condition: Condition) -> None:
    """NUL, COL, NUM-9, STR-6: each of these holds for the item."""
    assert matches(condition, ITEM) is True


@pytest.mark.parametrize("condition", FALSE, ids=repr)
def test_false(condition: Condition) -> None:
    """NUL, COL, NUM-9, STR-6: none of these holds for the item."""
    assert matches(condition, ITEM) is False


@pytest.mark.parametrize(
    ("condition", "expected"),
    [(F.a.not_exists(), True), (F.a != 1, True), (F.a == 1, False), (F.a < 1, False), (ALWAYS, True)],
)
def test_missing_item(condition: Condition, expected: bool) -> None:
    """CND-1: a missing item is an empty one."""
    assert matches(condition, {}) is expected


def test_order_of_text() -> None:
    """STR-1: text is ordered by code point, not by UTF-16 unit."""
    assert matches(F.a < "\U0001f600", {"a": "\uffee"}) is True


@pytest.mark.parametrize("slip", [True, None, "a = 1", F.a])
def test_no_condition(slip: Any) -> None:
    """What is no condition is refused, not guessed at."""
    with pytest.raises(InvalidArgument, match="Expected a condition"):
        predicate(slip)


@pytest.mark.parametrize("constant", [None, True, [1], frozenset({1})])
def test_unchecked_node(constant: Any) -> None:
    """NUL-4: an order that got past the builder is false, not an error."""
    assert matches(Comparison(Reference(("n",)), "<", constant), ITEM) is False


@given(conditions(), items)
def test_negation(condition: Condition, item: Item) -> None:
    """NUL-5: a condition and its negation never agree."""
    assert matches(~condition, item) is not matches(condition, item)


@given(conditions(), items)
def test_double_negation(condition: Condition, item: Item) -> None:
    """NUL-5: two negations change nothing, simplified or not."""
    assert matches(Not(Not(condition)), item) is matches(condition, item)


@given(conditions(), conditions(), items)
def test_de_morgan(left: Condition, right: Condition, item: Item) -> None:
    """NUL-5: conjunction, disjunction and negation fit together."""
    assert matches(~(left & right), item) is matches(~left | ~right, item)


@given(conditions(), conditions(), items)
def test_connectives(left: Condition, right: Condition, item: Item) -> None:
    """NUL-7: simplification keeps the meaning."""
    expected = [matches(left, item) and matches(right, item), matches(left, item) or matches(right, item)]

    assert [matches(all_of([left, right]), item), matches(any_of([left, right]), item)] == expected


@given(fields, values, items)
def test_not_equal(field: Field, value: Any, item: Item) -> None:
    """NUL-3: `!=` is the negation of `==`."""
    assert matches(field != value, item) is not matches(field == value, item)


@given(fields, values, items)
def test_in_is_or(field: Field, value: Any, item: Item) -> None:
    """NUL-6: `in` is an "or" of equalities."""
    condition = In(Reference(path_of(field)), (value, 1))

    assert matches(condition, item) is matches((field == value) | (field == 1), item)


@given(fields, ordered, items)
def test_trichotomy(field: Field, constant: Any, item: Item) -> None:
    """NUL-4: a value of the constant's type is less, equal or greater; any other is none of these."""
    kinds: dict[type, str] = {str: "string", bytes: "binary"}
    comparable = matches(field.is_type(kinds.get(type(constant), "number")), item)
    holding = [test for test in (field < constant, field == constant, field > constant) if matches(test, item)]

    assert len(holding) == comparable


@given(fields, ordered, ordered, items)
def test_between_is_and(field: Field, low: Any, high: Any, item: Item) -> None:
    """NUL-8: `between` is two comparisons, also where it was simplified away."""
    assert matches(field.between(low, high), item) is matches((field >= low) & (field <= high), item)


@given(fields, items)
def test_existence(field: Field, item: Item) -> None:
    """NUL-1, NUL-9: `exists`, `not_exists` and comparison with itself agree."""
    found = matches(field.exists(), item)

    assert matches(NotExists(path_of(field)), item) is not found
