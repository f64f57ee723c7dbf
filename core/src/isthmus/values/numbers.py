"""Portable numbers: one canonical form for each value, exact arithmetic, and no use of the ambient decimal context.

``Decimal.normalize``, unary plus and ``abs`` round to the context of the thread (28 digits by default), so everything
here works on digits and on a private context that is wide enough to be exact.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact
from typing import Any, Final

from isthmus.errors import OutOfRange
from isthmus.values._refused import Refused, refuse
from isthmus.values.model import WIDE

MIN_EXPONENT: Final = -130
"""The smallest magnitude above zero is ``1E-130``."""

MAX_EXPONENT: Final = 125
"""Each magnitude is below ``1E+126``."""

_INTEGER_BITS: Final = (10 ** (MAX_EXPONENT + 1)).bit_length()
# Any two portable numbers span at most 256 + 38 digits, so a sum in this context is exact.
_EXACT: Final = Context(prec=400, Emin=-999_999, Emax=999_999, traps=[Inexact])


def normalise_number(number: Any, digits: int = WIDE.number_digits) -> int | Decimal:
    """The canonical form of an ``int``, ``Decimal`` or ``float``: ``int`` when integral, else without trailing zeros.

    A float means the decimal that it prints as.

    :param digits: how many significant digits are allowed
    :raises InvalidValue: when it is no finite number, has too many digits, or is outside 1E-130 .. 9.99E+125
    """
    try:
        return canonical_number(number, digits)
    except Refused as refused:
        refuse(refused, "The number")


def canonical_number(number: Any, digits: int) -> int | Decimal:
    """As :func:`normalise_number`, but raising the private ``Refused``."""
    if type(number) is Decimal:
        return _decimal(number, digits)
    if isinstance(number, bool):
        raise Refused("is a boolean, not a number")
    if isinstance(number, int):
        return _integer(int.__index__(number), digits)
    if isinstance(number, Decimal):
        return _decimal(number, digits)
    if isinstance(number, float):
        return _decimal(Decimal(float.__repr__(number)), digits)
    raise Refused(f"is a {type(number).__name__}, not a number; convert it to int or Decimal")


def _integer(number: int, digits: int) -> int:
    # The bit length comes first: the text of a hostile integer could be megabytes long.
    if number.bit_length() > _INTEGER_BITS:
        raise _outside()
    text = str(number).lstrip("-")
    if len(text) > MAX_EXPONENT + 1:
        raise _outside()
    if len(text) > digits and len(text.rstrip("0")) > digits:
        raise _too_precise(digits)
    return number


def _decimal(number: Decimal, digits: int) -> int | Decimal:
    if type(number) is Decimal and _is_canonical(str(number), digits):
        return number
    if not number:
        return 0
    if not number.is_finite():
        raise Refused("is not a finite number; store null or a string instead")
    if not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise _outside()
    sign, coefficient, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # only infinities and NaN have letters here
    if exponent < 0 and coefficient[-1] and len(coefficient) <= digits and type(number) is Decimal:
        return number
    return _rebuild(sign, coefficient, exponent, digits)


def _is_canonical(text: str, digits: int) -> bool:
    """Whether a short plain fraction is canonical; the common case is known from its text, without its digits."""
    # The letter before an exponent depends on the thread's context.
    return len(text) <= digits and "." in text and text[-1] != "0" and "E" not in text and "e" not in text


def _rebuild(sign: int, coefficient: tuple[int, ...], exponent: int, digits: int) -> int | Decimal:
    text = "".join(map(str, coefficient)).lstrip("0")
    short = text.rstrip("0")
    exponent += len(text) - len(short)
    if len(short) > digits:
        raise _too_precise(digits)
    if exponent >= 0:
        magnitude = int(short + "0" * exponent)
        return -magnitude if sign else magnitude
    return Decimal((sign, tuple(map(int, short)), exponent))


def _outside() -> Refused:
    return Refused("is a number outside 1E-130 .. 9.99E+125; scale it, or store it as a string")


def _too_precise(digits: int) -> Refused:
    return Refused(f"is a number with more than {digits} significant digits; round it, or store it as a string")


def add_numbers(left: int | Decimal, right: int | Decimal, digits: int = WIDE.number_digits) -> int | Decimal:
    """The exact sum in canonical form.

    :raises OutOfRange: when the sum needs more digits or another magnitude than a portable number has
    """
    return _result(_EXACT.add(Decimal(left), Decimal(right)), digits)


def _result(number: Decimal, digits: int) -> int | Decimal:
    try:
        return canonical_number(number, digits)
    except Refused as refused:
        raise OutOfRange(f"The result {refused.reason}.") from None


def number_text(number: int | Decimal) -> str:
    """The plain text of a canonical number: no exponent, no trailing zeros, ``-`` only before negative ones."""
    return str(number) if type(number) is int else format(number, "f")
