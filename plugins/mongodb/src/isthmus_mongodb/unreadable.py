"""Scans that go on past documents that are no items: what other clients wrote under an ``_id`` of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bson import encode
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp

from isthmus.errors import InvalidStoredValue
from isthmus.results import Unreadable
from isthmus.values import Item
from isthmus_mongodb.layouts import Layout
from isthmus_mongodb.mapped_values import decode_item as decode_mapped
from isthmus_mongodb.mapped_values import decode_key as decode_mapped_key
from isthmus_mongodb.mappings import CollectionMapping
from isthmus_mongodb.values import CODEC_OPTIONS, decode_item, decode_key

# The server's order of types that an _id can have, each with its Python types.
_ORDER: Final[tuple[tuple[tuple[str, ...], tuple[type, ...]], ...]] = (
    (("minKey",), ()),
    (("null",), (type(None),)),
    (("int", "long", "double", "decimal"), (int, Int64, float, Decimal128)),
    (("string", "symbol"), (str,)),
    (("object",), (dict,)),
    (("binData",), (bytes, Binary)),
    (("objectId",), (ObjectId,)),
    (("bool",), (bool,)),
    (("date",), (DatetimeMS,)),
    (("timestamp",), (Timestamp,)),
    (("dbPointer", "javascript", "javascriptWithScope", "maxKey"), ()),
)
_LONGEST: Final = 200
FORM: Final = "bson"
"""What a stored item is, for those that keep its bytes."""


def item_or_fault(
    layout: Layout,
    document: Mapping[str, Any],
    decode: Callable[[Layout, Any], Item] = decode_item,
    raw: bytes | None = None,
) -> Item | Unreadable:
    """The item behind a document, or why there is none.

    :param raw: the document's bytes, where they are known
    """
    try:
        return decode(layout, document)
    except InvalidStoredValue as error:
        return _fault(error, document, raw, lambda: decode_key(layout, document.get("_id")))


def mapped_or_fault(
    mapping: CollectionMapping, document: Mapping[str, Any], raw: bytes | None = None
) -> Item | Unreadable:
    """The item behind a document of a mapped collection, or why there is none.

    :param raw: the document's bytes, where they are known
    """
    try:
        return decode_mapped(mapping, document)
    except InvalidStoredValue as error:
        return _fault(error, document, raw, lambda: decode_mapped_key(mapping, document))


def _fault(
    error: InvalidStoredValue, document: Mapping[str, Any], raw: bytes | None, key: Callable[[], Item]
) -> Unreadable:
    original = encode(document, codec_options=CODEC_OPTIONS) if raw is None else raw
    try:
        return Unreadable(error, key(), original=original, form=FORM)
    except InvalidStoredValue:
        return Unreadable(error, name=_shown(document.get("_id")), original=original, form=FORM)


def place_of(found: Item | Unreadable) -> Item | None:
    """The attributes that tell where it stands; ``None`` where the key can't be read."""
    return found.key if isinstance(found, Unreadable) else found


def beyond_id(last: Any) -> dict[str, Any]:
    """Matches each ``_id`` after this one; an operator of order alone compares only values of one type."""
    place = next((place for place, (_names, types) in enumerate(_ORDER) if type(last) in types), len(_ORDER))
    later = [name for names, _types in _ORDER[place + 1 :] for name in names]
    return {"$or": [{"_id": {"$gt": last}}, {"_id": {"$type": later}}]} if later else {"_id": {"$gt": last}}


def _shown(value: Any) -> str:
    text = f"_id {value!r}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
