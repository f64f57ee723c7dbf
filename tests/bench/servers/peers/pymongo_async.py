"""Raw PyMongo, its async client."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pymongo import AsyncMongoClient

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import mongo_documents as documents


class PeerUnderTest(Peer):
    """PyMongo's async client."""

    asynchronous = True

    async def open(self) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.target)
        options = documents.collection_options()
        self._orders = self._client.get_default_database().get_collection(self.name, **options)

    async def close(self) -> None:
        await self._orders.drop()
        await self._client.close()

    async def get(self, shop: str, order: str) -> Item | None:
        found = await self._orders.find_one(documents.key_filter(shop, order))
        return None if found is None else documents.item(found)

    async def put(self, item: Item) -> None:
        stored = documents.document(item)
        await self._orders.replace_one({"_id": stored["_id"]}, stored, upsert=True)

    async def update(self, shop: str, order: str, amount: Decimal) -> None:
        answer = await self._orders.update_one(documents.key_filter(shop, order), documents.changes(amount))
        documents.expect_one(answer.matched_count)

    async def query(self, shop: str) -> list[Item]:
        found = await self._orders.find(documents.partition_filter(shop)).sort("_id", 1).to_list()
        return [documents.item(one) for one in found]

    async def batch(self, items: list[Item]) -> None:
        await self._orders.bulk_write(documents.replacements(items), ordered=False)

    async def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        stored = documents.document(item)
        async with (
            self._client.start_session() as session,
            await session.start_transaction(**documents.TRANSACTION),
        ):
            await self._orders.replace_one({"_id": stored["_id"]}, stored, upsert=True, session=session)
            answer = await self._orders.update_one(
                documents.key_filter(shop, order), documents.changes(amount), session=session
            )
            documents.expect_one(answer.matched_count)
