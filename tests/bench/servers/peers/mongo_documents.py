"""What the raw PyMongo peers share: guarantees, the key as the ``_id`` sub-document, decimals both ways."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bson import Decimal128, MaxKey, MinKey
from bson.codec_options import CodecOptions, TypeCodec, TypeRegistry
from pymongo import ReplaceOne, WriteConcern
from pymongo.read_concern import ReadConcern

from tests.bench.servers.items import Item

Document = dict[str, Any]
MAJORITY = WriteConcern(w="majority", j=True)
TRANSACTION: dict[str, Any] = {"write_concern": MAJORITY, "read_concern": ReadConcern("snapshot")}


class DecimalCodec(TypeCodec):
    """Decimals to and from Decimal128, in the way that PyMongo's manual shows."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Any) -> Decimal128:
        return Decimal128(value)

    def transform_bson(self, value: Any) -> Decimal:
        found: Decimal = value.to_decimal()
        return found


def collection_options() -> dict[str, Any]:
    """The guarantees that Isthmus gives: majority, journal, no stale read."""
    codec: CodecOptions[Document] = CodecOptions(type_registry=TypeRegistry([DecimalCodec()]))
    return {"codec_options": codec, "write_concern": MAJORITY, "read_concern": ReadConcern("majority")}


def with_concerns(url: str) -> str:
    """A URL that gives the same guarantees to a library that makes its own client."""
    return f"{url}{'&' if '?' in url else '?'}w=majority&journal=true&readConcernLevel=majority"


def key_filter(shop: str, order: str) -> Document:
    """One document."""
    return {"_id": {"shop": shop, "order": order}}


def partition_filter(shop: str) -> Document:
    """All documents of a partition, as a range of ``_id``."""
    return {"_id": {"$gte": {"shop": shop, "order": MinKey()}, "$lte": {"shop": shop, "order": MaxKey()}}}


def changes(amount: Decimal) -> Document:
    """The update of the benchmark."""
    return {"$set": {"amount": amount}, "$inc": {"visits": 1}}


def document(item: Item) -> Document:
    """An item as it is stored."""
    stored = {"_id": {"shop": item["shop"], "order": item["order"]}, **item}
    del stored["shop"], stored["order"]
    return stored


def item(stored: Document) -> Item:
    """A stored document as an item."""
    key = stored.pop("_id")
    return {**key, **stored}


def replacements(items: list[Item]) -> list[ReplaceOne[Document]]:
    """The operations of a batch."""
    stored = [document(item) for item in items]
    return [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in stored]


def expect_one(matched: int) -> None:
    """An update must find its document.

    :raises LookupError: it didn't
    """
    if matched != 1:
        raise LookupError("the document to update is missing")
