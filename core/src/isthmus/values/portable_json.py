"""Lossless JSON text for values, readable by people and by other tools.

Strings, lists, maps, booleans and null are themselves and numbers are number literals of any precision. What JSON does
not know is a map with one name: ``{"$set": [...]}`` for a set and ``{"$binary": "<base64>"}`` for bytes. A map of the
user's that has a single name starting with ``$`` is written as ``{"$map": {...}}``, so nothing is ambiguous.
"""

from __future__ import annotations

import json
import threading
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from json import encoder as json_encoder
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn

from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.values._refused import Refused, refuse, shown
from isthmus.values.model import Value, ValueLimits
from isthmus.values.normal import normalise

# An item is a map around its attributes, so its text may be one level deeper than a value.
_LIMITS: Final = ValueLimits(depth=ValueLimits().depth + 1)
_FLOAT_TEXT: Final = 16
# The text of a number is the same in every thread, whatever its context: equal numbers are stored as equal texts.
_text_of: Final = Context(capitals=1).to_sci_string


class _NotPlain(Exception):
    """The value needs more than the C encoder can write."""


def dumps(value: Any) -> str:
    """The compact JSON text of a normal value or item; names stay in their order, sets are sorted.

    :raises InvalidValue: when it holds something that is not portable
    """
    try:
        return _encoded(value)
    except _NotPlain:
        pass
    except ValueError:
        raise InvalidValue("The value holds NaN or an infinity; normalise it first.") from None
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def _encoded(value: Any) -> str:
    """The text as the C encoder writes it.

    :raises _NotPlain: it can't
    """
    _SUBSTITUTES.tags = 0
    text = _encode(value)
    # A quote inside a string is escaped, so each of these is an object whose first name starts with "$": those that
    # stand for sets and binary values, or else maps of the caller's, which need an escape.
    if text.count('{"$') != _SUBSTITUTES.tags:
        raise _NotPlain
    return text


class _Substitutes(threading.local):
    """How many tagged substitutes the text that this thread writes has."""

    tags = 0


_SUBSTITUTES: Final = _Substitutes()


def _substitute(value: Any) -> Any:
    """What the C encoder may write in place of a value that it does not know."""
    kind = type(value)
    if kind is Decimal and len(_text_of(value)) <= _FLOAT_TEXT:
        # At most 15 digits survive the way through a float unchanged.
        return float(value)
    _SUBSTITUTES.tags += 1
    if kind is frozenset:
        return {"$set": sorted(value)}
    if kind is bytes:
        return {"$binary": b2a_base64(value, newline=False).decode()}
    raise _NotPlain


def _new_encoder() -> Callable[[Any], str]:
    """An encoder that is set up once; the library's own function makes a new one for each text."""
    make: Any = getattr(json_encoder, "c_make_encoder", None)  # other Pythons than CPython have none
    if make is None:
        return json.JSONEncoder(
            ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), default=_substitute
        ).encode
    chunks = make(None, _substitute, encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(chunks(value, 0))


_encode: Final = _new_encoder()


def _write(value: Any, parts: list[str]) -> None:
    kind = type(value)
    if kind is str:
        parts.append(encode_basestring(value))
    elif kind is int:
        parts.append(str(value))
    elif kind is dict:
        _write_map(value, parts)
    elif kind is list:
        _write_list(value, parts)
    else:
        _write_rare(value, parts)


def _write_rare(value: Any, parts: list[str]) -> None:
    if value is None:
        parts.append("null")
    elif value is True or value is False:
        parts.append("true" if value else "false")
    elif type(value) is Decimal:
        text = _text_of(value)
        parts.append(float.__repr__(float(value)) if len(text) <= _FLOAT_TEXT else text)
    elif type(value) is bytes:
        parts.append('{"$binary":"' + b2a_base64(value, newline=False).decode() + '"}')
    elif type(value) is frozenset:
        parts.append('{"$set":')
        _write_list(sorted(value), parts)
        parts.append("}")
    else:
        raise InvalidValue(f"A value of type {type(value).__name__} is not portable; normalise it first.")


def _write_list(values: list[Any], parts: list[str]) -> None:
    separator = "["
    for value in values:
        parts.append(separator)
        _write(value, parts)
        separator = ","
    parts.append("]" if values else "[]")


def _write_map(entries: dict[str, Any], parts: list[str]) -> None:
    escaped = len(entries) == 1 and next(iter(entries)).startswith("$")
    separator = '{"$map":{' if escaped else "{"
    for name, value in entries.items():
        parts.append(separator + encode_basestring(name) + ":")
        _write(value, parts)
        separator = ","
    parts.append("}}" if escaped else "}" if entries else "{}")


def loads(text: str) -> Value:
    """The normal value of a JSON text from anywhere.

    :raises InvalidValue: when it is malformed (with line and column), has an unknown tag, a name twice, NaN or an
        infinity, or holds a value that is not portable
    """
    try:
        value = _STRICT.decode(text)
        # "$" may be spelled as an escape in a text that we did not write.
        return normalise(_untag(value) if '"$' in text or "\\u0024" in text else value, _LIMITS)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno} column {error.colno}"
    except Refused as refused:
        refuse(refused, "The JSON text")
    except RecursionError:
        reason = "it is nested too deeply"
    raise InvalidValue(f"The JSON text is malformed: {reason}.")


