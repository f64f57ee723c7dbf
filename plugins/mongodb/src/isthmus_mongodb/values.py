"""Portable values and items as BSON documents, and back, in one pass each.

Integers that fit are int64, every other number is a canonical Decimal128, never a double (rule NUM-4). Maps are sorted
by their stored names, because the server compares them in field order. Sets are one-field documents ``{"%SS": […]}``,
``{"%NS": […]}`` and ``{"%BS": […]}`` with sorted members, which no escaped name of a user can imitate.

A finite double that somebody else wrote is read as the decimal that it prints as. Conditions judge it by its exact
binary value; writing the item back stores a decimal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any, Final, NoReturn

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.expressions import path_text
from isthmus.values import Item, normalise_number
from isthmus.writes import expired, is_number
from isthmus_mongodb.decimals import pack, unpack
from isthmus_mongodb.layouts import EXPIRY, KeyField, Layout
from isthmus_mongodb.names import escape, plain, unescape

Document = dict[str, Any]

CODEC_OPTIONS: Final[CodecOptions[Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
"""For every collection: dates of any range decode, so that reading a hidden one never fails."""

RAW: Final = CODEC_OPTIONS.with_options(document_class=RawBSONDocument)
"""For answers that are left in the server's own bytes."""

LOWEST: Final = -(2**63)
"""The lowest number that is stored as an integer."""
HIGHEST: Final = 2**63 - 1
"""The highest one."""
_TAGS: Final = {"%SS": frozenset({str}), "%NS": frozenset({int, Decimal}), "%BS": frozenset({bytes})}
_PLAIN: Final = frozenset({str, bool, type(None), bytes, int})
_ROUNDED_DOWN: Final = Context(prec=34, rounding=ROUND_FLOOR)
_WIDE: Final = Context(prec=60)
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999, beyond which the server's TTL index has nothing to do."""


# ---- to BSON ----


def encode_value(value: Any) -> Any:
    """A normal value in its stored form."""
    encode = _ENCODERS.get(type(value))
    return value if encode is None else encode(value)


def _integer(number: int) -> Int64 | Decimal128:
    return Int64(number) if LOWEST <= number <= HIGHEST else pack(number)


def _map(value: dict[str, Any]) -> Document:
    stored = value if plain(value) else {escape(name): member for name, member in value.items()}
    get = _ENCODERS.get
    return {
        name: member if (encode := get(type(member := stored[name]))) is None else encode(member)
        for name in sorted(stored)
    }


def _list(value: list[Any]) -> list[Any]:
    get = _ENCODERS.get
    return [member if (encode := get(type(member))) is None else encode(member) for member in value]


def _set(members: frozenset[Any]) -> Document:
    tag = set_tag(members)
    # The server's own order of binary values is by length first, and it sorts sets again when it changes them.
    ordered = sorted(members, key=(lambda member: (len(member), member)) if tag == "%BS" else None)
    return {tag: ordered if tag != "%NS" else _list(ordered)}


def set_tag(members: frozenset[Any]) -> str:
    """The field under which a set keeps its members."""
    kind = type(next(iter(members)))
    return "%SS" if kind is str else "%BS" if kind is bytes else "%NS"


_ENCODERS: Final[dict[type, Callable[[Any], Any]]] = {
    int: _integer, Decimal: pack, dict: _map, list: _list, frozenset: _set,
}  # fmt: skip


def encode_key(layout: Layout, key: Mapping[str, Any]) -> Document:
    """The ``_id`` of an item, from its key attributes or from all of its attributes."""
    return {field.stored: encode_key_value(key[field.name]) for field in layout.keys}


def encode_key_value(value: Any) -> Any:
    """A key attribute's value inside ``_id`` or in an index."""
    kind = type(value)
    return value if kind is str else _integer(value) if kind is int else value.hex() if kind is bytes else pack(value)


def encode_item(layout: Layout, item: Mapping[str, Any]) -> Document:
    """The whole document of an item, ``_id`` first."""
    document: Document = {"_id": encode_key(layout, item)}
    get = _ENCODERS.get
    if plain(item):
        for name, value in item.items():
            encode = get(type(value))
            document[name] = value if encode is None else encode(value)
        for key in layout.keys:
            del document[key.name]
    else:
        document.update({escape(name): encode_value(item[name]) for name in item if name not in layout.by_name})
    if layout.watched:
        document.update(hidden_fields(layout, item))
    return document


def hidden_fields(layout: Layout, item: Mapping[str, Any]) -> Document:
    """The fields that are derived from an item's attributes, those that it has."""
    found: Document = {}
    for name, stored in layout.indexed.items():
        if type(item.get(name)) is bytes:
            found[stored] = item[name].hex()
    expiry = None if layout.table.ttl is None else expiry_date(item.get(layout.table.ttl))
    return found if expiry is None else {**found, EXPIRY: expiry}


def expiry_date(value: Any) -> DatetimeMS | None:
    """The date at which the server may delete an item, or ``None`` when it never does.

    Rounded up, so that nothing is deleted before it is expired.
    """
    return DatetimeMS(math.ceil(value * 1000)) if is_number(value) and 0 <= value <= _LATEST else None


