"""Building updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isthmus.errors import InvalidArgument, InvalidPath, InvalidValue
from isthmus.expressions import (
    MISSING,
    Add,
    Append,
    Changes,
    Delete,
    F,
    Prepend,
    Remove,
    Set,
    SetFrom,
    SetIfAbsent,
    changes,
)


def test_every_action() -> None:
    """Each argument builds its action; text is one literal name."""
    built = changes(
        set={"a.b": 1},
        set_if_absent={F.b: 2},
        copy={F.c: F.d.e, "f": ("g", 0)},
        add={"h": -1},
        remove=["i", F.j[0]],
        delete={"k": {"x"}},
        append={"l": [1]},
        prepend={"m": (2,)},
    )

    assert built.actions == (
        Set(("a.b",), 1),
        SetIfAbsent(("b",), 2),
        SetFrom(("c",), ("d", "e"), MISSING),
        SetFrom(("f",), ("g",), 0),
        Add(("h",), -1),
        Remove(("i",)),
        Remove(("j", 0)),
        Delete(("k",), frozenset({"x"})),
        Append(("l",), [1], False),
        Prepend(("m",), [2], False),
    )


def test_create_lists() -> None:
    """UPD-9: one argument says that missing lists are created."""
    built = changes(append={"a": [1]}, prepend={"b": [1]}, create_lists=True)

    assert built.actions == (Append(("a",), [1], True), Prepend(("b",), [1], True))


@pytest.mark.parametrize("target", ["a", F.a])
def test_single_remove(target: Any) -> None:
    """One target needs no list."""
    assert changes(remove=target).actions == (Remove(("a",)),)


def test_no_changes() -> None:
    """An update without actions is allowed."""
    assert changes() == Changes(())


def test_constants_are_copied() -> None:
    """Changing the caller's list afterwards does not change the update."""
    mine = [1]
    built = changes(set={"a": mine})
    mine.append(2)

    assert built.actions == (Set(("a",), [1]),)


@pytest.mark.parametrize(
    "build",
    [
        lambda: changes(set={"a": 1}, remove="a"),
        lambda: changes(set={F.a: 1, F.a.b: 2}),
        lambda: changes(set={F.a.b: 1}, add={F.a[0]: 1}),
        lambda: changes(append={"a": [1]}, prepend={"a": [2]}),
        lambda: changes(remove=[F.a[0], F.a[0]]),
    ],
)
def test_overlaps(build: Callable[[], Changes]) -> None:
    """UPD-11, PTH-9: overlapping paths are refused."""
    with pytest.raises(InvalidPath):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: changes(add={"a": "x"}),
        lambda: changes(add={"a": True}),
        lambda: changes(add={"a": [1]}),
        lambda: changes(delete={"a": 1}),
        lambda: changes(delete={"a": ["x"]}),
        lambda: changes(append={"a": "abc"}),
        lambda: changes(prepend={"a": {1}}),
        lambda: changes(copy={"a": ("b", 1, 2)}),
        lambda: changes(set=[("a", 1)]),  # type: ignore[arg-type]  # bad input on purpose
        lambda: changes(set={1: 1}),
        lambda: changes(remove=[3]),  # type: ignore[list-item]  # bad input on purpose
    ],
)
def test_wrong_types(build: Callable[[], Changes]) -> None:
    """Each action takes only its own types."""
    with pytest.raises(InvalidArgument):
        build()


def test_bad_value() -> None:
    """Values outside the model are refused when the update is built."""
    with pytest.raises(InvalidValue):
        changes(set={"a": float("inf")})


def test_names_in_messages() -> None:
    """A message names the path and the types, never the value."""
    with pytest.raises(InvalidArgument, match=r"^Add of m\.x takes a number or string_set .*not a string\.$"):
        changes(add={F.m.x: "secret"})


@pytest.mark.parametrize(("name", "word"), [("id", "key attribute"), ("__typename", "reserved")])
def test_protected_attributes(name: str, word: str) -> None:
    """UPD-14, KEY-8, PTH-7: key and reserved attributes can't be changed, nor what is in them."""
    for built in (changes(remove=name), changes(set={F[name].x: 1})):
        with pytest.raises(InvalidArgument, match=word):
            built.check_against(frozenset({"id"}))


def test_unprotected_attributes() -> None:
    """A nested attribute may be called like the key, and a key may be copied."""
    changes(set={F.m.id: 1}, copy={"n": "id"}).check_against(frozenset({"id"}))
