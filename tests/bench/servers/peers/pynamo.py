"""PynamoDB."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pynamodb.attributes import Attribute, BooleanAttribute, ListAttribute, MapAttribute, NumberAttribute
from pynamodb.attributes import UnicodeAttribute as Text
from pynamodb.connection import Connection
from pynamodb.constants import NUMBER
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import addresses


class DecimalAttribute(Attribute[Decimal]):
    """A number as a Decimal; PynamoDB's own gives floats."""

    attr_type = NUMBER

    def serialize(self, value: Any) -> Any:
        return str(value)

    def deserialize(self, value: Any) -> Any:
        return Decimal(value)


class Place(MapAttribute[str, Any]):
    """Where an address is."""

    latitude = DecimalAttribute()
    longitude = DecimalAttribute()


class Address(MapAttribute[str, Any]):
    """An address."""

    street = Text()
    city = Text()
    postcode = Text()
    place = Place()


class Line(MapAttribute[str, Any]):
    """A line of an order."""

    sku = Text()
    count = NumberAttribute()
    price = DecimalAttribute()


class PeerUnderTest(Peer):
    """PynamoDB."""

    def open(self) -> None:
        self._model = _model(self.name, self.target)
        self._model.create_table(wait=True, billing_mode="PAY_PER_REQUEST")
        self._connection = Connection(region=addresses.REGION, host=self.target)

    def close(self) -> None:
        self._model.delete_table()

    def get(self, shop: str, order: str) -> Any:
        return self._model.get(shop, order, consistent_read=True)

    def put(self, item: Item) -> None:
        self._model(**item).save()

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        model = self._model
        model(shop, order).update(actions=self._actions(amount), condition=model.shop.exists())

    def query(self, shop: str) -> list[Any]:
        return list(self._model.query(shop, consistent_read=True))

    def batch(self, items: list[Item]) -> None:
        with self._model.batch_write() as batch:
            for item in items:
                batch.save(self._model(**item))

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        model = self._model
        with TransactWrite(connection=self._connection) as transaction:
            transaction.save(model(**item))
            transaction.update(model(shop, order), actions=self._actions(amount), condition=model.shop.exists())

    def plain(self, read: Any) -> Item:
        found: Item = _plain(read)
        return found

    def _actions(self, amount: Decimal) -> list[Any]:
        return [self._model.amount.set(amount), self._model.visits.add(1)]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, Model | MapAttribute):
        return {name: _plain(member) for name, member in value.attribute_values.items()}
    return value


def _model(name: str, endpoint: str) -> Any:
    class Order(Model):
        class Meta:
            table_name = name
            host = endpoint
            region = addresses.REGION
            aws_access_key_id = addresses.ACCESS_KEY
            aws_secret_access_key = addresses.SECRET_KEY
            max_pool_connections = 64

        shop = Text(hash_key=True)
        order = Text(range_key=True)
        customer = Text()
        status = Text()
        created = Text()
        note = Text()
        quantity = NumberAttribute()
        visits = NumberAttribute()
        express = BooleanAttribute()
        currency = Text()
        channel = Text()
        amount = DecimalAttribute()
        tax = DecimalAttribute()
        address = Address()
        tags: Any = ListAttribute(of=Text)
        lines: Any = ListAttribute(of=Line)

    return Order
