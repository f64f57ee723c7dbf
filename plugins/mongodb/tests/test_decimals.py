"""Decimal128 bits against PyMongo's own conversion."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bson.decimal128 import Decimal128
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.values import normalise_number
from isthmus_conformance.strategies import numbers
from isthmus_mongodb.decimals import pack, unpack

COEFFICIENTS = st.integers(0, 10**34 - 1) | st.integers(0, 1000) | st.integers(1, 34).map(lambda digits: 10**digits - 1)


def type_and_value(number: object) -> tuple[type, object]:
    """What canonical numbers are compared by."""
    return type(number), number


@given(numbers())
@example(Decimal("1E-130"))
@example(int(Decimal("9.99E125")))
@example(10**33)
@example(-(10**34 - 1))
def test_bits_are_those_of_the_driver(number: int | Decimal) -> None:
    """The canonical number is packed bit by bit as PyMongo packs its shortest form."""
    sign, digits, exponent = Decimal(number).as_tuple()
    text = "".join(map(str, digits))
    short = text.rstrip("0") or "0"
    shortest = Decimal((sign, tuple(map(int, short)), int(exponent) + len(text) - len(short) if number else 0))
    assert pack(number).bid == Decimal128(shortest).bid


@given(numbers())
def test_numbers_come_back(number: int | Decimal) -> None:
    """Value and type survive."""
    assert type_and_value(unpack(pack(number))) == type_and_value(number)


@given(st.integers(0, 1), COEFFICIENTS, st.integers(-162, 125))
def test_every_form_of_a_number_is_made_canonical(sign: int, coefficient: int, exponent: int) -> None:
    """Trailing zeros, exponents and negative zeros that somebody else stored have no meaning (rule NUM-7)."""
    stored = Decimal128(Decimal((sign, tuple(map(int, str(coefficient))), exponent)))
    portable = not coefficient or -130 <= len(str(coefficient)) - 1 + exponent <= 125
    expected = normalise_number(stored.to_decimal()) if portable else None
    assert type_and_value(unpack(stored)) == type_and_value(expected)


@pytest.mark.parametrize("text", ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1E126", "1E-131", "9E6000"])
def test_what_is_no_portable_number_is_none(text: str) -> None:
    """NaN, infinities and magnitudes that no portable number has."""
    assert unpack(Decimal128(text)) is None


def test_the_second_form_of_the_encoding_is_zero() -> None:
    """Its coefficients have more than 34 digits, which the standard reads as zero."""
    assert unpack(Decimal128.from_bid(b"\x01" + b"\0" * 14 + b"\x6c")) == 0
