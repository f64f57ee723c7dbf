"""Dates as mapped collections of MongoDB take them: UTC text of fixed width with milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Final

from isthmus.expressions import Path
from isthmus.types import utc_text
from isthmus_migration.transforms.errors import TransformError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_PER_UNIT: Final = {"seconds": 1_000, "milliseconds": 1}
# Python's own reader drops the digits of a fraction beyond the sixth in silence.
_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)


def date_of_text(text: str, path: Path) -> str:
    """The date of ISO text with an offset.

    :raises TransformError: it is none, has no offset, or is more precise than milliseconds
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise TransformError("invalid_text", path, "is no date of the form YYYY-MM-DDTHH:MM:SS.fff with an offset or Z")
    if not (found[8] or found[9]):
        raise TransformError(
            "invalid_text", path, "is a date without an offset, so its moment is unknown: write a function"
        )
    fraction = (found[7] or "").rstrip("0")
    if len(fraction) > 3:
        raise _imprecise(path)
    year, month, day, hour, minute, second = (int(group or 0) for group in found.groups()[:6])
    try:
        moment = datetime(
            year, month, day, hour, minute, second, int(fraction.ljust(3, "0")) * 1000, tzinfo=_zone(found)
        )
        return utc_text(moment)
    except (ValueError, OverflowError):
        raise TransformError("invalid_text", path, "is no moment of the calendar from year 1 to 9999 in UTC") from None


def _zone(found: re.Match[str]) -> timezone:
    if found[8]:
        return UTC
    hours, minutes = int(found[10]), int(found[11] or 0)
    if minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if found[9] == "-" else offset)


def date_of_number(number: int | Decimal, unit: str, path: Path) -> str:
    """The date of a number of seconds or milliseconds since 1970.

    :raises TransformError: it is more precise than milliseconds, or no moment of the calendar
    """
    # Fractions are exact; a product of decimals would be rounded to the thread's context.
    milliseconds = Fraction(number) * _PER_UNIT[unit]
    if milliseconds != (whole := int(milliseconds)):
        raise _imprecise(path)
    try:
        return utc_text(_EPOCH + whole * _MILLISECOND)
    except OverflowError:
        raise TransformError("invalid_number", path, f"is no moment from year 1 to 9999: is it in {unit}?") from None


def _imprecise(path: Path) -> TransformError:
    return TransformError(
        "precision_lost", path, "is more precise than the milliseconds that dates keep: leave it as it is"
    )
