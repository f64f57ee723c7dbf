"""Conversions to declared types: exact, or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from plugins.migration.tests.transforms.helpers import refused, transformed

MANY = "1234567890123456789012345678901234.5678"


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ("set", ["b", "a"], frozenset({"a", "b"})),
        ("set", [1, Decimal("1.5")], frozenset({1, Decimal("1.5")})),
        ("set", [""], frozenset({""})),
        ("set", frozenset({b"x"}), frozenset({b"x"})),
        ({"type": "set", "duplicates": "drop"}, ["a", "a"], frozenset({"a"})),
        ("list", frozenset({"b", "a"}), ["a", "b"]),
        ("list", [1], [1]),
        ("number", "12.50", Decimal("12.5")),
        ("number", "-1E-130", Decimal("-1E-130")),
        ("number", MANY, Decimal(MANY)),
        ("number", Decimal("1.5"), Decimal("1.5")),
        ("integer", "12.0", 12),
        ("integer", 7, 7),
        ("text", Decimal("1.50").normalize(), "1.5"),
        ("text", 10**30, "1" + "0" * 30),
        ("text", True, "true"),
        ("text", b"\xff\x00", "/wA="),
        ({"type": "text", "encoding": "utf-8"}, "é".encode(), "é"),
        ("binary", "/wA=", b"\xff\x00"),
        ({"type": "binary", "encoding": "hex"}, "FF00", b"\xff\x00"),
        ("boolean", "false", False),
        ("boolean", 1, True),
        ("date", "2024-02-29T12:00:00.250+02:00", "2024-02-29T10:00:00.250000Z"),
        ("date", "2024-02-29 12:00Z", "2024-02-29T12:00:00.000000Z"),
        ("date", "2024-02-29T12:00:00.250000000-0030", "2024-02-29T12:30:00.250000Z"),
        ("date", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ({"type": "date", "unit": "seconds"}, Decimal("-0.001"), "1969-12-31T23:59:59.999000Z"),
        ({"type": "date", "unit": "milliseconds"}, 1_700_000_000_001, "2023-11-14T22:13:20.001000Z"),
        ("date", None, None),
        ("set", None, None),
    ],
)  # fmt: skip
def test_what_can_be_converted(declared: Any, value: Any, expected: Any) -> None:
    """The type has to fit as well: no boolean stands for a number."""
    found = transformed({"a": value}, types={"a": declared})["a"]
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("declared", "value", "code"),
    [
        ("set", ["a", "a"], "duplicate_members"),
        ("set", [1, 1], "duplicate_members"),
        ("set", [], "empty_set"),
        ("set", ["a", 1], "wrong_type"),
        ("set", [True], "wrong_type"),
        ("set", [["a"]], "wrong_type"),
        ("set", "a", "wrong_type"),
        ("list", "a", "wrong_type"),
        ("number", "1_000", "invalid_text"),
        ("number", " 1", "invalid_text"),
        ("number", "NaN", "invalid_text"),
        ("number", "٣", "invalid_text"),
        ("number", "1E+9999", "invalid_number"),
        ("number", "9" * 39, "invalid_number"),
        ("number", True, "wrong_type"),
        ("integer", "12.5", "precision_lost"),
        ("text", ["a"], "wrong_type"),
        ({"type": "text", "encoding": "utf-8"}, b"\xff", "invalid_binary"),
        ("binary", "/wA", "invalid_text"),
        ("binary", "/wB=", "invalid_text"),
        ({"type": "binary", "encoding": "hex"}, "FF 00", "invalid_text"),
        ("boolean", "yes", "wrong_type"),
        ("boolean", 2, "wrong_type"),
        ("date", "2024-02-29T12:00:00", "invalid_text"),
        ("date", "2024-02-30T12:00:00Z", "invalid_text"),
        ("date", "2024-02-29", "invalid_text"),
        ("date", "0001-01-01T00:00:00+01:00", "invalid_text"),
        ("date", "2024-02-29T12:00:00.0001Z", "precision_lost"),
        ("date", "2024-02-29T12:00:00.0000000001Z", "precision_lost"),
        ("date", 1_700_000_000, "wrong_type"),
        ({"type": "date", "unit": "seconds"}, "2024-02-29T12:00:00Z", "wrong_type"),
        ({"type": "date", "unit": "seconds"}, Decimal("1700000000.0005"), "precision_lost"),
        ({"type": "date", "unit": "seconds"}, Decimal("1700000000.0000000000000000000000001"), "precision_lost"),
        ({"type": "date", "unit": "seconds"}, 1_700_000_000_000, "invalid_number"),
    ],
)  # fmt: skip
def test_what_would_lose_something_is_refused(declared: Any, value: Any, code: str) -> None:
    """With the place and a code, and never with the value."""
    error = refused({"a": value}, types={"a": declared})
    assert (error.code, error.path[0]) == (code, "a")
    assert not isinstance(value, str) or len(value) < 5 or value not in str(error)


def test_elements_are_converted_before_their_lists() -> None:
    """Both may be declared."""
    assert transformed({"a": ["1", "2.5"]}, types={"a": "set", "a[]": "number"}) == {
        "a": frozenset({1, Decimal("2.5")})
    }


def test_attributes_in_elements_of_lists_are_converted() -> None:
    """The place of a wrong one is told with its position."""
    assert transformed({"l": [{"n": "1"}, {}, 3]}, types={"l[].n": "number"}) == {"l": [{"n": 1}, {}, 3]}
    error = refused({"l": [{"n": "1"}, {"n": "x"}]}, types={"l[].n": "number"})
    assert error.path == ("l", 1, "n")
    assert str(error).startswith("l[1].n: ")


def test_an_empty_set_is_left_out_where_that_is_declared() -> None:
    """An element of a list can't be left out, because others would move."""
    declared = {"type": "set", "empty": "leave_out"}
    assert transformed({"a": [], "b": {"c": []}}, types={"a": declared, "b.c": declared}) == {"b": {}}
    assert refused({"a": [[]]}, types={"a[]": declared}).code == "empty_set"


def test_what_is_not_there_is_not_converted() -> None:
    """A missing attribute, or a path that leads nowhere."""
    assert transformed({"a": "x"}, types={"b": "number", "a.b": "number", "a[]": "number"}) == {"a": "x"}