def loads_trusted(text: str) -> Value:
    """The value of a text that :func:`dumps` wrote: the same without the checks.

    :raises InvalidStoredValue: when it is no JSON text at all
    """
    try:
        value, end = _TRUSTED.raw_decode(text)
        if end == len(text):
            return _untag(value) if '"$' in text else value  # type: ignore[no-any-return]  # JSON has only our types
    except (ValueError, Refused, RecursionError):
        pass
    raise InvalidStoredValue("The stored text is not the JSON of a value; it was damaged or written by something else.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"has the name {shown(twice)} twice in one map; remove one")
    return entries


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refused("holds a number outside 1E-130 .. 9.99E+125") from None


def _integer(text: str) -> int:
    # Bounded before int(), whose time grows with the square of the length.
    if len(text) > 400:
        raise Refused("holds a number outside 1E-130 .. 9.99E+125")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise Refused(f"holds {text}; store null or a string instead")


_STRICT: Final = json.JSONDecoder(
    parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_unique
)
_TRUSTED: Final = json.JSONDecoder(parse_float=Decimal)


def _untag(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_untag(element) if type(element) in _CONTAINERS else element for element in value]
    if kind is not dict:
        return value
    if len(value) == 1:
        name = next(iter(value))
        if name[:1] == "$":
            return _tagged(name, value[name])
    return _untag_entries(value)


_CONTAINERS: Final = frozenset({dict, list})


def _untag_entries(entries: dict[str, Any]) -> dict[str, Any]:
    for name, value in entries.items():
        if type(value) in _CONTAINERS:
            entries[name] = _untag(value)
    return entries


def _tagged(tag: str, content: Any) -> Any:
    if tag == "$set" and type(content) is list:
        return _members(content)
    if tag == "$binary" and type(content) is str:
        return _bytes(content)
    if tag == "$map" and type(content) is dict:
        return _untag_entries(content)
    raise Refused(f"has the unknown or misused tag {shown(tag)}; a map with this single name is written in $map")


def _members(content: list[Any]) -> frozenset[Any]:
    members = [_untag(member) for member in content]
    if {type(member) for member in members} & {list, dict, frozenset}:
        raise Refused("has a $set with a list, a map or a set inside; use a list")
    distinct = frozenset(members)
    if len(distinct) != len(members):
        raise Refused("has a $set with a member twice; remove one")
    return distinct


def _bytes(content: str) -> bytes:
    try:
        data = a2b_base64(content, strict_mode=True)
        if b2a_base64(data, newline=False).decode() == content:
            return data
    except (Base64Error, ValueError):
        pass
    raise Refused("has a $binary that is not base64 with padding")
