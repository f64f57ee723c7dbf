"""Types beyond the portable ones: how a converter turns them into portable values and back (rules TYP-1, TYP-2)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from cattrs import Converter

from isthmus.errors import InvalidValue

_TEXT = "%Y-%m-%dT%H:%M:%S.%fZ"


def utc_text(moment: datetime) -> str:
    """A moment as fixed-width UTC text, whose order is the order of time.

    :raises InvalidValue: the moment has no time zone
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidValue("a datetime without a time zone is ambiguous: use datetime.now(timezone.utc)")
    utc = moment.astimezone(UTC)
    # strftime leaves out the leading zeros of early years, which would break the order of texts.
    return f"{utc.year:04d}{utc.strftime(_TEXT)[-len('-mm-ddTHH:MM:SS.ffffffZ') :]}"


def utc_moment(text: object) -> datetime:
    """The moment that ``utc_text`` wrote.

    :raises InvalidValue: the text has another form
    """
    try:
        return datetime.strptime(str(text), _TEXT).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidValue("a stored time is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ") from None


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ``utc_text``."""
    return utc_text(datetime.fromtimestamp(seconds, UTC))


def new_converter() -> Converter:
    """A cattrs converter between Python types and portable values."""
    converter = Converter()
    converter.register_unstructure_hook(datetime, utc_text)
    converter.register_structure_hook(datetime, lambda text, _type: utc_moment(text))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _type: date.fromisoformat(text))
    converter.register_unstructure_hook(UUID, str)
    converter.register_structure_hook(UUID, lambda text, _type: UUID(text))
    converter.register_unstructure_hook(Enum, lambda member: converter.unstructure(member.value))
    _keep(converter, bytes)
    converter.register_unstructure_hook(Decimal, lambda number: number)
    converter.register_structure_hook(Decimal, lambda number, _type: Decimal(number))
    return converter


def _keep(converter: Converter, kind: type[Any]) -> None:
    """Portable as it is."""
    converter.register_unstructure_hook(kind, lambda value: value)
    converter.register_structure_hook(kind, lambda value, _type: kind(value))
