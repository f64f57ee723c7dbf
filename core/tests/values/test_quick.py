"""The quick way through an item: it gives what the careful way gives, or gives up."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import items, values
from isthmus.errors import InvalidArgument
from isthmus.values import WIDE, item_size, normalise_attributes
from isthmus.values.quick import quick_item

NAMES = {"a", "b", "name", "status"}
DEPTH = WIDE.depth


class Enumerated(enum.StrEnum):
    """Text that is equal to a known name."""

    A = "a"


def careful(item: Any) -> tuple[Any, int] | None:
    """What the careful way gives, ``None`` where it refuses the item."""
    try:
        normal = normalise_attributes(item, WIDE, top_level=True)
    except InvalidArgument:
        return None
    return normal, item_size(normal)


def given_values() -> st.SearchStrategy[Any]:
    """Values as callers give them: floats, trailing zeros and mutable sets too."""
    loose = (
        st.floats() | st.decimals() | st.sets(st.text(max_size=3), max_size=3) | st.text(st.characters(), max_size=3)
    )
    inner = st.one_of(values(), loose)
    return inner | st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(NAMES)), inner, max_size=3)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), given_values(), max_size=4) | items())
def test_what_it_gives_is_what_the_careful_way_gives(item: dict[str, Any]) -> None:
    """The same values of the same types, and the same size."""
    found = quick_item(item, NAMES, DEPTH)
    assert found is None or repr(found) == repr(careful(item))


@pytest.mark.parametrize(
    "value",
    [
        "text", "\u00e9", b"x", None, True, 0, -7, 100, 9_999, 12_345, -(10**19), Decimal("1.25"), Decimal("-0.5"),
        Decimal("0.0012"), Decimal("2.50"), Decimal("3.00"), 1.5, 2.0, {"x"}, frozenset({"y", "\u00e9"}), [], {},
        ["a", "b"], [1, "a", None, [b""]], {"a": {"b": [{"name": Decimal("39.99")}]}},
    ],
)  # fmt: skip
def test_ordinary_items_go_the_quick_way(value: Any) -> None:
    """None of these is given up."""
    item = {"a": value, "status": "x"}
    found = quick_item(item, NAMES, DEPTH)
    assert found is not None
    assert repr(found) == repr(careful(item))


@pytest.mark.parametrize(
    "item",
    [
        {"unknown": 1}, {"a": {"unknown": 1}}, {Enumerated.A: 1}, {"a": Enumerated.A}, {"a": set()}, {"a": {1}},
        {"a": ("x",)}, {"a": float("nan")}, {"a": 10**21 + 1}, {"a": "\ud800"}, {"a": {"b": object()}}, {1: 2},
    ],
)  # fmt: skip
def test_what_is_left_to_the_careful_way(item: dict[Any, Any]) -> None:
    """Whatever might be refused, or needs more than a look."""
    assert quick_item(item, NAMES, DEPTH) is None


def test_depth() -> None:
    """As many lists and maps inside one another as are allowed."""
    deepest: Any = "x"
    for _ in range(DEPTH):
        deepest = [deepest, 1]
    assert quick_item({"a": deepest}, NAMES, DEPTH) == careful({"a": deepest})
    assert quick_item({"a": {"b": deepest}}, NAMES, DEPTH) is None


def test_the_copy_shares_nothing() -> None:
    """Changing what was given changes nothing that was taken."""
    inner, members = {"b": 1}, ["x"]
    item: dict[str, Any] = {"a": inner, "name": members}
    found = quick_item(item, NAMES, DEPTH)
    inner["b"], item["status"] = 2, 3
    members.append("y")
    assert found is not None
    assert found[0] == {"a": {"b": 1}, "name": ["x"]}
