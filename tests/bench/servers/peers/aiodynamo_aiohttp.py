"""aiodynamo over aiohttp."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from aiodynamo.client import Client
from aiodynamo.credentials import Key, StaticCredentials
from aiodynamo.expressions import F, HashKey, UpdateExpression
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchWriteRequest, KeySchema, KeySpec, KeyType, PayPerRequest
from aiodynamo.operations import Put, Update
from aiohttp import ClientSession
from yarl import URL

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import addresses


class PeerUnderTest(Peer):
    """aiodynamo over aiohttp."""

    asynchronous = True

    async def open(self) -> None:
        self._session = ClientSession()
        self._client = Client(
            AIOHTTP(self._session),
            StaticCredentials(Key(addresses.ACCESS_KEY, addresses.SECRET_KEY, None)),
            addresses.REGION,
            endpoint=URL(self.target),
            numeric_type=Decimal,
        )
        self._table = self._client.table(self.name)
        keys = KeySchema(KeySpec("shop", KeyType.string), KeySpec("order", KeyType.string))
        await self._table.create(PayPerRequest(), keys, wait_for_active=True)

    async def close(self) -> None:
        await self._table.delete()
        await self._session.close()

    async def get(self, shop: str, order: str) -> Item:
        found: Item = await self._table.get_item({"shop": shop, "order": order}, consistent_read=True)
        return found

    async def put(self, item: Item) -> None:
        await self._table.put_item(item)

    async def update(self, shop: str, order: str, amount: Decimal) -> None:
        await self._table.update_item({"shop": shop, "order": order}, _changes(amount), condition=F("shop").exists())

    async def query(self, shop: str) -> list[Item]:
        return [item async for item in self._table.query(HashKey("shop", shop), consistent_read=True)]

    async def batch(self, items: list[Item]) -> None:
        for start in range(0, len(items), 25):
            left = items[start : start + 25]
            while left:
                answer = await self._client.batch_write({self.name: BatchWriteRequest(items_to_put=left)})
                left = answer[self.name].unput_items if answer else []

    async def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        key: dict[str, Any] = {"shop": shop, "order": order}
        update = Update(self.name, key, _changes(amount), F("shop").exists())
        await self._client.transact_write_items([Put(self.name, item), update])


def _changes(amount: Decimal) -> UpdateExpression:
    return F("amount").set(amount) & F("visits").add(1)
