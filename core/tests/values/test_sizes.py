"""Sizes by DynamoDB's formula (SIZ-1, SIZ-3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from core.tests.values.strategies import numbers
from isthmus.errors import InvalidValue
from isthmus.values import item_size, number_text, value_size


@pytest.mark.parametrize(
    ("number", "size"),
    [
        ("0", 1),
        ("1", 2),
        ("-1", 3),
        ("99", 2),
        ("100", 2),
        ("123", 3),
        ("1000", 2),
        ("9999", 3),
        ("-9999", 4),
        ("10000", 2),
        ("1.5", 3),
        ("123.4", 4),
        ("0.1", 2),
        ("0.01", 2),
        ("0.001", 2),
        ("0.0001", 2),
        ("0.00012", 3),
        ("9" * 38, 20),
        ("1." + "1" * 37, 21),
        ("-1." + "1" * 37, 21),
        ("1E-130", 2),
        ("1E125", 2),
    ],
)
def test_number_sizes(number: str, size: int) -> None:
    """The sizes that were seen on the live engine."""
    value = Decimal(number)
    assert size == value_size(int(value) if value == value.to_integral_value() else value)


@given(numbers())
def test_number_size_counts_digit_pairs(number: int | Decimal) -> None:
    """The size is what counting the pairs of the plain text gives."""
    assert _counted(number) == value_size(number)


def _counted(number: int | Decimal) -> int:
    whole, _, fraction = number_text(number).lstrip("-").partition(".")
    digits = "0" * (len(whole) % 2) + whole + fraction + "0" * (len(fraction) % 2)
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    while pairs and pairs[0] == "00":
        pairs.pop(0)
    while pairs and pairs[-1] == "00":
        pairs.pop()
    return min(21, len(pairs) + 1 + (number < 0)) if pairs else 1


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        ("", 0),
        ("\u00e9", 2),
        ("\U0001f600", 4),
        (b"abc", 3),
        ([], 3),
        ([None], 5),
        ({}, 3),
        ({"ab": "c"}, 7),
        ({"\u00e9": [1]}, 12),
        (frozenset({"a", "bc"}), 3),
        (frozenset({1, 100}), 4),
        (frozenset({b"abc"}), 3),
    ],
)
def test_value_sizes(value: Any, size: int) -> None:
    """Each type has its own formula."""
    assert size == value_size(value)


def test_item_size_has_no_overhead() -> None:
    """An item counts its names and values only."""
    assert item_size({"a": "xy", "\u00e9": [None]}) == 1 + 2 + 2 + 5


def test_size_of_what_is_no_value() -> None:
    """A value that was not normalised has no size."""
    with pytest.raises(InvalidValue, match="normalise it first"):
        value_size(object())
