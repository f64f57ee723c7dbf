"""Beanie."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from beanie import DecimalAnnotation, Document, init_beanie
from pydantic import BaseModel
from pymongo import AsyncMongoClient

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import mongo_documents as documents


class Key(BaseModel):
    """The key."""

    shop: str
    order: str


class Place(BaseModel):
    """Where an address is."""

    latitude: DecimalAnnotation
    longitude: DecimalAnnotation


class Address(BaseModel):
    """An address."""

    street: str
    city: str
    postcode: str
    place: Place


class Line(BaseModel):
    """A line of an order."""

    sku: str
    count: int
    price: DecimalAnnotation


class Order(Document):
    """An order."""

    id: Key
    customer: str
    status: str
    created: str
    note: str
    quantity: int
    visits: int
    express: bool
    currency: str
    channel: str
    amount: DecimalAnnotation
    tax: DecimalAnnotation
    address: Address
    tags: list[str]
    lines: list[Line]


class PeerUnderTest(Peer):
    """Beanie."""

    asynchronous = True

    async def open(self) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(documents.with_concerns(self.target))

        class Settings:
            name = self.name

        Order.Settings = Settings
        await init_beanie(self._client.get_default_database(), document_models=[Order])

    async def close(self) -> None:
        await self._client.get_default_database().drop_collection(self.name)
        await self._client.close()

    async def get(self, shop: str, order: str) -> Any:
        return await Order.find_one(documents.key_filter(shop, order))

    async def put(self, item: Item) -> None:
        await _order(item).save()

    async def update(self, shop: str, order: str, amount: Decimal) -> None:
        answer: Any = await Order.find_one(documents.key_filter(shop, order)).update(documents.changes(amount))
        documents.expect_one(answer.matched_count)

    async def query(self, shop: str) -> list[Any]:
        found: list[Any] = await Order.find(documents.partition_filter(shop)).sort("_id").to_list()
        return found

    async def batch(self, items: list[Item]) -> None:
        await Order.insert_many([_order(item) for item in items])

    async def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        async with (
            self._client.start_session() as session,
            await session.start_transaction(**documents.TRANSACTION),
        ):
            await _order(item).save(session=session)
            found = Order.find_one(documents.key_filter(shop, order), session=session)
            answer: Any = await found.update(documents.changes(amount))
            documents.expect_one(answer.matched_count)

    def plain(self, read: Any) -> Item:
        values = read.model_dump()
        values.pop("revision_id", None)
        return documents.item({"_id": values.pop("id"), **values})


def _order(item: Item) -> Order:
    return Order(**{**item, "id": {"shop": item["shop"], "order": item["order"]}})
