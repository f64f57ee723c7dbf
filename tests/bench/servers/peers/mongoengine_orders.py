"""MongoEngine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import mongoengine as me

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import mongo_documents as documents


class Key(me.EmbeddedDocument):
    """The key."""

    shop = me.StringField()
    order = me.StringField()


class Place(me.EmbeddedDocument):
    """Where an address is."""

    latitude = me.Decimal128Field()
    longitude = me.Decimal128Field()


class Address(me.EmbeddedDocument):
    """An address."""

    street = me.StringField()
    city = me.StringField()
    postcode = me.StringField()
    place = me.EmbeddedDocumentField(Place)


class Line(me.EmbeddedDocument):
    """A line of an order."""

    sku = me.StringField()
    count = me.IntField()
    price = me.Decimal128Field()


class PeerUnderTest(Peer):
    """MongoEngine. It has no call for a transaction over several documents."""

    lacks = frozenset({"transaction"})

    def open(self) -> None:
        me.connect(host=documents.with_concerns(self.target))
        self._model = _model(self.name)

    def close(self) -> None:
        self._model.drop_collection()
        me.disconnect()

    def get(self, shop: str, order: str) -> Any:
        return self._model.objects.get(id=Key(shop=shop, order=order))

    def put(self, item: Item) -> None:
        self._document(item).save()

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        found = self._model.objects(id=Key(shop=shop, order=order))
        documents.expect_one(found.update_one(set__amount=amount, inc__visits=1))

    def query(self, shop: str) -> list[Any]:
        return list(self._model.objects(__raw__=documents.partition_filter(shop)).order_by("_id"))

    def batch(self, items: list[Item]) -> None:
        self._model.objects.insert([self._document(item) for item in items], load_bulk=False)

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        raise NotImplementedError  # in `lacks`: MongoEngine has no call for it, so none is measured

    def plain(self, read: Any) -> Item:
        values: dict[str, Any] = {name: _plain(read[name]) for name in read if name != "id"}
        return {**_plain(read.id), **values}

    def _document(self, item: Item) -> Any:
        place = Place(**item["address"]["place"])
        nested = {
            "id": Key(shop=item["shop"], order=item["order"]),
            "address": Address(**{**item["address"], "place": place}),
            "lines": [Line(**line) for line in item["lines"]],
        }
        return self._model(**{name: value for name, value in item.items() if name not in KEY} | nested)


KEY = ("shop", "order")


def _plain(value: Any) -> Any:
    if isinstance(value, me.EmbeddedDocument):
        return {name: _plain(value[name]) for name in value}
    return [_plain(member) for member in value] if isinstance(value, list) else value


def _model(collection: str) -> Any:
    class Order(me.Document):
        meta = {"collection": collection, "auto_create_index": False}  # noqa: RUF012  # as the library wants it
        id = me.EmbeddedDocumentField(Key, primary_key=True)
        customer = me.StringField()
        status = me.StringField()
        created = me.StringField()
        note = me.StringField()
        quantity = me.IntField()
        visits = me.IntField()
        express = me.BooleanField()
        currency = me.StringField()
        channel = me.StringField()
        amount = me.Decimal128Field()
        tax = me.Decimal128Field()
        address = me.EmbeddedDocumentField(Address)
        tags = me.ListField(me.StringField())
        lines = me.ListField(me.EmbeddedDocumentField(Line))

    return Order
