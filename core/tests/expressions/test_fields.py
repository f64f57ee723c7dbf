"""The builder ``F``."""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from isthmus.errors import InvalidArgument, InvalidValue
from isthmus.expressions import (
    ALWAYS,
    NEVER,
    Attribute,
    Between,
    Comparison,
    Condition,
    Exists,
    F,
    In,
    Not,
    NotExists,
    Or,
    Size,
    all_of,
    any_of,
    path_of,
)

A = Attribute(("a",))


@pytest.mark.parametrize("symbol", ["==", "!=", "<", "<=", ">", ">="])
def test_comparison(symbol: str) -> None:
    """Each of Python's comparisons builds its node."""
    names = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}

    assert Comparison(A, symbol, 5) == getattr(operator, names[symbol])(F.a, 5)


def test_constant_on_the_left() -> None:
    """``5 < F.a`` means ``F.a > 5``."""
    assert Comparison(A, ">", 5) == (F.a > 5)


def test_other_attribute() -> None:
    """A comparison may name another attribute."""
    assert Comparison(A, "<", Attribute(("b", 0))) == (F.a < F.b[0])


def test_constants_are_normalised() -> None:
    """COL-10, NUM-7: constants are portable values."""
    assert Comparison(A, "==", [1]) == (F.a == (1.0,))


def test_constants_are_typed() -> None:
    """NUM-9: conditions on True and on 1 are different conditions."""
    assert (F.a == True) != (F.a == 1)  # noqa: E712  # builds a condition


def test_conditions_are_hashable() -> None:
    """Equal conditions have equal hashes, with lists and maps in them too."""
    assert len({F.a == [{"x": 1}], F.a == [{"x": 1}]}) == 1


@pytest.mark.parametrize("constant", [None, True, [1], {"x": 1}, {1}, {"x"}, {b"x"}])
@pytest.mark.parametrize("build", [operator.lt, operator.le, operator.gt, operator.ge])
def test_no_order(constant: object, build: Callable[[Any, Any], Condition]) -> None:
    """NUL-4: constants without an order are refused when the condition is built."""
    with pytest.raises(InvalidArgument, match="can't be ordered"):
        build(F.a, constant)


@pytest.mark.parametrize("ends", [(None, 1), (1, [2]), (True, False)])
def test_between_without_order(ends: tuple[object, object]) -> None:
    """NUL-4: the same for ``between``."""
    with pytest.raises(InvalidArgument, match="can't be ordered"):
        F.a.between(*ends)


@pytest.mark.parametrize("ends", [(2, 1), ("b", "a"), (1, "a"), (b"a", "b")])
def test_impossible_range(ends: tuple[object, object]) -> None:
    """NUL-8: a range whose ends are in the wrong order or of two types matches nothing."""
    assert F.a.between(*ends) == NEVER


def test_between() -> None:
    """``between`` takes constants and attributes, and one point is a range."""
    assert [Between(A, 1, 1), Between(A, 1, Attribute(("b",)))] == [F.a.between(1, 1), F.a.between(1, F.b)]


def test_empty_in() -> None:
    """NUL-6: ``in`` of nothing matches nothing."""
    assert F.a.in_([]) == NEVER


def test_in() -> None:
    """``in_`` takes any iterable of values."""
    assert In(A, (1, "x", None)) == F.a.in_(iter([1, "x", None]))


@pytest.mark.parametrize("values", ["abc", b"abc", {"a": 1}, 5, None, F.b, [F.b]])
def test_bad_in(values: Any) -> None:
    """``in_`` refuses what is probably a slip."""
    with pytest.raises(InvalidArgument):
        F.a.in_(values)


def test_same_path_equality() -> None:
    """NUL-9: an attribute equals itself when it exists."""
    field = F.a

    assert [Exists(("a",)), NotExists(("a",))] == [field == F["a"], field != F["a"]]


@pytest.mark.parametrize(
    "build",
    [
        lambda: F.a < F["a"],
        lambda: F.a.between(1, F.a),
        lambda: F.a.in_([F.a]),
        lambda: F.a.contains(F.a),
        lambda: F.a.begins_with(F.a),  # type: ignore[arg-type]  # bad input on purpose
        lambda: F.a.size() == F.a.size(),
    ],
)
def test_same_path_elsewhere(build: Callable[[], Condition]) -> None:
    """NUL-9: every other use of one path twice is refused."""
    with pytest.raises(InvalidArgument):
        build()


@pytest.mark.parametrize("prefix", [1, None, True, ["a"], {"a"}])
def test_bad_prefix(prefix: Any) -> None:
    """NUL-4: a prefix is text or bytes."""
    with pytest.raises(InvalidArgument, match="takes text or bytes"):
        F.a.begins_with(prefix)


@pytest.mark.parametrize("value", ["\ud800", float("nan"), object(), set()])
def test_bad_constant(value: object) -> None:
    """STR-3, NUM-5: constants outside the value model are refused."""
    with pytest.raises(InvalidValue):
        F.a == value  # noqa: B015  # raises


def test_bad_type_name() -> None:
    """A misspelt type is answered with the nearest one."""
    with pytest.raises(InvalidArgument, match="did you mean 'string_set'"):
        F.a.is_type("stringset")


