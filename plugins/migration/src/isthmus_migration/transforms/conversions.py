"""Conversions of values to declared types: exact, or refused."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

from isthmus.errors import InvalidValue
from isthmus.expressions import MISSING, Path
from isthmus.values import normalise_number, number_text, type_name
from isthmus_migration.transforms.dates import date_of_number, date_of_text
from isthmus_migration.transforms.errors import TransformError
from isthmus_migration.transforms.parts import TypeOf

Converter = Callable[[Any, Path], Any]
"""Takes a value and its path; gives the new value, or ``MISSING`` where the attribute is left out."""

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST_NUMBER: Final = 400
_BOOLEANS: Final = {"true": True, "false": False}
_SET_MEMBERS: Final = ("string", "number", "binary")


def converter(declared: TypeOf) -> Converter:
    """The function that converts values to a declared type."""
    return partial(_CONVERTERS[declared.type], declared)


def _to_set(declared: TypeOf, value: Any, path: Path) -> Any:
    if value is None or type(value) is frozenset:
        return value
    if type(value) is not list:
        raise _wrong(path, value, "a set is made from a list")
    if not value:
        return _empty(declared, path)
    members = frozenset(_members(value, path))
    if len(members) < len(value) and declared.duplicates == "refuse":
        raise TransformError(
            "duplicate_members",
            path,
            'has equal members, which a set would lose: declare duplicates = "drop" if it may',
        )
    return members


def _empty(declared: TypeOf, path: Path) -> Any:
    if declared.empty == "leave_out":
        return MISSING
    raise TransformError(
        "empty_set", path, 'is empty, and there is no empty set: declare empty = "leave_out" to leave it out'
    )


def _members(members: list[Any], path: Path) -> list[Any]:
    first = type_name(members[0])
    for position, member in enumerate(members):
        kind = type_name(member)
        if kind != first or kind not in _SET_MEMBERS:
            raise _wrong((*path, position), member, "members of a set are all text, all numbers or all binary")
    return members


def _to_list(_declared: TypeOf, value: Any, path: Path) -> Any:
    if type(value) is frozenset:
        return sorted(value)
    if value is None or type(value) is list:
        return value
    raise _wrong(path, value, "a list is made from a set")


def _to_date(declared: TypeOf, value: Any, path: Path) -> Any:
    kind = type(value)
    if value is None:
        return value
    if kind is str and declared.unit is None:
        return date_of_text(value, path)
    if (kind is int or kind is Decimal) and declared.unit is not None:
        return date_of_number(value, declared.unit, path)
    if kind is str or declared.unit is not None:
        raise _wrong(path, value, f"it is declared as {declared.unit} since 1970, a number")
    raise _wrong(path, value, 'a date is ISO text, or a number where unit = "seconds" or "milliseconds" is declared')


def _to_number(_declared: TypeOf, value: Any, path: Path) -> Any:
    kind = type(value)
    if value is None or kind is int or kind is Decimal:
        return value
    if kind is not str:
        raise _wrong(path, value, "a number is made from text")
    if len(value) > _LONGEST_NUMBER or _NUMBER.fullmatch(value) is None:
        raise TransformError("invalid_text", path, "is text that is no number, 12.5 or 1E-7 say")
    try:
        return normalise_number(Decimal(value))
    except InvalidValue as error:
        raise TransformError("invalid_number", path, error.message) from None


def _to_integer(declared: TypeOf, value: Any, path: Path) -> Any:
    number = _to_number(declared, value, path)
    if type(number) is Decimal:
        raise TransformError("precision_lost", path, "has a fraction, which an integer would lose: declare a number")
    return number


def _to_text(declared: TypeOf, value: Any, path: Path) -> Any:
    kind = type(value)
    if value is None or kind is str:
        return value
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is Decimal:
        return number_text(value)
    if kind is bytes:
        return _encoded(value, declared.encoding, path)
    raise _wrong(path, value, "text is made from a number, a boolean or binary")


def _encoded(value: bytes, encoding: str, path: Path) -> str:
    if encoding == "base64":
        return b64encode(value).decode()
    try:
        return value.hex() if encoding == "hex" else value.decode()
    except UnicodeDecodeError:
        raise TransformError("invalid_binary", path, 'is no UTF-8: declare encoding = "base64"') from None


def _to_binary(declared: TypeOf, value: Any, path: Path) -> Any:
    if value is None or type(value) is bytes:
        return value
    if type(value) is not str:
        raise _wrong(path, value, "binary is made from text")
    binary = _decoded(value, declared.encoding)
    if binary is None:
        raise TransformError("invalid_text", path, f"is text that is no {declared.encoding}")
    return binary


def _decoded(text: str, encoding: str) -> bytes | None:
    if encoding == "utf-8":
        return text.encode()
    try:
        binary = b64decode(text, validate=True) if encoding == "base64" else bytes.fromhex(text)
    except ValueError:
        return None
    # Both readers pass over something, blanks or left-over bits, that the text would lose.
    again = b64encode(binary).decode() if encoding == "base64" else binary.hex()
    return binary if again == (text if encoding == "base64" else text.lower()) else None


def _to_boolean(_declared: TypeOf, value: Any, path: Path) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str and value in _BOOLEANS:
        return _BOOLEANS[value]
    if kind is int and value in (0, 1):
        return value == 1
    raise _wrong(path, value, "a boolean is made from the texts true and false, or from 1 and 0")


def _wrong(path: Path, value: Any, expected: str) -> TransformError:
    return TransformError("wrong_type", path, f"is a {type_name(value)}: {expected}")


_CONVERTERS: Final[dict[str, Callable[[TypeOf, Any, Path], Any]]] = {
    "set": _to_set, "list": _to_list, "date": _to_date, "number": _to_number, "integer": _to_integer, "text": _to_text,
    "binary": _to_binary, "boolean": _to_boolean,
}  # fmt: skip
