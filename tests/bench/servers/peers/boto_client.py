"""boto3's client with its TypeSerializer and TypeDeserializer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import boto_table


class PeerUnderTest(Peer):
    """boto3 client."""

    def open(self) -> None:
        self._client: Any = boto_table.session().client("dynamodb", **boto_table.settings(self.target))
        boto_table.create(self._client, self.name)
        self._serialize = TypeSerializer().serialize
        self._deserialize = TypeDeserializer().deserialize

    def close(self) -> None:
        self._client.delete_table(TableName=self.name)

    def get(self, shop: str, order: str) -> Item:
        answer = self._client.get_item(TableName=self.name, Key=self._typed_key(shop, order), ConsistentRead=True)
        return self._item(answer["Item"])

    def put(self, item: Item) -> None:
        self._client.put_item(TableName=self.name, Item=self._typed(item))

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        self._client.update_item(**self._update(shop, order, amount))

    def query(self, shop: str) -> list[Item]:
        found: list[Item] = []
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "shop = :shop",
            "ExpressionAttributeValues": {":shop": {"S": shop}},
            "ConsistentRead": True,
        }
        while True:
            answer = self._client.query(**request)
            found += [self._item(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def batch(self, items: list[Item]) -> None:
        for start in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": self._typed(item)}} for item in items[start : start + 25]]
            left: dict[str, Any] = {self.name: requests}
            while left:
                left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        put = {"TableName": self.name, "Item": self._typed(item)}
        self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": self._update(shop, order, amount)}])

    def _update(self, shop: str, order: str, amount: Decimal) -> dict[str, Any]:
        return {
            "TableName": self.name,
            "Key": self._typed_key(shop, order),
            "UpdateExpression": "SET amount = :amount ADD visits :one",
            "ConditionExpression": "attribute_exists(shop)",
            "ExpressionAttributeValues": {":amount": self._serialize(amount), ":one": self._serialize(1)},
        }

    def _typed_key(self, shop: str, order: str) -> dict[str, Any]:
        return {"shop": self._serialize(shop), "order": self._serialize(order)}

    def _typed(self, item: Item) -> dict[str, Any]:
        return {name: self._serialize(value) for name, value in item.items()}

    def _item(self, typed: dict[str, Any]) -> Item:
        return {name: self._deserialize(value) for name, value in typed.items()}
