"""Portable values and attribute values, in one pass each way.

Attribute values are those of the wire: binary is base64 text, numbers are plain decimal text. When something can't be
decoded, a second and slower pass finds out where it is.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from isthmus.errors import InvalidStoredValue
from isthmus.expressions import path_text
from isthmus.values import Item, Value, normalise_number, number_text
from isthmus_dynamodb.hidden import MARK, OPERATION_ID

AttributeValue = dict[str, Any]
Attributes = dict[str, AttributeValue]

# Text that is this short has no more digits than a portable number.
_SHORT: Final = 38
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[Ee][+-]?[0-9]{1,3})?", re.ASCII)


def encode_item(item: Mapping[str, Value]) -> Attributes:
    """The attributes of an item, or of a key."""
    return {
        name: {"S": value}
        if (kind := type(value)) is str
        else {"N": str(value)}
        if kind is int
        else _ENCODERS[kind](value)
        for name, value in item.items()
    }


def encode(value: Value) -> AttributeValue:
    """One portable value as an attribute value."""
    return _ENCODERS[type(value)](value)


def decode_item(attributes: Mapping[str, Any]) -> Item:
    """The item that was stored, without the attributes that the backend adds.

    :raises InvalidStoredValue: an attribute has a type or a content that the value model does not know
    """
    try:
        item = _decode_map(attributes)
    except Exception:
        invalid = _first_invalid(attributes)
        if invalid is None:
            raise
        # What could not be read is quoted by the first error.
        raise invalid from None
    if OPERATION_ID in item:
        del item[OPERATION_ID]
    if MARK in item:
        del item[MARK]
    return item


def decode(value: Mapping[str, Any]) -> Value:
    """One attribute value as a portable value.

    :raises InvalidStoredValue: as :func:`decode_item`
    """
    return decode_item({"value": value})["value"]


def stored_bytes(text: str | bytes) -> bytes:
    """The bytes behind a binary attribute value, which a transport may have decoded already."""
    return a2b_base64(text, strict_mode=True) if type(text) is str else bytes(text)  # type: ignore[arg-type]  # a str takes the other branch


def _encode_string(value: str) -> AttributeValue:
    return {"S": value}


def _encode_integer(value: int) -> AttributeValue:
    return {"N": str(value)}


def _encode_decimal(value: Decimal) -> AttributeValue:
    return {"N": format(value, "f")}


def _encode_boolean(value: bool) -> AttributeValue:
    return {"BOOL": value}


def _encode_null(_value: None) -> AttributeValue:
    return {"NULL": True}


def _encode_binary(value: bytes) -> AttributeValue:
    return {"B": _base64(value)}


def _encode_list(value: list[Any]) -> AttributeValue:
    return {"L": [_ENCODERS[type(member)](member) for member in value]}


def _encode_map(value: dict[str, Any]) -> AttributeValue:
    return {"M": encode_item(value)}


def _encode_set(value: frozenset[Any]) -> AttributeValue:
    # Sorted, so that the same content is the same request in every process.
    members = sorted(value)
    kind = type(members[0])
    if kind is str:
        return {"SS": members}
    return {"BS": list(map(_base64, members))} if kind is bytes else {"NS": list(map(number_text, members))}


def _base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


_ENCODERS: Final[dict[type, Callable[[Any], AttributeValue]]] = {
    str: _encode_string,
    int: _encode_integer,
    Decimal: _encode_decimal,
    bool: _encode_boolean,
    type(None): _encode_null,
    bytes: _encode_binary,
    list: _encode_list,
    dict: _encode_map,
    frozenset: _encode_set,
}


def _decode_map(attributes: Mapping[str, Any]) -> dict[str, Any]:
    item = {}
    for name, attribute in attributes.items():
        ((kind, value),) = attribute.items()
        item[name] = value if kind == "S" and type(value) is str and value.isascii() else _DECODERS[kind](value)
    return item


def _decode_list(members: Sequence[Mapping[str, Any]]) -> list[Any]:
    found = [_DECODERS[kind](value) for member in members for kind, value in member.items()]
    if type(members) is not list or len(found) != len(members):
        raise ValueError
    return found


def _decode_number(text: str) -> int | Decimal:
    if len(text) <= _SHORT and text.isascii():
        if text.isdigit():
            return int(text)
        # Most decimals: plain ones without a sign, in normal form.
        if text[-1:] not in "0." and text.replace(".", "", 1).isdigit():
            return Decimal(text)
    if _NUMBER.fullmatch(text) is None:
        raise ValueError
    # DynamoDB Local writes small members of sets with exponents.
    if len(text) <= _SHORT and "E" not in text and "e" not in text:
        if "." not in text:
            return int(text)
        if text[-1] != "0":
            return Decimal(text)
    return normalise_number(Decimal(text))


def _decode_boolean(value: bool) -> bool:
    if value is not True and value is not False:
        raise ValueError
    return value


def _decode_null(value: bool) -> None:
    if value is not True:
        raise ValueError


def _decode_string(value: str) -> str:
    if not value.isascii():
        value.encode()  # a lone surrogate is no text
    return value


def _decode_string_set(members: list[str]) -> frozenset[str]:
    return _set(members, _decode_string)


def _decode_number_set(members: list[str]) -> frozenset[Any]:
    return _set(members, _decode_number)


def _decode_binary_set(members: list[str | bytes]) -> frozenset[bytes]:
    return _set(members, stored_bytes)


def _set(members: list[Any], decode_member: Callable[[Any], Any]) -> frozenset[Any]:
    found = frozenset(map(decode_member, members))
    if type(members) is not list or not found or len(found) != len(members):
        raise ValueError
    return found


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "S": _decode_string,
    "N": _decode_number,
    "BOOL": _decode_boolean,
    "NULL": _decode_null,
    "B": stored_bytes,
    "L": _decode_list,
    "M": _decode_map,
    "SS": _decode_string_set,
    "NS": _decode_number_set,
    "BS": _decode_binary_set,
}


def _first_invalid(attributes: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> InvalidStoredValue | None:
    """The error for the first attribute value that can't be decoded."""
    errors = (_checked((*path, name), attribute) for name, attribute in attributes.items())
    return next(filter(None, errors), None)


def _checked(path: tuple[str | int, ...], attribute: Any) -> InvalidStoredValue | None:
    if not isinstance(attribute, Mapping) or len(attribute) != 1:
        return _invalid(path, "no single type")
    ((kind, value),) = attribute.items()
    if kind == "M" and isinstance(value, Mapping):
        return _first_invalid(value, path)
    if kind == "L" and isinstance(value, list):
        errors = (_checked((*path, index), member) for index, member in enumerate(value))
        return next(filter(None, errors), None)
    if kind not in _DECODERS:
        return _invalid(path, f"the unknown type {kind!r}")
    return None if _is_readable(kind, value) else _invalid(path, f"type {kind!r} with a content that is none of it")


def _is_readable(kind: str, value: Any) -> bool:
    try:
        _DECODERS[kind](value)
    except Exception:
        return False
    return True


def _invalid(path: tuple[str | int, ...], problem: str) -> InvalidStoredValue:
    return InvalidStoredValue(f"stored attribute {path_text(path)} has {problem}: mend it with the service's own tools")
