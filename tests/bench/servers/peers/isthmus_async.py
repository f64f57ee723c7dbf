"""Isthmus, async."""

from __future__ import annotations

from decimal import Decimal

import isthmus
from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer


class PeerUnderTest(Peer):
    """Isthmus on the store of its URL."""

    asynchronous = True

    async def open(self) -> None:
        self._database = await isthmus.aconnect(self.target)
        self._table = await self._database.table(self.name, partition_key="shop", sort_key="order").ensure()

    async def close(self) -> None:
        await self._table.drop()
        await self._database.close()

    async def get(self, shop: str, order: str) -> Item:
        return await self._table.get(shop=shop, order=order)

    async def put(self, item: Item) -> None:
        await self._table.put(item)

    async def update(self, shop: str, order: str, amount: Decimal) -> None:
        await self._table.update(shop=shop, order=order, set={"amount": amount}, add={"visits": 1})

    async def query(self, shop: str) -> list[Item]:
        return [item async for item in self._table.query(shop=shop)]

    async def batch(self, items: list[Item]) -> None:
        (await self._table.put_many(items)).raise_for_failures()

    async def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        actions = self._table.actions
        update = actions.update(shop=shop, order=order, set={"amount": amount}, add={"visits": 1})
        await self._database.transact_write([actions.put(item), update])
