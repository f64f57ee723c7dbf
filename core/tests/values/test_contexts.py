"""The thread's decimal context changes nothing (NUM-8)."""

from __future__ import annotations

from decimal import Context, Decimal, FloatOperation, Inexact, InvalidOperation, Rounded, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import numbers
from isthmus.errors import InvalidValue
from isthmus.values import (
    add_numbers,
    canonical_bytes,
    dumps,
    from_ordered_bytes,
    item_size,
    loads,
    loads_trusted,
    normalise,
    number_text,
    ordered_bytes,
)

CONTEXTS = [
    Context(prec=5),
    Context(prec=1, capitals=0),
    Context(capitals=0, Emin=-3, Emax=3),
    Context(traps=[]),
    Context(prec=3, traps=[FloatOperation, Inexact, InvalidOperation, Rounded]),
]
contexts = st.sampled_from(CONTEXTS)


def seen(number: Any) -> list[Any]:
    """What is made of a number in the thread's context."""
    text = dumps({"n": number, "s": frozenset({number, 1})})
    ordered = ordered_bytes(number)
    return [repr(normalise(number)).upper(), text, loads(text), loads_trusted(text), canonical_bytes(number), ordered,
            from_ordered_bytes(ordered), number_text(number), item_size({"n": number})]  # fmt: skip


@given(numbers(), contexts)
def test_numbers_are_the_same_in_any_context(number: Any, context: Context) -> None:
    """Reading, writing, ordering and measuring a number don't depend on the context."""
    with localcontext(Context()):
        expected = seen(number)
    with localcontext(context):
        assert seen(number) == expected


@given(numbers(), contexts)
def test_given_numbers_become_canonical_in_any_context(number: Any, context: Context) -> None:
    """A number in another form becomes the same canonical number."""
    other = Decimal(f"{number_text(number)}{'' if '.' in number_text(number) else '.'}00")
    with localcontext(context):
        assert (type(normalise(other)), normalise(other)) == (type(number), number)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("text", ["1.5E+999", "1.5E-300", "1.5E+10", "1E+999999999999999999999"])
def test_limits_hold_in_any_context(text: str, context: Context) -> None:
    """What is too large or too small is refused, and what is integral becomes an integer."""
    with localcontext(context):
        if text == "1.5E+10":
            assert type(normalise(Decimal(text))) is int
        else:
            with pytest.raises(InvalidValue):
                loads(text)


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30), contexts)
def test_sums_are_exact_in_any_context(left: int, right: int, context: Context) -> None:
    """Addition does not round."""
    with localcontext(context):
        assert add_numbers(left, right) == left + right