def test_unknown_type_name() -> None:
    """A type without a near one is answered with all."""
    with pytest.raises(InvalidArgument, match="use one of binary, "):
        F.a.is_type("zzzz")


def test_size() -> None:
    """A size is compared like a number."""
    size = Size(("a",))

    assert [Comparison(size, ">=", 3), Between(size, 1, 2), In(size, (1, 2))] == [
        F.a.size() >= 3,
        F.a.size().between(1, 2),
        F.a.size().in_([1, 2]),
    ]


@pytest.mark.parametrize("value", ["3", None, True])
def test_size_is_a_number(value: object) -> None:
    """A size is never text."""
    with pytest.raises(InvalidArgument, match="compared with a number"):
        F.a.size() == value  # noqa: B015  # raises


@pytest.mark.parametrize(
    ("slip", "word"),
    [
        (lambda: bool(F.a == 1), "& | ~"),
        (lambda: F.a == 1 and F.b == 2, "& | ~"),
        (lambda: F.a == 1 or F.b == 2, "& | ~"),
        (lambda: not F.a.exists(), "& | ~"),
        (lambda: 1 < F.a < 5, "between"),
        (lambda: bool(F.a), "truth value"),
        (lambda: 5 in F.a, r"contains\(value\)"),
        (lambda: F.a in [F.b, F.c], "in_"),
        (lambda: len(F.a), r"size\(\)"),
        (lambda: list(F.a), "iterate"),
        (lambda: list(F), "name an attribute"),
        (lambda: 5 in F, "contains"),
        (lambda: F.a == 1 & F.b == 2, "parentheses"),
        (lambda: F.a == 1 | F.b == 2, "parentheses"),
        (lambda: F.a & (F.b == 1), "parentheses"),
        (lambda: F.a | (F.b == 1), "parentheses"),
        (lambda: ~F.a, "parentheses"),
        (lambda: (F.a == 1) & True, "parentheses"),  # type: ignore[operator]  # bad input on purpose
        (lambda: True & (F.a == 1), "parentheses"),
        (lambda: True | (F.a == 1), "parentheses"),
        (lambda: F.a[-1], "negative"),
        (lambda: F.a[True], "path element"),
        (lambda: F.a[0:2], "path element"),  # type: ignore[index]  # bad input on purpose
        (lambda: F[0], "starts with an attribute name"),  # type: ignore[index]  # bad input on purpose
        (lambda: setattr(F.a, "b", 1), r"update\(\)"),
    ],
)
def test_slips(slip: Callable[[], object], word: str) -> None:
    """Each usual slip raises our error with the next step."""
    with pytest.raises(InvalidArgument, match=word):
        slip()


@pytest.mark.parametrize("name", ["__deepcopy__", "_repr_html_", "__array__"])
@pytest.mark.parametrize("owner", [F, F.a])
def test_private_names(owner: object, name: str) -> None:
    """Names that Python's protocols probe for are no fields."""
    assert not hasattr(owner, name)


def test_bracket_names() -> None:
    """Any name works in brackets."""
    assert path_of(F["_id"]["size"]["between"]) == ("_id", "size", "between")


def test_fields_as_keys() -> None:
    """A field finds itself in a dictionary, however it was written."""
    kept = {F.a.b: 1, F.b: 2}

    assert kept[F["a"]["b"]] == 1


def test_fields_are_dropped() -> None:
    """Fields are not kept alive by the builder."""
    known = [weakref.ref(F.used_by_nobody)]
    gc.collect()

    assert [reference() for reference in known] == [None]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies(duplicate: Callable[[object], object]) -> None:
    """Copies of a field, also by pickle, are the field itself."""
    field = F.a.b

    assert duplicate(field) is field


def test_pickled_condition() -> None:
    """Conditions and ``F`` survive pickling."""
    condition = (F.a == [1]) & ~F.b.exists()

    assert (condition, F) == pickle.loads(pickle.dumps((condition, F)))


def test_flattening() -> None:
    """NUL-7: nested members of one kind are one node, whatever the grouping."""
    a, b, c = F.a == 1, F.b == 2, F.c == 3

    assert [all_of([a, b, c]), any_of([a, b, c])] == [a & (b & c), (a | b) | c]


def test_trivial_members() -> None:
    """NUL-7: empty conditions disappear or decide."""
    a = F.a == 1

    assert [a, NEVER, ALWAYS, a, NEVER, ALWAYS] == [
        a & ALWAYS,
        a & NEVER,
        a | ALWAYS,
        a | NEVER,
        ~ALWAYS,
        ~NEVER,
    ]


def test_double_negation() -> None:
    """Two negations cancel out."""
    a = F.a == 1

    assert [Not(a), a] == [~a, ~~a]


def test_single_member() -> None:
    """A conjunction of one is that one."""
    assert (F.a == 1) == all_of([F.a == 1])


def test_order_of_or() -> None:
    """``&`` binds tighter than ``|``, as in Python."""
    a, b, c = F.a == 1, F.b == 2, F.c == 3

    assert Or((a, b & c)) == (a | b & c)
