"""The shop on DynamoDB, written with boto3."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from shop.records import Customer, Line, Order, Posting, Product, Reservation, Status
from shop.rules import CustomerRules, OrderRules, ProductRules, end, take

from raw.errors import AlreadyExists, ItemNotFound, UniqueViolation

TABLE = "shop"
ATTEMPTS = 20
_write, _read = TypeSerializer().serialize, TypeDeserializer().deserialize
Record = Customer | Product | Order | Reservation | Posting


def customer_key(id: str) -> dict[str, str]:
    return {"pk": f"CUSTOMER#{id}", "sk": f"PROFILE#{id}"}


def product_key(sku: str) -> dict[str, str]:
    return {"pk": f"PRODUCT#{sku}", "sk": f"STOCK#{sku}"}


def order_key(customer: str, number: str) -> dict[str, str]:
    return {"pk": f"CUSTOMER#{customer}", "sk": f"ORDER#{number}"}


def reservation_key(sku: str, number: str) -> dict[str, str]:
    return {"pk": f"PRODUCT#{sku}", "sk": f"RESERVED#{number}"}


def posting_key(customer: str, reference: str) -> dict[str, str]:
    return {"pk": f"CUSTOMER#{customer}", "sk": f"POSTING#{reference}"}


def address_key(email: str) -> dict[str, str]:
    return {"pk": f"EMAIL#{email}", "sk": "EMAIL"}


def native(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _write(value) for name, value in item.items()}


def portable(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _read(value) for name, value in item.items()}


def item_of(record: Record) -> dict[str, Any]:
    match record:
        case Customer():
            kind, key, fields = "customer", customer_key(record.id), {
                "id": record.id, "name": record.name, "email": record.email, "credit": record.credit,
            }  # fmt: skip
        case Product():
            kind, key, fields = "product", product_key(record.sku), {
                "sku": record.sku, "name": record.name, "category": record.category, "price": record.price,
                "available": record.available, "listing_pk": f"CATEGORY#{record.category}", "listing_sk": record.name,
            }  # fmt: skip
        case Order():
            placed = record.placed.astimezone(UTC).isoformat()
            kind, key, fields = "order", order_key(record.customer, record.number), {
                "customer": record.customer, "number": record.number, "placed": placed, "status": record.status.value,
                "lines": [{"sku": one.sku, "pieces": one.pieces, "price": one.price} for one in record.lines],
                "listing_pk": f"STATUS#{record.status.value}", "listing_sk": f"{placed}#{record.number}",
            }  # fmt: skip
        case Reservation():
            kind, key, fields = "reservation", reservation_key(record.sku, record.number), {
                "sku": record.sku, "number": record.number, "pieces": record.pieces,
                "expires": int(record.expires.timestamp()),
            }  # fmt: skip
        case Posting():
            kind, key, fields = "posting", posting_key(record.customer, record.reference), {
                "customer": record.customer, "reference": record.reference, "amount": record.amount,
            }  # fmt: skip
    return {**key, "type": kind, **fields, "version": (record.version or 0) + 1}


def record_of(item: Mapping[str, Any]) -> Any:
    version = int(item["version"])
    match item["type"]:
        case "customer":
            return Customer(item["id"], item["name"], item["email"], int(item["credit"]), version)
        case "product":
            return Product(
                item["sku"], item["name"], item["category"], int(item["price"]), int(item["available"]), version
            )
        case "order":
            lines = [Line(one["sku"], int(one["pieces"]), int(one["price"])) for one in item["lines"]]
            placed, status = datetime.fromisoformat(item["placed"]), Status(item["status"])
            return Order(item["customer"], item["number"], placed, lines, status, version)
        case "reservation":
            expires = datetime.fromtimestamp(int(item["expires"]), UTC)
            return Reservation(item["sku"], item["number"], int(item["pieces"]), expires, version)
        case "posting":
            return Posting(item["customer"], item["reference"], int(item["amount"]), version)
    raise ValueError(item["type"])


def checked(record: Any) -> Any:
    """The rules, which everybody has to remember to call before each write."""
    if isinstance(record, Customer):
        record = CustomerRules().before_save(record)
        CustomerRules().validate(record)
    elif isinstance(record, Product):
        ProductRules().validate(record)
    elif isinstance(record, Order):
        OrderRules().validate(record)
    return record


class Changes:
    """The actions of a transaction, each with the error that its refusal means; ``None`` stands for a conflict."""

    def __init__(self) -> None:
        self.actions: list[dict[str, Any]] = []
        self.errors: list[type[Exception] | None] = []

    def create(self, item: Mapping[str, Any], error: type[Exception] = AlreadyExists) -> None:
        self._add("Put", {"Item": native(item), "ConditionExpression": "attribute_not_exists(pk)"}, error)

    def save(self, record: Record) -> None:
        put = {"Item": native(item_of(record)), "ConditionExpression": "version = :v"}
        self._add("Put", {**put, "ExpressionAttributeValues": {":v": _write(record.version)}}, None)

    def delete(self, key: Mapping[str, str], version: int | None = None) -> None:
        action: dict[str, Any] = {"Key": native(key)}
        if version is not None:
            action["ConditionExpression"] = "version = :v"
            action["ExpressionAttributeValues"] = {":v": _write(version)}
        self._add("Delete", action, None)

    def _add(self, kind: str, action: dict[str, Any], error: type[Exception] | None) -> None:
        self.actions.append({kind: {"TableName": TABLE, **action}})
        self.errors.append(error)


class Boto3Shop:
    def __init__(self, client: Any) -> None:
        self.client = client

    def ensure(self) -> None:
        names = ("pk", "sk", "listing_pk", "listing_sk")
        self.client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "listing",
                    "Projection": {"ProjectionType": "ALL"},
                    "KeySchema": [
                        {"AttributeName": "listing_pk", "KeyType": "HASH"},
                        {"AttributeName": "listing_sk", "KeyType": "RANGE"},
                    ],
                }
            ],
        )
        self.client.get_waiter("table_exists").wait(TableName=TABLE)
        self.client.update_time_to_live(
            TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )

    # ---- what a data-access layer would do ----

    def find(self, key: Mapping[str, str]) -> Any:
        item = self.client.get_item(TableName=TABLE, Key=native(key), ConsistentRead=True).get("Item")
        return None if item is None else record_of(portable(item))

    def get(self, key: Mapping[str, str]) -> Any:
        found = self.find(key)
        if found is None:
            raise ItemNotFound
        return found

    def query(self, partition: str, prefix: str = "", *, index: str = "", descending: bool = False) -> Iterator[Any]:
        pk, sk = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
        request: dict[str, Any] = {
            "TableName": TABLE,
            "KeyConditionExpression": f"{pk} = :p" + (f" AND begins_with({sk}, :s)" if prefix else ""),
            "ExpressionAttributeValues": native({":p": partition, **({":s": prefix} if prefix else {})}),
            "ScanIndexForward": not descending,
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        }
        for page in self.client.get_paginator("query").paginate(**request):
            yield from (record_of(portable(item)) for item in page["Items"])

    def attempt(self, decide: Callable[[Changes], Any]) -> Any:
        """Decide and write until nobody was in the way."""
        for attempt in range(ATTEMPTS):
            changes = Changes()
            answer = decide(changes)
            if self._applied(changes):
                return answer
            time.sleep(random.uniform(0, 0.02 * 2 ** min(attempt, 5)))  # noqa: S311  # no secret
        raise RuntimeError("others were in the way each time")

    def _applied(self, changes: Changes) -> bool:
        try:
            self.client.transact_write_items(TransactItems=changes.actions)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "TransactionInProgressException":
                return False
            if code != "TransactionCanceledException":
                raise
            for reason, meaning in zip(error.response["CancellationReasons"], changes.errors, strict=True):
                if reason["Code"] == "ConditionalCheckFailed" and meaning is not None:
                    raise meaning from error
                if reason["Code"] not in ("None", "ConditionalCheckFailed", "TransactionConflict"):
                    raise
            return False
        return True

    # ---- customers ----

    def register(self, id: str, name: str, email: str, credit: int = 0) -> Customer:
        customer = checked(Customer(id, name, email, credit))

        def decide(changes: Changes) -> Customer:
            changes.create(item_of(customer))
            changes.create({**address_key(customer.email), "owner": id}, UniqueViolation)
            return Customer(id, customer.name, customer.email, credit, 1)

        return self.attempt(decide)

    def move(self, id: str, email: str) -> Customer:
        def decide(changes: Changes) -> Customer:
            customer = self.get(customer_key(id))
            before, customer.email = customer.email, email
            customer = checked(customer)
            changes.save(customer)
            if customer.email != before:
                changes.create({**address_key(customer.email), "owner": id}, UniqueViolation)
                changes.delete(address_key(before))
            customer.version += 1
            return customer

        return self.attempt(decide)

    def leave(self, id: str) -> bool:
        def decide(changes: Changes) -> bool:
            customer = self.get(customer_key(id))
            changes.delete(customer_key(id), customer.version)
            changes.delete(address_key(customer.email))
            return True

        try:
            return self.attempt(decide)
        except ItemNotFound:
            return False

    def customer(self, id: str) -> Customer:
        return self.get(customer_key(id))

    # ---- stock ----

    def stock(self, products: Iterable[Product]) -> int:
        items = [native(item_of(checked(product))) for product in products]
        for start in range(0, len(items), 25):
            requests = {TABLE: [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]}
            while requests:
                requests = self.client.batch_write_item(RequestItems=requests)["UnprocessedItems"]
        return len(items)

    def deliver(self, sku: str, pieces: int) -> Product:
        try:
            found = self.client.update_item(
                TableName=TABLE,
                Key=native(product_key(sku)),
                UpdateExpression="SET version = version + :one ADD available :n",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues=native({":one": 1, ":n": pieces}),
                ReturnValues="ALL_NEW",
            )
        except self.client.exceptions.ConditionalCheckFailedException as error:
            raise ItemNotFound from error
        return record_of(portable(found["Attributes"]))

    def product(self, sku: str) -> Product:
        return self.get(product_key(sku))

    def catalogue(self, category: str, most: int | None = None) -> list[Product]:
        found = self.query(f"CATEGORY#{category}", index="listing")
        return [one for one in found if most is None or one.price <= most]

    def reserved(self, sku: str) -> int:
        now = datetime.now(UTC)
        return sum(one.pieces for one in self.query(f"PRODUCT#{sku}", "RESERVED#") if one.expires > now)

    # ---- orders ----

    def order(self, customer: str, number: str, placed: datetime, pieces: Mapping[str, int]) -> Order:
        def decide(changes: Changes) -> Order:
            order = Order(customer, number, placed)
            for sku, count in sorted(pieces.items()):
                product = self.get(product_key(sku))
                if self.find(reservation_key(sku, number)) is not None:
                    raise AlreadyExists
                changes.create(item_of(take(product, order, count)))
                changes.save(checked(product))
            self._pay(changes, customer, number, -order.total)
            changes.create(item_of(checked(order)))
            return order

        return self.attempt(decide)

    def ship(self, customer: str, number: str) -> Order:
        def decide(changes: Changes) -> Order:
            order = self.get(order_key(customer, number))
            end(order, Status.SHIPPED)
            for line in order.lines:
                changes.delete(reservation_key(line.sku, number))
            changes.save(order)
            return order

        return self.attempt(decide)

    def cancel(self, customer: str, number: str) -> Order:
        def decide(changes: Changes) -> Order:
            order = self.get(order_key(customer, number))
            end(order, Status.CANCELLED)
            for line in order.lines:
                changes.delete(reservation_key(line.sku, number))
                product = self.get(product_key(line.sku))
                product.available += line.pieces
                changes.save(checked(product))
            self._pay(changes, customer, f"{number}-back", order.total)
            changes.save(order)
            return order

        return self.attempt(decide)

    def orders_of(self, customer: str) -> list[Order]:
        return list(self.query(f"CUSTOMER#{customer}", "ORDER#", descending=True))

    def open_orders(self) -> list[Order]:
        return list(self.query(f"STATUS#{Status.OPEN.value}", index="listing"))

    # ---- money ----

    def _pay(self, changes: Changes, customer: str, reference: str, amount: int) -> None:
        payer = self.get(customer_key(customer))
        payer.credit += amount
        changes.save(checked(payer))
        changes.create(item_of(Posting(customer, reference, amount)))

    def transfer(self, giver: str, taker: str, reference: str, amount: int) -> None:
        def decide(changes: Changes) -> None:
            self._pay(changes, giver, reference, -amount)
            self._pay(changes, taker, reference, amount)

        self.attempt(decide)

    def account(self, customer: str) -> list[Posting]:
        return list(self.query(f"CUSTOMER#{customer}", "POSTING#"))

    def total(self) -> int:
        pages = self.client.get_paginator("scan").paginate(
            TableName=TABLE,
            ConsistentRead=True,
            FilterExpression="#t = :c",
            ExpressionAttributeNames={"#t": "type"},
            ExpressionAttributeValues=native({":c": "customer"}),
        )
        return sum(int(portable(item)["credit"]) for page in pages for item in page["Items"])
