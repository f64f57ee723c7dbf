"""Lines of DynamoDB's export format: an object with the one name ``Item``, whose attributes carry their types.

Numbers are decimal text, which is exact; those far from one are written with an exponent, which DynamoDB takes as well,
because 10**125 would fill a line with zeros. Binary values are base64.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any, Final, NoReturn

import orjson

from isthmus.errors import InvalidStoredValue
from isthmus.values import Item, check_name, normalise_number

Typed = dict[str, Any]

_SCIENTIFIC: Final = Context(capitals=1).to_sci_string
_SHORT: Final = 38
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,200}(?:\.[0-9]{1,200})?(?:[Ee][+-]?[0-9]{1,3})?", re.ASCII)
_DEEPEST: Final = 33
_ITEM: Final = "Item"
_INCREMENTAL: Final = frozenset({"Metadata", "Keys", "NewImage", "OldImage"})


# ---- writing ----


def encode_line(item: Item) -> bytes:
    """The line of a normal item."""
    return orjson.dumps({_ITEM: _attributes(item)}, option=orjson.OPT_APPEND_NEWLINE)


def _attributes(entries: Mapping[str, Any]) -> Typed:
    return {name: _WRITERS[type(value)](value) for name, value in entries.items()}


def _text(value: str) -> Typed:
    return {"S": value}


def _number(value: int | Decimal) -> Typed:
    return {"N": _number_text(value)}


def _number_text(value: int | Decimal) -> str:
    if type(value) is int:
        text = str(value)
        return text if len(text) <= _SHORT else _SCIENTIFIC(Decimal(value).normalize(_WIDE))
    return _SCIENTIFIC(value)


_WIDE: Final = Context(prec=200)


def _boolean(value: bool) -> Typed:
    return {"BOOL": value}


def _null(_value: None) -> Typed:
    return {"NULL": True}


def _binary(value: bytes) -> Typed:
    return {"B": _base64(value)}


def _base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _list(value: list[Any]) -> Typed:
    return {"L": [_WRITERS[type(member)](member) for member in value]}


def _map(value: dict[str, Any]) -> Typed:
    return {"M": _attributes(value)}


def _set(value: frozenset[Any]) -> Typed:
    members = sorted(value)
    kind = type(members[0])
    if kind is str:
        return {"SS": members}
    return {"BS": [*map(_base64, members)]} if kind is bytes else {"NS": [*map(_number_text, members)]}


_WRITERS: Final[dict[type, Callable[[Any], Typed]]] = {
    str: _text, int: _number, Decimal: _number, bool: _boolean, type(None): _null, bytes: _binary, list: _list,
    dict: _map, frozenset: _set,
}  # fmt: skip


# ---- reading ----


class _MalformedError(Exception):
    """A line, or an attribute value in it, that is none."""


def decode_line(line: bytes) -> Item:
    """The normal item of a line.

    :raises InvalidStoredValue: it is malformed, or of an incremental export
    """
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise InvalidStoredValue("the line is no JSON: export the table again") from None
    if type(content) is not dict or set(content) != {_ITEM} or type(content[_ITEM]) is not dict:
        _refuse_shape(content)
    try:
        item = _entries(content[_ITEM], _DEEPEST)
        _check_names(line, content)  # of what is not too deep for a writer
    except _MalformedError as error:
        raise InvalidStoredValue(f"the line {error}: export the table again") from None
    except Exception:
        raise InvalidStoredValue(
            "the line has an attribute value that is none of DynamoDB's types: export the table again"
        ) from None
    return item


def _check_names(line: bytes, content: Any) -> None:
    """Refuse a name that stands twice in one map, of which the reader keeps the last.

    What was kept of a line can only be as long as the line where nothing was left out.
    """
    if len(orjson.dumps(content)) < len(line):
        json.loads(line, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _value in pairs}) < len(pairs):
        raise _MalformedError("has a name twice in one map")


def _refuse_shape(content: Any) -> NoReturn:
    if type(content) is dict and not _INCREMENTAL.isdisjoint(content):
        raise InvalidStoredValue(
            "the line is a change of an incremental export, not an item: use a full export of the table"
        )
    raise InvalidStoredValue('the line is JSON, but not {"Item": …}: is it of another format?')


def _entries(attributes: dict[str, Any], room: int) -> Item:
    if not room:
        raise _MalformedError("is nested too deeply")
    found: Item = {}
    for name, typed in attributes.items():
        ((kind, value),) = typed.items()
        if name not in _KNOWN_NAMES:
            _learn(name)
        found[name] = value if kind == "S" and type(value) is str else _READERS[kind](value, room)
    return found


def _learn(name: str) -> None:
    check_name(name)
    if len(_KNOWN_NAMES) < _MOST_KNOWN and len(name) <= _SHORT:
        _KNOWN_NAMES.add(name)


_KNOWN_NAMES: Final[set[str]] = set()
_MOST_KNOWN: Final = 4_096


def _read_number(text: str, _room: int) -> int | Decimal:
    if len(text) <= _SHORT and text.isascii():
        if text.isdigit():
            return int(text)
        # A short plain fraction without a zero at its end is in normal form.
        if "." in text and text[-1] != "0" and text.replace(".", "", 1).isdigit() and text[0] != "." != text[-1]:
            return Decimal(text)
    if _NUMBER.fullmatch(text) is None:
        raise _MalformedError("has a number that is none")
    return normalise_number(Decimal(text))


def _read_text(value: str, _room: int) -> str:
    if type(value) is not str:
        raise _MalformedError("has a string that is none")
    return value


def _read_boolean(value: bool, _room: int) -> bool:
    if value is not True and value is not False:
        raise _MalformedError("has a truth value that is none")
    return value


def _read_null(value: bool, _room: int) -> None:
    if value is not True:
        raise _MalformedError("has a null that is none")


def _read_binary(text: str, _room: int) -> bytes:
    return a2b_base64(text, strict_mode=True)


def _read_list(members: list[Any], room: int) -> list[Any]:
    if type(members) is not list or not room:
        raise _MalformedError("has a list that is none, or is nested too deeply")
    found = []
    for typed in members:
        ((kind, value),) = typed.items()
        found.append(_READERS[kind](value, room - 1))
    return found


def _read_map(entries: dict[str, Any], room: int) -> Item:
    return _entries(entries, room - 1)


def _reader_of_sets(read: Callable[[Any, int], Any]) -> Callable[[Any, int], frozenset[Any]]:
    def read_set(members: Any, room: int) -> frozenset[Any]:
        found = frozenset([read(member, room) for member in members])
        if type(members) is not list or not found or len(found) != len(members):
            raise _MalformedError("has a set that is empty or has a member twice")
        return found

    return read_set


_READERS: Final[dict[str, Callable[[Any, int], Any]]] = {
    "S": _read_text, "N": _read_number, "BOOL": _read_boolean, "NULL": _read_null, "B": _read_binary,
    "L": _read_list, "M": _read_map, "SS": _reader_of_sets(_read_text), "NS": _reader_of_sets(_read_number),
    "BS": _reader_of_sets(_read_binary),
}  # fmt: skip
