"""Decimal128 bits: the binary integer encoding (BID) of IEEE 754-2008, section 3.5.2.

128 bits are a sign, an exponent biased by 6176 in 14 bits, and the coefficient as an integer in the 113 bits below. The
second form of the encoding, for larger coefficients, has none that fit 34 digits, so a reader takes those for zero.
PyMongo converts through digit tuples and a decimal context, which costs several times as much as the bits themselves.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from bson.decimal128 import Decimal128

_BIAS: Final = 6176
_LOW: Final = (1 << 64) - 1
_COEFFICIENT_HIGH: Final = (1 << 49) - 1
_SECOND_FORM: Final = 3 << 61
_NOT_FINITE: Final = 0x78 << 56
_SIGN: Final = 1 << 63
_LARGEST: Final = 10**34 - 1
# Of small positive numbers with so many digits behind the point.
_HIGH_PARTS: Final = [(_BIAS - digits) << 49 for digits in range(200)]
# With an exponent between these, each coefficient makes a portable magnitude.
_SURELY_LARGE: Final = -130
_SURELY_SMALL: Final = 125 - 33


def pack(number: int | Decimal) -> Decimal128:
    """A canonical portable number with at most 34 significant digits, exactly and without trailing zeros."""
    text = str(number)
    whole, _, fraction = text.partition(".")
    # A canonical fraction has no trailing zero; what has an exponent, or is integral, takes more steps.
    if not fraction.isdigit():
        return _bits(*_stripped(text.upper()))
    coefficient = int(whole + fraction)
    if 0 <= coefficient <= _LOW:
        return _stored((_HIGH_PARTS[len(fraction)], coefficient))
    return _bits(coefficient, -len(fraction))


def _stripped(text: str) -> tuple[int, int]:
    mantissa, _, power = text.partition("E")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    short = digits.rstrip("0")
    return int(short or "0"), int(power or "0") - len(fraction) + len(digits) - len(short)


def _bits(coefficient: int, exponent: int) -> Decimal128:
    high = ((exponent if coefficient else 0) + _BIAS) << 49
    if coefficient < 0:
        coefficient, high = -coefficient, high | _SIGN
    return _stored((high | coefficient >> 64, coefficient & _LOW))


def _stored(halves: Any) -> Decimal128:
    # As when it is unpickled: making one from a pair of halves takes twice as long.
    stored = Decimal128.__new__(Decimal128)
    stored.__setstate__(halves)
    return stored


def unpack(stored: Decimal128) -> int | Decimal | None:
    """The number in canonical form, ``int`` when integral; ``None`` for what is no portable number.

    That is NaN, the infinities, and magnitudes outside ``1E-130 .. 9.99E+125``.
    """
    high, low = stored.__getstate__()
    if high & _SECOND_FORM == _SECOND_FORM:
        return None if high & _NOT_FINITE == _NOT_FINITE else 0
    coefficient = (high & _COEFFICIENT_HIGH) << 64 | low
    if not coefficient or coefficient > _LARGEST:
        return 0
    exponent = (high >> 49 & 0x3FFF) - _BIAS
    if not _SURELY_LARGE <= exponent <= _SURELY_SMALL and not -130 <= exponent + len(str(coefficient)) - 1 <= 125:
        return None
    while exponent < 0 and not coefficient % 10:
        coefficient //= 10
        exponent += 1
    if high & _SIGN:
        coefficient = -coefficient
    return Decimal(f"{coefficient}E{exponent}") if exponent < 0 else coefficient * int(10**exponent)