def moment(now: float) -> Int64 | Decimal128:
    """A time as a stored number by which ``expires <= now`` comes out as it does in Python.

    Rounded down to the digits of a Decimal128, as the server compares a decimal with a double by fewer.
    """
    if now == int(now) and abs(now) < HIGHEST:
        return Int64(now)
    return pack(_ROUNDED_DOWN.create_decimal(Decimal(now)).normalize(_WIDE))


# ---- from BSON ----


class _ForeignError(Exception):
    """A value that Isthmus does not write; its place is found later."""


def decode_item(layout: Layout, document: Mapping[str, Any]) -> Item:
    """The item behind a document, which is left as it is.

    :raises InvalidStoredValue: it holds what is no portable value, naming the field and the type
    """
    try:
        item = _attributes(layout, document)
        _restore_key(layout, document.get("_id"), item)
    except _ForeignError:
        _refuse(layout, document)
    return item


def _attributes(layout: Layout, document: Mapping[str, Any]) -> Item:
    hidden = layout.hidden
    if "%" in "".join(document):
        return {unescape(name): decode_value(value) for name, value in document.items() if name not in hidden}
    get = _DECODERS.get
    return {
        name: value if (kind := type(value)) in _PLAIN else get(kind, _foreign)(value)
        for name, value in document.items()
        if name not in hidden
    }


def _restore_key(layout: Layout, key: Any, item: Item) -> None:
    if type(key) is not dict or len(key) != len(layout.keys):
        raise _ForeignError
    for field in layout.keys:
        if field.stored not in key:
            raise _ForeignError
        item[field.name] = decode_key_value(field, key[field.stored])


def decode_key(layout: Layout, key: Any) -> Item:
    """The key attributes behind an ``_id``.

    :raises InvalidStoredValue: it is not made of this table's key attributes
    """
    found: Item = {}
    try:
        _restore_key(layout, key, found)
    except _ForeignError:
        _refuse(layout, {"_id": key})
    return found


def decode_key_value(field: KeyField, value: Any) -> Any:
    """A key attribute's value behind its stored form."""
    if type(value) is not str:
        if not field.number:
            raise _ForeignError
        return _key_number(value)
    if field.number:
        raise _ForeignError
    return _key_bytes(value) if field.binary else value


def _key_number(value: Any) -> Any:
    number = decode_value(value)
    if not is_number(number):
        raise _ForeignError
    return number


def _key_bytes(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        raise _ForeignError from None
    if found.hex() != text:
        raise _ForeignError
    return found


def decode_value(value: Any) -> Any:
    """A normal value behind its stored form; for what is foreign, :func:`decode_item` finds the place."""
    kind = type(value)
    return value if kind in _PLAIN else _DECODERS.get(kind, _foreign)(value)


def _foreign(_value: Any) -> NoReturn:
    raise _ForeignError


def _decode_decimal(stored: Decimal128) -> int | Decimal:
    number = unpack(stored)
    if number is None:
        raise _ForeignError
    return number


def _decode_double(number: float) -> int | Decimal:
    try:
        return normalise_number(number)
    except InvalidValue:
        raise _ForeignError from None


def _decode_list(members: list[Any]) -> list[Any]:
    return [decode_value(member) for member in members]


def _decode_map(stored: dict[str, Any]) -> Any:
    if "%" not in "".join(stored):
        return {name: decode_value(value) for name, value in stored.items()}
    tag = next(iter(stored))
    if tag in _TAGS:
        return _decode_set(stored, tag)
    return {unescape(name): decode_value(value) for name, value in stored.items()}


def _decode_set(stored: dict[str, Any], tag: str) -> frozenset[Any]:
    members = stored[tag]
    if len(stored) != 1 or type(members) is not list or not members:
        raise _ForeignError
    decoded = frozenset(_decode_list(members)) if tag == "%NS" else frozenset(members)
    if not _TAGS[tag].issuperset(map(type, decoded)):
        raise _ForeignError
    return decoded


_DECODERS: Final[dict[type, Callable[[Any], Any]]] = {
    Int64: int, Decimal128: _decode_decimal, dict: _decode_map, list: _decode_list, float: _decode_double,
}  # fmt: skip


def _refuse(layout: Layout, document: Mapping[str, Any]) -> NoReturn:
    """Find what can't be read; slow, but only errors come here."""
    for name, value in document.items():
        if name not in layout.hidden:
            _search((unescape(name),), value)
    raise InvalidStoredValue(
        "A stored document has an _id that is not made of the table's key attributes. Isthmus did not write it: move it"
        " to another collection, or write it through Isthmus."
    )


def _search(path: tuple[str | int, ...], value: Any) -> None:
    try:
        decode_value(value)
    except _ForeignError:
        pass
    else:
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        _search((*path, unescape(name) if isinstance(name, str) and name not in _TAGS else name), member)
    raise InvalidStoredValue(
        f"The stored attribute {path_text(path)} is a BSON {type(value).__name__} that is no portable value. Isthmus"
        " did not write it: convert it in the store, or read it with another client."
    )


def decode_visible(layout: Layout, document: Mapping[str, Any] | None, now: float) -> Item | None:
    """The item behind a document, unless there is none or it is expired.

    :param now: seconds since the epoch, by our own clock
    """
    if document is None:
        return None
    item = decode_item(layout, document)
    return None if layout.table.ttl is not None and expired(layout.table, item, now) else item
