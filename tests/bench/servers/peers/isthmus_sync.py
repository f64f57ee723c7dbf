"""Isthmus."""

from __future__ import annotations

from decimal import Decimal

import isthmus
from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer


class PeerUnderTest(Peer):
    """Isthmus on the store of its URL."""

    def open(self) -> None:
        self._database = isthmus.connect(self.target)
        self._table = self._database.table(self.name, partition_key="shop", sort_key="order").ensure()

    def close(self) -> None:
        self._table.drop()
        self._database.close()

    def get(self, shop: str, order: str) -> Item:
        return self._table.get(shop=shop, order=order)

    def put(self, item: Item) -> None:
        self._table.put(item)

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        self._table.update(shop=shop, order=order, set={"amount": amount}, add={"visits": 1})

    def query(self, shop: str) -> list[Item]:
        return list(self._table.query(shop=shop))

    def batch(self, items: list[Item]) -> None:
        self._table.put_many(items).raise_for_failures()

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        actions = self._table.actions
        update = actions.update(shop=shop, order=order, set={"amount": amount}, add={"visits": 1})
        self._database.transact_write([actions.put(item), update])
