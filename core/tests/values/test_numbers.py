"""Canonical numbers and exact arithmetic (NUM-1 to NUM-8, NUM-10 to NUM-12)."""

from __future__ import annotations

import time
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import decimals, numbers
from isthmus.errors import InvalidValue, OutOfRange
from isthmus.values import add_numbers, normalise_number, number_text


@pytest.mark.parametrize(
    ("given_number", "expected"),
    [
        (-0.0, 0),
        (Decimal("-0"), 0),
        (Decimal("0E+999999"), 0),
        (Decimal("0E-131"), 0),
        (1.0, 1),
        (Decimal("1E3"), 1000),
        (Decimal("1.10"), Decimal("1.1")),
        (0.1, Decimal("0.1")),
        (1e22, 10**22),
        (5e-7, Decimal("0.0000005")),
        (2**64, 2**64),
        (Decimal(10) ** 100, 10**100),
        (int("9" * 38), int("9" * 38)),
        (Decimal("1E-130"), Decimal("1E-130")),
        (Decimal("9.99E125"), 999 * 10**123),
        (-(10**125), -(10**125)),
    ],
)
def test_canonical_form(given_number: Any, expected: int | Decimal) -> None:
    """Numbers become int when integral, else Decimal without trailing zeros."""
    number = normalise_number(given_number)
    assert (type(expected), str(expected)) == (type(number), str(number))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (True, "boolean"),
        (float("nan"), "finite"),
        (Decimal("sNaN"), "finite"),
        (float("-inf"), "finite"),
        (Decimal("1E-131"), "outside"),
        (Decimal("1E126"), "outside"),
        (1e300, "outside"),
        (10**126, "outside"),
        (-(10**126), "outside"),
        (Decimal("1E999999999"), "outside"),
        pytest.param(1 << 50_000_000, "outside", id="50 million bits"),
        (int("1" * 39), "38 significant digits"),
        (Decimal("1." + "1" * 38), "38 significant digits"),
        ("1", "a str, not a number"),
    ],
)
def test_refused_numbers(number: Any, reason: str) -> None:
    """What is no portable number is refused with the reason, and quickly."""
    started = time.monotonic()
    with pytest.raises(InvalidValue, match=reason):
        normalise_number(number)
    assert time.monotonic() - started < 5


@given(st.integers(29, 38), st.data())
def test_digits_are_exact_whatever_the_ambient_context(digits: int, data: st.DataObject) -> None:
    """A number of 29 to 38 digits survives a thread whose decimal context has five."""
    text = data.draw(st.integers(10 ** (digits - 1), 10**digits - 1).filter(lambda n: n % 10 != 0).map(str))
    with localcontext(Context(prec=5)):
        number = normalise_number(Decimal(f"-{text[0]}.{text[1:]}00"), digits)
        assert f"-{text[0]}.{text[1:]}" == number_text(number)


@given(st.integers(1, 37), st.data())
def test_one_digit_too_many_is_refused(digits: int, data: st.DataObject) -> None:
    """A number is never rounded to the limit."""
    number = data.draw(st.integers(10**digits, 10 ** (digits + 1) - 1).filter(lambda n: n % 10 != 0))
    with pytest.raises(InvalidValue, match="significant digits"):
        normalise_number(number, digits)


@given(numbers())
def test_canonical_numbers_stay_as_they_are(number: int | Decimal) -> None:
    """Normalising is idempotent."""
    again = normalise_number(number)
    assert (type(number), str(number)) == (type(again), str(again))


@given(numbers())
def test_text_is_plain_and_lossless(number: int | Decimal) -> None:
    """The text has no exponent and gives the same number back."""
    text = number_text(number)
    assert (set(), number) == (set(text) - set("-.0123456789"), normalise_number(Decimal(text)))


@given(decimals(20), decimals(20))
def test_sums_are_exact_or_refused(left: int | Decimal, right: int | Decimal) -> None:
    """Arithmetic agrees with fractions, or is refused: it never rounds."""
    with localcontext(Context(prec=5)):
        exact = Fraction(left) + Fraction(right)
        try:
            result = add_numbers(left, right)
        except OutOfRange:
            assert _needs_more(exact)
        else:
            assert exact == Fraction(result)


def _needs_more(exact: Fraction) -> bool:
    if 0 < abs(exact) < Fraction(1, 10**130) or abs(exact) >= 10**126:
        return True
    return len(str(int(exact * 10**200)).lstrip("-").rstrip("0")) > 38


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (int("9" * 38) - 1, Decimal("0.5")),
        (9 * 10**125, 10**125),
        (10**38, 1),
        (Decimal("1.5E-130") + 0, Decimal("-1E-130")),
    ],
)
def test_sums_out_of_range(left: int | Decimal, right: int | Decimal) -> None:
    """A sum with too many digits, or of another magnitude, is an error."""
    with pytest.raises(OutOfRange, match="The result is a number"):
        add_numbers(left, right)


def test_sum_respects_the_digits_of_the_backend() -> None:
    """With 34 digits the 35th is refused."""
    with pytest.raises(OutOfRange, match="34 significant digits"):
        add_numbers(int("9" * 34), Decimal("0.1"), 34)


def test_carry_into_a_round_number_fits() -> None:
    """38 nines and one make 1E38, which has one digit."""
    assert add_numbers(int("9" * 38), 1) == 10**38
