"""What trees refer to, and their plain form."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given

from core.tests.expressions.strategies import conditions
from isthmus.expressions import (
    ALWAYS,
    Condition,
    F,
    all_of,
    attributes_used,
    changes,
    paths_used,
    split_conjuncts,
    to_portable,
)
from isthmus.values import canonical_bytes

EVERYTHING = all_of(
    [
        F.a > 1,
        F.b.c < F.d[0],
        ~F.e.between(1, F.f),
        F.g.in_([1]) | F.h.exists(),
        F.i.not_exists(),
        F.j.is_type("map"),
        F.k.begins_with("x"),
        F.l.contains({Decimal("1.5")}),
        F.m.size() == 2,
    ]
)


def test_attributes_of_condition() -> None:
    """Every place of a condition where an attribute may stand is seen, by its top-level name."""
    assert attributes_used(EVERYTHING) == frozenset("abdefghijklm")


def test_paths_of_condition() -> None:
    """The whole paths are at hand too."""
    assert paths_used(F.b.c < F.d[0]) == {("b", "c"), ("d", 0)}


def test_attributes_of_changes() -> None:
    """An update uses what it changes and what it copies."""
    assert attributes_used(changes(set={F.a.b: 1}, copy={"c": F.d.e}, remove="f")) == {"a", "c", "d", "f"}


def test_split() -> None:
    """The top-level members of a conjunction, one for anything else, none for ALWAYS."""
    a, b = F.a == 1, (F.b == 2) | (F.c == 3)

    assert [split_conjuncts(a & b), split_conjuncts(b), split_conjuncts(ALWAYS)] == [(a, b), (b,), ()]


@given(conditions())
def test_split_keeps_meaning(condition: Condition) -> None:
    """The parts joined again are the condition."""
    assert all_of(split_conjuncts(condition)) == condition


def test_portable_condition() -> None:
    """Every node has a plain form in which constants can't pass for structure."""
    assert to_portable(EVERYTHING) == [
        ["and", 9],
        [">", ["path", "a"], ["value", 1]],
        ["<", ["path", "b", "c"], ["path", "d", 0]],
        ["not"],
        ["between", ["path", "e"], ["value", 1], ["path", "f"]],
        ["or", 2],
        ["in", ["path", "g"], ["value", 1]],
        ["exists", ["path", "h"]],
        ["not_exists", ["path", "i"]],
        ["is_type", ["path", "j"], ["value", "map"]],
        ["begins_with", ["path", "k"], ["value", "x"]],
        ["contains", ["path", "l"], ["value", frozenset({Decimal("1.5")})]],
        ["==", ["size", "m"], ["value", 2]],
    ]


def test_portable_changes() -> None:
    """Every action has a plain form."""
    tree = changes(
        set={"a": 1},
        set_if_absent={"b": 1},
        copy={"c": "x", "d": ("x", None)},
        add={"e": 1},
        remove="f",
        delete={"g": {1}},
        append={"h": [1]},
        prepend={"i": [1]},
        create_lists=True,
    )

    assert to_portable(tree) == [
        ["changes", 9],
        ["set", ["path", "a"], ["value", 1]],
        ["set_if_absent", ["path", "b"], ["value", 1]],
        ["set_from", ["path", "c"], ["path", "x"]],
        ["set_from", ["path", "d"], ["path", "x"], ["value", None]],
        ["add", ["path", "e"], ["value", 1]],
        ["remove", ["path", "f"]],
        ["delete", ["path", "g"], ["value", frozenset({1})]],
        ["append", ["path", "h"], ["value", [1]], True],
        ["prepend", ["path", "i"], ["value", [1]], True],
    ]


def test_portable_depth() -> None:
    """The largest condition, nested as deep as can be, still has canonical bytes."""
    condition = F.a == 0
    for number in range(145):
        condition = (F.a == number) & condition if number % 2 else (F.b == number) | condition

    assert len(canonical_bytes(to_portable(condition))) > 145


@given(conditions(), conditions())
def test_portable_is_faithful(left: Condition, right: Condition) -> None:
    """Two conditions have the same canonical bytes exactly when they are equal."""
    same = canonical_bytes(to_portable(left)) == canonical_bytes(to_portable(right))

    assert same is (left == right)
