"""Codecs of single values: between a field's Python type and the portable value that is stored (rules TYP-1, REP-2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen

from isthmus.errors import InvalidValue
from isthmus.repository.misfits import Misfit, given_misfit, stored_misfit
from isthmus.types import utc_text
from isthmus.values import copy_value, normalise, type_name

Convert = Callable[[Any], Any]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOMENT_LENGTH: Final = len("YYYY-MM-DDTHH:MM:SS.ffffffZ")
_DAY_LENGTH: Final = len("YYYY-MM-DD")


@frozen(eq=False)
class Codec:
    """How values of one type are stored.

    :param wanted: the type as errors name it
    :param stored: names of the portable types that it is stored as
    :param exact: the Python type whose instances are stored as they are, and nothing else is
    :param nullable: whether ``None`` is one of its values
    :param empty: the value that is not stored at all, in the place of a field: an empty set
    :param fixed_width: whether all its texts have one length
    :param target: the class of attrs, the member codec or the like: what conditions look into
    """

    wanted: str
    stored: frozenset[str]
    encode: Convert
    decode: Convert
    exact: type | None = None
    nullable: bool = False
    empty: Callable[[], Any] | None = None
    fixed_width: bool = False
    target: Any = field(default=None)

    @property
    def present(self) -> Codec:
        """The codec of values that are not ``None``."""
        return self.target if self.nullable and isinstance(self.target, Codec) else self


def exact(kind: type, wanted: str, stored: str) -> Codec:
    """Values that are portable as they are."""

    def encode(value: Any) -> Any:
        if type(value) is not kind:
            raise given_misfit(value, wanted)
        return value

    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise stored_misfit(value, wanted)
        return value

    return Codec(wanted, frozenset({stored}), encode, decode, exact=kind)


def _text_of(value: Any) -> str:
    # A subclass, a StrEnum say, would come back as plain text.
    if type(value) is not str:
        raise given_misfit(value, "str")
    return value


def _encode_float(value: Any) -> Any:
    if type(value) is not float and type(value) is not int:
        raise given_misfit(value, "float")
    # A float means the decimal that it prints as (rule NUM-3).
    return Decimal(float.__repr__(value)) if type(value) is float else value


def _decode_float(value: Any) -> float:
    if type(value) is not int and type(value) is not Decimal:
        raise stored_misfit(value, "float")
    return float(value)


def _encode_decimal(value: Any) -> Any:
    if type(value) is not Decimal and type(value) is not int:
        raise given_misfit(value, "Decimal")
    return value


def _decode_decimal(value: Any) -> Decimal:
    if type(value) is Decimal:
        return value
    if type(value) is not int:
        raise stored_misfit(value, "Decimal")
    return Decimal(value)


def _encode_moment(value: Any) -> str:
    if not isinstance(value, datetime):
        raise given_misfit(value, "datetime")
    if value.tzinfo is None or value.utcoffset() is None:
        raise Misfit("a datetime without a time zone", "datetime with one")
    try:
        return utc_text(value)
    except OverflowError:
        raise Misfit("a datetime that is out of range in UTC", "datetime") from None


def _decode_moment(value: Any) -> datetime:
    if type(value) is str and len(value) == _MOMENT_LENGTH and value[-1] == "Z":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise _other_text(value, "datetime, UTC text YYYY-MM-DDTHH:MM:SS.ffffffZ")


def _encode_day(value: Any) -> str:
    if type(value) is not date:
        raise given_misfit(value, "date")
    return value.isoformat()


def _decode_day(value: Any) -> date:
    if type(value) is str and len(value) == _DAY_LENGTH and value[4] == "-":
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise _other_text(value, "date, text YYYY-MM-DD")


def _encode_uuid(value: Any) -> str:
    if not isinstance(value, UUID):
        raise given_misfit(value, "UUID")
    return str(value)


def _decode_uuid(value: Any) -> UUID:
    if type(value) is str:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise _other_text(value, "UUID")


def _other_text(value: Any, wanted: str) -> Misfit:
    """Text of another form, or no text at all; what the text says is never told."""
    return Misfit("a string of another form", wanted) if type(value) is str else stored_misfit(value, wanted)


_TEXT: Final = frozenset({"string"})
_NUMBER: Final = frozenset({"number"})

SCALARS: Final[dict[Any, Codec]] = {
    str: Codec("str", _TEXT, _text_of, exact(str, "str", "string").decode, exact=str),
    int: exact(int, "int", "number"),
    bool: exact(bool, "bool", "boolean"),
    bytes: exact(bytes, "bytes", "binary"),
    float: Codec("float", _NUMBER, _encode_float, _decode_float),
    Decimal: Codec("Decimal", _NUMBER, _encode_decimal, _decode_decimal),
    datetime: Codec("datetime", _TEXT, _encode_moment, _decode_moment, fixed_width=True),
    date: Codec("date", _TEXT, _encode_day, _decode_day, fixed_width=True),
    UUID: Codec("UUID", _TEXT, _encode_uuid, _decode_uuid, fixed_width=True),
}
ANY: Final = Codec("any portable value", frozenset(), normalise, copy_value, nullable=True)


def _encode_expiry(value: Any) -> Any:
    _encode_moment(value)  # refuses what is no moment
    return Decimal((value - EPOCH) // _MICROSECOND) / 1_000_000


def _decode_expiry(value: Any) -> datetime:
    if type(value) is not int and type(value) is not Decimal:
        raise stored_misfit(value, "datetime, seconds since 1970")
    try:
        return EPOCH + int(value * 1_000_000) * _MICROSECOND
    except OverflowError:
        raise Misfit("a number out of range", "datetime, seconds since 1970") from None


EXPIRY: Final = Codec("datetime", _NUMBER, _encode_expiry, _decode_expiry)
"""A moment as seconds since the epoch: what an expiry attribute has to hold (rule TTL-1)."""


def enum_codec(kind: type[Enum]) -> Codec | None:
    """Members stored by their values; ``None`` where a value has no place in a store, or two are stored alike."""
    try:
        pairs = [(member, normalise(member.value)) for member in kind]
        members = {(type_name(value), value): member for member, value in pairs}
    except (InvalidValue, TypeError):
        return None
    if len(members) < len(pairs) or not members:
        return None
    values = {member: value for (_kind, value), member in members.items()}
    texts = {value: member for (kind, value), member in members.items() if kind == "string"}

    def encode(member: Any) -> Any:
        if type(member) is not kind:
            raise given_misfit(member, kind.__name__)
        if member not in values:  # a combination of flags
            raise Misfit("several members in one", f"one member of {kind.__name__}")
        return values[member]

    def decode(value: Any) -> Enum:
        if type(value) is str and value in texts:
            return texts[value]
        try:
            return members[type_name(value), value]
        except (KeyError, TypeError):
            found = stored_misfit(value, kind.__name__)
            raise Misfit(f"{found.found} that names no member", kind.__name__) from None

    return Codec(kind.__name__, frozenset(name for name, _value in members), encode, decode)


def literal_codec(values: tuple[Any, ...]) -> Codec | None:
    """One of several constants."""
    if not values or not all(type(value) in (str, int, bool) for value in values):
        return None
    wanted = "one of its literals"
    known = {(type(value), value) for value in values}

    def encode(value: Any) -> Any:
        if not _hashable(value) or (type(value), value) not in known:
            raise given_misfit(value, wanted)
        return value

    def decode(value: Any) -> Any:
        if not _hashable(value) or (type(value), value) not in known:
            raise stored_misfit(value, wanted)
        return value

    return Codec(wanted, frozenset(type_name(value) for value in values), encode, decode)


def _hashable(value: Any) -> bool:
    return type(value) in (str, int, bool)
