"""Raw PyMongo."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pymongo import MongoClient

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import mongo_documents as documents


class PeerUnderTest(Peer):
    """PyMongo."""

    def open(self) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(self.target)
        options = documents.collection_options()
        self._orders = self._client.get_default_database().get_collection(self.name, **options)

    def close(self) -> None:
        self._orders.drop()
        self._client.close()

    def get(self, shop: str, order: str) -> Item | None:
        found = self._orders.find_one(documents.key_filter(shop, order))
        return None if found is None else documents.item(found)

    def put(self, item: Item) -> None:
        stored = documents.document(item)
        self._orders.replace_one({"_id": stored["_id"]}, stored, upsert=True)

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        answer = self._orders.update_one(documents.key_filter(shop, order), documents.changes(amount))
        documents.expect_one(answer.matched_count)

    def query(self, shop: str) -> list[Item]:
        found = self._orders.find(documents.partition_filter(shop)).sort("_id", 1)
        return [documents.item(one) for one in found]

    def batch(self, items: list[Item]) -> None:
        self._orders.bulk_write(documents.replacements(items), ordered=False)

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        stored = documents.document(item)
        with self._client.start_session() as session, session.start_transaction(**documents.TRANSACTION):
            self._orders.replace_one({"_id": stored["_id"]}, stored, upsert=True, session=session)
            answer = self._orders.update_one(
                documents.key_filter(shop, order), documents.changes(amount), session=session
            )
            documents.expect_one(answer.matched_count)
