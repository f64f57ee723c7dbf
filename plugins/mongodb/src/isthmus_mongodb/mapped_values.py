"""Documents that others wrote as items, and changed items as the fields that changed.

Names are what they are. What is not changed keeps its stored form to the byte: a double stays a double. What is written
anew is stored as Isthmus stores it, and as the mapping declares it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from isthmus.errors import InvalidKey, InvalidStoredValue, InvalidValue
from isthmus.types import utc_moment, utc_text
from isthmus.values import Item, Value, normalise_number, type_name
from isthmus_mongodb.decimals import unpack
from isthmus_mongodb.mappings import ID, CollectionMapping, MappedKey, Node
from isthmus_mongodb.values import Document, encode_value

HIDDEN: Final = "__"
"""Fields whose names start so are left alone; Isthmus reserves such names, and other libraries use them too."""

_PLAIN: Final = frozenset({str, bool, type(None), bytes, int})
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
NOTHING: Final = Node()
_BSON_NAMES: Final = {
    "DatetimeMS": "date", "ObjectId": "objectId", "float": "double", "Decimal128": "decimal", "dict": "object",
    "list": "array", "str": "string", "Int64": "long", "int": "int", "bool": "bool", "bytes": "binData",
    "Binary": "binData", "Regex": "regex", "Code": "javascript", "Timestamp": "timestamp", "MinKey": "minKey",
    "MaxKey": "maxKey",
}  # fmt: skip

Path = tuple[str, ...]


class _Absent:
    """An empty array that is declared as a set: no value, because sets are never empty."""


ABSENT: Final = _Absent()


class ForeignError(Exception):
    """A value that is no portable one; its path is put together on the way up."""

    def __init__(self, value: object, wanted: str = "") -> None:
        super().__init__()
        self.value = value
        self.wanted = wanted
        self.path: list[str] = []


# ---- from BSON ----


def decode_item(mapping: CollectionMapping, document: Mapping[str, Any], names: Collection[str] | None = None) -> Item:
    """The item behind a document, which is left as it is.

    :param names: the attributes that are wanted besides the key; ``None`` for all
    :raises InvalidStoredValue: it holds what is no portable value, naming the field and the type
    """
    try:
        item = decode_key(mapping, document)
        tops = {key.path[0] for key in mapping.keys} | {ID}
        for name, value in document.items():
            if name not in tops and not name.startswith(HIDDEN) and (names is None or name in names):
                _take(item, name, value, mapping.tree)
    except ForeignError as error:
        raise _refusal(mapping, error) from None
    return item


def decode_key(mapping: CollectionMapping, document: Mapping[str, Any]) -> Item:
    """The key attributes of a document.

    :raises InvalidStoredValue: it lacks one, or one has another type
    """
    try:
        if mapping.shape == "embedded":
            inner = document.get(ID)
            if type(inner) is not dict or list(inner) != [key.path[1] for key in mapping.keys]:
                raise _located(ForeignError(inner, f"fields {' and '.join(k.path[1] for k in mapping.keys)}"), ID)
            return {key.name: _key_value(key, inner, key.path[1]) for key in mapping.keys}
        return {key.name: _key_value(key, document, key.path[0]) for key in mapping.keys}
    except ForeignError as error:
        raise _refusal(mapping, error) from None


def _key_value(key: MappedKey, holder: Mapping[str, Any], name: str) -> Value:
    if name not in holder:
        raise InvalidStoredValue(
            f"A stored document has no field {key.field}, which the mapping declares as a key: remove it, or mend it."
        )
    try:
        value = decode(holder[name], Node(key.kind))
    except ForeignError as error:
        raise _located(error, key.field) from None
    if value is ABSENT or type_name(value) != key.type or value in ("", b""):
        raise _located(ForeignError(holder[name], f"a key of type {key.type}"), key.field)
    found: Value = value
    return found


def decode(value: Any, node: Node) -> Any:
    """A normal value behind its stored form; an empty set is ``ABSENT``."""
    if node.kind is not None:
        return _decode_declared(value, node)
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Int64:
        return int(value)
    if kind is dict:
        found: dict[str, Any] = {}
        for name, member in value.items():
            _take(found, name, member, node)
        return found
    return _decode_list(value, node) if kind is list else _decode_number(value)


def _take(found: dict[str, Any], name: str, value: Any, node: Node) -> None:
    try:
        if not name:
            raise ForeignError(value, "a name")
        decoded = decode(value, node.children.get(name, NOTHING))
    except ForeignError as error:
        raise _located(error, name) from None
    if decoded is not ABSENT:
        found[name] = decoded


def _decode_list(members: list[Any], node: Node) -> list[Any]:
    found = []
    inner = node.elements or NOTHING
    for place, member in enumerate(members):
        try:
            decoded = decode(member, inner)
            if decoded is ABSENT:
                raise ForeignError(member, "a set with members")
        except ForeignError as error:
            raise _located(error, f"[{place}]") from None
        found.append(decoded)
    return found


def _decode_number(value: Any) -> int | Decimal:
    number: int | Decimal | None = None
    if type(value) is Decimal128:
        number = unpack(value)
    elif type(value) is float:
        try:
            number = normalise_number(value)
        except InvalidValue:
            number = None
    if number is None:
        raise ForeignError(value)
    return number


def _decode_declared(value: Any, node: Node) -> Any:
    if value is None:
        return None
    kind = node.kind
    if kind == "set":
        return _decode_set(value, node)
    if kind == "object_id":
        if type(value) is not ObjectId:
            raise ForeignError(value, "an ObjectId")
        return str(value)
    if type(value) is not DatetimeMS or not _EARLIEST <= int(value) <= _LATEST:
        raise ForeignError(value, "a date of the years 1 to 9999")
    if kind == "expiry":
        return normalise_number(Decimal(int(value)).scaleb(-3))
    return utc_text(_EPOCH + timedelta(milliseconds=int(value)))


def _decode_set(value: Any, node: Node) -> Any:
    if type(value) is not list:
        raise ForeignError(value, "an array that is a set")
    members = _decode_list(value, node)
    kinds = {type_name(member) for member in members}
    if len(kinds) > 1 or not kinds <= {"string", "number", "binary"}:
        raise ForeignError(value, "a set of texts, of numbers or of binary values")
    return frozenset(members) if members else ABSENT


def _located(error: ForeignError, part: str) -> ForeignError:
    error.path.insert(0, part)
    return error


def _refusal(mapping: CollectionMapping, error: ForeignError) -> InvalidStoredValue:
    path = ".".join(error.path).replace(".[", "[")
    value: Any = error.value
    name = _BSON_NAMES.get(type(value).__name__, type(value).__name__)
    subtype = f" of subtype {value.subtype}" if type(value).__name__ == "Binary" else ""
    what = f"not {error.wanted}" if error.wanted else "which is no portable value"
    return InvalidStoredValue(
        f"The stored field {path} of collection {mapping.collection!r} is a BSON {name}{subtype}, {what}. Declare it in"
        " the mapping, convert it in the store, or leave it out with select."
    )


# ---- to BSON ----


def encode_document(mapping: CollectionMapping, item: Mapping[str, Value]) -> Document:
    """The whole document of a new item.

    :raises InvalidValue: a value is not what the mapping declares, or a set that it does not declare
    """
    document = key_document(mapping, item)
    names = mapping.table.key_names
    document.update({name: encode_field(mapping, name, value) for name, value in item.items() if name not in names})
    return document


def key_document(mapping: CollectionMapping, key: Mapping[str, Any]) -> Document:
    """A document of the key alone."""
    values = {field.path: encode_key_value(field, key[field.name]) for field in mapping.keys}
    if mapping.shape == "embedded":
        return {ID: {path[1]: value for path, value in values.items()}}
    return {path[0]: value for path, value in values.items()}


def encode_key_value(field: MappedKey, value: Any) -> Any:
    """A key attribute's value in its stored form.

    :raises InvalidKey: it is no ObjectId or date, which it has to be
    """
    try:
        return encode(value, Node(field.kind), (field.name,))
    except InvalidValue as error:
        raise InvalidKey(error.message) from None


def encode_field(mapping: CollectionMapping, name: str, value: Any) -> Any:
    """An attribute's value in its stored form.

    :raises InvalidValue: as ``encode_document``
    """
    if name == ID or name in {key.path[0] for key in mapping.keys}:
        raise InvalidValue(
            f"The attribute {name} can't be written: that field of collection {mapping.collection!r} is part of the key"
            " under another name, or is not shown. Choose another name."
        )
    return encode(value, mapping.tree.children.get(name, NOTHING), (name,))


def encode(value: Any, node: Node, path: Path) -> Any:
    """A normal value in its stored form."""
    kind = type(value)
    if node.kind is not None and value is not None:
        return _encode_declared(value, node, path)
    if kind is dict:
        if "$ref" in value:
            raise InvalidValue(f"{_text(path)} is a map with the name $ref, which drivers take for a reference.")
        return {name: encode(member, node.children.get(name, NOTHING), (*path, name)) for name, member in value.items()}
    if kind is list:
        return [encode(member, node.elements or NOTHING, (*path, "[]")) for member in value]
    if kind is frozenset:
        raise InvalidValue(
            f"{_text(path)} is a set, and the mapping does not declare one there: add {_text(path)} to sets, or"
            " write a list."
        )
    return encode_value(value)


def _encode_declared(value: Any, node: Node, path: Path) -> Any:
    kind = node.kind
    if kind == "set":
        if type(value) is not frozenset:
            raise InvalidValue(f"{_text(path)} is declared as a set: write a set, not a {type_name(value)}.")
        return [encode(member, node.elements or NOTHING, path) for member in sorted(value)]
    if kind == "object_id":
        if type(value) is not str or _OBJECT_ID.fullmatch(value) is None:
            raise InvalidValue(f"{_text(path)} is declared as an ObjectId: write its 24 lower-case hexadecimal digits.")
        return ObjectId(value)
    return _encode_expiry(value, path) if kind == "expiry" else _encode_date(value, path)


def _encode_date(value: Any, path: Path) -> DatetimeMS:
    try:
        moment = utc_moment(value)
    except InvalidValue:
        moment = None
    # Only what reads back as the same text is written.
    if type(value) is not str or moment is None or moment.microsecond % 1000 or utc_text(moment) != value:
        raise InvalidValue(
            f"{_text(path)} is declared as a date: write UTC text of the form YYYY-MM-DDTHH:MM:SS.fff000Z, because"
            " MongoDB keeps milliseconds."
        )
    return DatetimeMS((moment - _EPOCH) // timedelta(milliseconds=1))


def _encode_expiry(value: Any, path: Path) -> DatetimeMS:
    milliseconds = value * 1000 if type(value) in (int, Decimal) else None
    if milliseconds is None or milliseconds != int(milliseconds) or not _EARLIEST <= milliseconds <= _LATEST:
        raise InvalidValue(
            f"{_text(path)} is the expiry date: write seconds since the epoch, with three decimals at most."
        )
    return DatetimeMS(int(milliseconds))


def _text(path: Path) -> str:
    return ".".join(path).replace(".[", "[")
