"""boto3's Table resource."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Attr
from boto3.dynamodb.conditions import Key as KeyCondition

from tests.bench.servers.items import Item
from tests.bench.servers.peer import Peer
from tests.bench.servers.peers import boto_table


class PeerUnderTest(Peer):
    """boto3 resource. One serves all threads: only its client, which boto3 says may be shared, is at work."""

    def open(self) -> None:
        resource = boto_table.session().resource("dynamodb", **boto_table.settings(self.target))
        self._client = resource.meta.client
        boto_table.create(self._client, self.name)
        self._table = resource.Table(self.name)

    def close(self) -> None:
        self._table.delete()

    def get(self, shop: str, order: str) -> Item:
        found: Item = self._table.get_item(Key={"shop": shop, "order": order}, ConsistentRead=True)["Item"]
        return found

    def put(self, item: Item) -> None:
        self._table.put_item(Item=item)

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        self._table.update_item(
            Key={"shop": shop, "order": order},
            UpdateExpression="SET amount = :amount ADD visits :one",
            ConditionExpression=Attr("shop").exists(),
            ExpressionAttributeValues={":amount": amount, ":one": 1},
        )

    def query(self, shop: str) -> list[Item]:
        found: list[Item] = []
        request: dict[str, Any] = {"KeyConditionExpression": KeyCondition("shop").eq(shop), "ConsistentRead": True}
        while True:
            answer = self._table.query(**request)
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def batch(self, items: list[Item]) -> None:
        with self._table.batch_writer() as writer:
            for item in items:
                writer.put_item(Item=item)

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        update = {
            "TableName": self.name,
            "Key": {"shop": shop, "order": order},
            "UpdateExpression": "SET amount = :amount ADD visits :one",
            "ConditionExpression": "attribute_exists(shop)",
            "ExpressionAttributeValues": {":amount": amount, ":one": 1},
        }
        actions = [{"Put": {"TableName": self.name, "Item": item}}, {"Update": update}]
        self._client.transact_write_items(TransactItems=actions)
