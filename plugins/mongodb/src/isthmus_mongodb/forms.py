"""How a transaction meets the documents of a table: those that Isthmus made, and those of a mapped collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from isthmus.capabilities import Limits
from isthmus.errors import UniqueViolation
from isthmus.operations import ItemKey
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_mongodb.catalogue import Stored
from isthmus_mongodb.layouts import LOCK, OPERATION, REVISION
from isthmus_mongodb.locks import new_revision
from isthmus_mongodb.mapped_changes import changed_fields
from isthmus_mongodb.mapped_items import change_stages, unique_violation
from isthmus_mongodb.mapped_keys import key_filter, keys_filter
from isthmus_mongodb.mapped_tables import Mapped
from isthmus_mongodb.mapped_values import decode_item as decode_mapped
from isthmus_mongodb.mapped_values import decode_key as decode_mapped_key
from isthmus_mongodb.mapped_values import encode_document, key_document
from isthmus_mongodb.mappings import ID
from isthmus_mongodb.unique import violation
from isthmus_mongodb.values import Document, decode_item, decode_key, encode_item, encode_key


class Form(Protocol):
    """One table's documents."""

    @property
    def collection(self) -> str:
        """The collection of its items."""

    @property
    def table(self) -> Table:
        """The table as it is stored."""

    @property
    def limits(self) -> Limits:
        """Of the backend."""

    @property
    def locks(self) -> bool:
        """Whether transactions of the core may hold items."""

    def wanted(self, keys: list[ItemKey]) -> Document:
        """A filter that matches the documents of keys."""

    def key(self, document: Mapping[str, Any]) -> Item:
        """The key attributes of a document."""

    def item(self, document: Mapping[str, Any], names: frozenset[str] | None) -> Item:
        """The item behind a document; ``names`` are the attributes that are wanted, ``None`` for all."""

    def locked(self, document: Mapping[str, Any]) -> list[Any]:
        """Requests that leave a document as it is, but not to others while the transaction lasts."""

    def held(self, key: ItemKey) -> list[Any]:
        """Requests that keep a key free while the transaction lasts."""

    def removed(self, document: Mapping[str, Any]) -> list[Any]:
        """Requests that remove a document."""

    def inserted(self, item: Item, mark: str) -> list[Any]:
        """Requests that write an item where nothing is; ``mark`` is the transaction's id."""

    def replaced(self, document: Mapping[str, Any], item: Item, mark: str) -> list[Any]:
        """Requests that write an item in place of a document."""

    def violation(self, details: Mapping[str, Any]) -> UniqueViolation:
        """The error for a duplicate that is not the key; ``details`` are what the server says of it."""


@frozen
class NativeForm:
    """Documents that Isthmus made. A hidden counter locks them."""

    stored: Stored

    @property
    def collection(self) -> str:
        return self.stored.collection

    @property
    def table(self) -> Table:
        return self.stored.table

    @property
    def limits(self) -> Limits:
        return self.stored.place.limits

    @property
    def locks(self) -> bool:
        return self.stored.place.locks

    def wanted(self, keys: list[ItemKey]) -> Document:
        return {ID: {"$in": [encode_key(self.stored.layout, key) for key in keys]}}

    def key(self, document: Mapping[str, Any]) -> Item:
        return decode_key(self.stored.layout, document[ID])

    def item(self, document: Mapping[str, Any], names: frozenset[str] | None) -> Item:
        return decode_item(self.stored.layout, document)

    def locked(self, document: Mapping[str, Any]) -> list[Any]:
        return [UpdateOne({ID: document[ID]}, {"$inc": {LOCK: 1}})]

    def held(self, key: ItemKey) -> list[Any]:
        own = {ID: encode_key(self.stored.layout, key)}
        return [InsertOne({**own, LOCK: 1}), DeleteOne(own)]

    def removed(self, document: Mapping[str, Any]) -> list[Any]:
        return [DeleteOne({ID: document[ID]})]

    def inserted(self, item: Item, mark: str) -> list[Any]:
        return [InsertOne(self._image(item, mark))]

    def replaced(self, document: Mapping[str, Any], item: Item, mark: str) -> list[Any]:
        # The counter goes on, so that even a write that changes nothing is one for the server, and locks (rule UPD-12).
        image = {**self._image(item, mark), LOCK: document.get(LOCK, 0) + 1}
        return [ReplaceOne({ID: document[ID]}, image)]

    def violation(self, details: Mapping[str, Any]) -> UniqueViolation:
        return violation(self.stored.layout, details)

    def _image(self, item: Item, mark: str) -> Document:
        revision = {REVISION: new_revision()} if self.locks else {}
        return {**encode_item(self.stored.layout, item), OPERATION: mark, **revision}


@frozen
class MappedForm:
    """Documents of others. A field that is set and removed again locks them, so they stay as they are."""

    mapped: Mapped

    @property
    def collection(self) -> str:
        return self.mapped.collection

    @property
    def table(self) -> Table:
        return self.mapped.table

    @property
    def limits(self) -> Limits:
        return self.mapped.limits

    @property
    def locks(self) -> bool:
        return False

    def wanted(self, keys: list[ItemKey]) -> Document:
        return keys_filter(self.mapped.mapping, keys)

    def key(self, document: Mapping[str, Any]) -> Item:
        return decode_mapped_key(self.mapped.mapping, document)

    def item(self, document: Mapping[str, Any], names: frozenset[str] | None) -> Item:
        return decode_mapped(self.mapped.mapping, document, names)

    def locked(self, document: Mapping[str, Any]) -> list[Any]:
        own = {ID: document[ID]}
        return [UpdateOne(own, {"$set": {LOCK: 1}}), UpdateOne(own, {"$unset": {LOCK: ""}})]

    def held(self, key: ItemKey) -> list[Any]:
        return [
            InsertOne(key_document(self.mapped.mapping, key)),
            DeleteOne(key_filter(self.mapped.mapping, key)),
        ]

    def removed(self, document: Mapping[str, Any]) -> list[Any]:
        return [DeleteOne({ID: document[ID]})]

    def inserted(self, item: Item, mark: str) -> list[Any]:
        return [InsertOne(encode_document(self.mapped.mapping, item))]

    def replaced(self, document: Mapping[str, Any], item: Item, mark: str) -> list[Any]:
        stages = change_stages(changed_fields(self.mapped.mapping, document, item))
        return [UpdateOne({ID: document[ID]}, stages)] if stages else self.locked(document)

    def violation(self, details: Mapping[str, Any]) -> UniqueViolation:
        return unique_violation(self.mapped)
