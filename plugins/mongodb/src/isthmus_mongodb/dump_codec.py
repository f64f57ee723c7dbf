"""Items as documents of mongodump's files, in the form in which they are stored.

A dump is a file of documents for each collection, ``.bson``, and one with its options and indexes in canonical Extended
JSON, ``.metadata.json``. With the file of the catalogue beside them a database restored by mongorestore has the tables
of Isthmus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from bson import decode, encode
from bson.errors import BSONError
from bson.json_util import CANONICAL_JSON_OPTIONS
from bson.json_util import dumps as extended_json
from bson.objectid import ObjectId

from isthmus.capabilities import Limits
from isthmus.dumps import DumpCodec, DumpedTable, DumpFormat
from isthmus.errors import ConfigurationError, IntegrityError, InvalidStoredValue, InvalidValue, ItemTooLarge
from isthmus.schema import Table
from isthmus.values import PORTABLE, Item, normalise_attributes
from isthmus_mongodb.catalogue import CATALOGUE, FORMAT
from isthmus_mongodb.layouts import TRANSACTION, Layout, layout_of
from isthmus_mongodb.tables import index_models
from isthmus_mongodb.values import CODEC_OPTIONS, decode_item, encode_item

FORMAT_NAME: Final = "mongodump"
_INDEX_VERSION: Final = 2
_LARGEST: Final = 16 << 20
"""Bytes of the largest document, https://www.mongodb.com/docs/manual/reference/limits/."""


class DocumentCodec(DumpCodec):
    """The documents of one table."""

    def __init__(self, table: Table) -> None:
        self._layout = layout_of(table)
        self._hidden = self._layout.hidden - {"_id"}  # an attribute of that name is stored under another one

    def encode(self, item: Item) -> bytes:
        if not self._hidden.isdisjoint(item):
            raise _hidden_name(self._layout, item)
        normal = normalise_attributes(item, PORTABLE)  # which refuses numbers that a decimal has no room for
        try:
            record = encode(encode_item(self._layout, normal), codec_options=CODEC_OPTIONS)
        except (ValueError, OverflowError, BSONError) as error:
            raise InvalidValue(f"the item can't be a BSON document: {type(error).__name__}") from error
        if len(record) > _LARGEST:
            raise ItemTooLarge(f"the item has {len(record)} bytes as a document, MongoDB restores up to {_LARGEST}")
        return record

    def decode(self, record: bytes) -> Item:
        try:
            document = decode(record, codec_options=CODEC_OPTIONS)
        except (BSONError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidStoredValue("the record is no BSON document: dump the collection again") from error
        if TRANSACTION in document:
            raise InvalidStoredValue(
                "a transaction held the document when the dump was made, and only the database knows its outcome: open"
                " it with Isthmus, so that transactions are finished, and dump it again"
            )
        try:
            return decode_item(self._layout, document)
        except RecursionError:  # servers keep nothing that deep, files can
            raise InvalidStoredValue("the document is nested too deeply: dump the collection again") from None


def _hidden_name(layout: Layout, item: Item) -> InvalidValue:
    names = ", ".join(sorted(repr(name) for name in layout.hidden if name in item and name != "_id"))
    return InvalidValue(f"the attribute {names} has a name that MongoDB's layout keeps for itself: rename it")


class Mongodump(DumpFormat):
    """The format of mongodump and mongorestore."""

    limits: ClassVar[Limits] = Limits()  # type: ignore[misc]  # the same for all
    catalogue: ClassVar[str] = CATALOGUE  # type: ignore[misc]  # as above

    def codec(self, table: Table) -> DocumentCodec:
        return DocumentCodec(table)

    def metadata(self, table: Table) -> Mapping[str, Any]:
        return _metadata(table.name, index_models(layout_of(table)))

    def catalogue_metadata(self) -> Mapping[str, Any]:
        return _metadata(CATALOGUE, [])

    def catalogue_records(self, tables: Sequence[Table]) -> list[bytes]:
        return [encode(_entry(table)) for table in tables]

    def tables(self, records: Iterable[bytes]) -> list[DumpedTable]:
        entries = [_decoded(record) for record in records]
        return [_table(entry) for entry in entries if entry.get("state") == "active"]


def _entry(table: Table) -> dict[str, Any]:
    return {
        "_id": table.name, "prefix": "", "format": FORMAT, "state": "active", "made": ObjectId(),
        "table": table.to_dict(),
    }  # fmt: skip


def _decoded(record: bytes) -> dict[str, Any]:
    try:
        return decode(record)
    except (BSONError, ValueError) as error:
        raise _damaged() from error


def _table(entry: Mapping[str, Any]) -> DumpedTable:
    if entry.get("format") != FORMAT:
        raise IntegrityError(
            f"{CATALOGUE} was dumped from a database of another version of Isthmus: use that one or a later one"
        )
    try:
        return DumpedTable(entry["_id"], Table.from_dict(entry["table"]))
    except (ConfigurationError, KeyError) as error:
        raise _damaged() from error


def _damaged() -> IntegrityError:
    return IntegrityError(f"a definition in {CATALOGUE} of the dump is damaged: dump the database again")


def _metadata(collection: str, models: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    primary = {"v": _INDEX_VERSION, "key": {"_id": 1}, "name": "_id_"}
    indexes = [primary, *({"v": _INDEX_VERSION, **model} for model in models)]
    data = {"indexes": indexes, "options": {}, "collectionName": collection, "type": "collection"}
    found: Mapping[str, Any] = json.loads(extended_json(data, json_options=CANONICAL_JSON_OPTIONS))
    return found
