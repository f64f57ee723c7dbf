"""The shop on MongoDB, written with PyMongo: a collection for each kind of record, as its programmers would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import DESCENDING, MongoClient, ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from shop.records import Customer, Line, Order, Posting, Product, Reservation, Status
from shop.rules import CustomerRules, OrderRules, ProductRules, end, take

from raw.errors import AlreadyExists, ItemNotFound, UniqueViolation

Document = dict[str, Any]
Work = Callable[[ClientSession], Any]


def customer_of(found: Document) -> Customer:
    return Customer(found["_id"], found["name"], found["email"], found["credit"], found["version"])


def product_of(found: Document) -> Product:
    return Product(found["_id"], found["name"], found["category"], found["price"], found["available"], found["version"])


def order_document(order: Order) -> Document:
    return {
        "_id": {"customer": order.customer, "number": order.number},
        "customer": order.customer,
        "number": order.number,
        "placed": order.placed,
        "lines": [{"sku": one.sku, "pieces": one.pieces, "price": one.price} for one in order.lines],
        "status": order.status.value,
        "version": 1,
    }


def order_of(found: Document) -> Order:
    lines = [Line(one["sku"], one["pieces"], one["price"]) for one in found["lines"]]
    return Order(found["customer"], found["number"], found["placed"], lines, Status(found["status"]), found["version"])


def reservation_document(one: Reservation) -> Document:
    return {
        "_id": {"sku": one.sku, "number": one.number}, "sku": one.sku, "pieces": one.pieces, "expires": one.expires
    }  # fmt: skip


class PyMongoShop:
    def __init__(self, client: MongoClient[Document]) -> None:
        self.client = client
        self.db = client.get_default_database(
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            write_concern=WriteConcern("majority", j=True),
            read_concern=ReadConcern("majority"),
        )

    def ensure(self) -> None:
        self.db.customers.create_index("email", unique=True)
        self.db.products.create_index(["category", "name"])
        self.db.orders.create_index(["customer", "number"])
        self.db.orders.create_index(["status", "placed", "number"])
        self.db.reservations.create_index("sku")
        self.db.reservations.create_index("expires", expireAfterSeconds=0)
        self.db.create_collection("postings")
        self.db.postings.create_index(["customer", "reference"], unique=True)

    def together(self, work: Work) -> Any:
        """All writes or none; the driver runs it again where another transaction was in the way."""
        with self.client.start_session() as session:
            return session.with_transaction(work, ReadConcern("snapshot"), WriteConcern("majority", j=True))

    # ---- customers ----

    def register(self, id: str, name: str, email: str, credit: int = 0) -> Customer:
        customer = self._checked(Customer(id, name, email, credit, 1))
        document = {"_id": id, "name": name, "email": customer.email, "credit": credit, "version": 1}
        try:
            self.db.customers.insert_one(document)
        except DuplicateKeyError as error:
            raise self._taken(error) from error
        return customer

    def move(self, id: str, email: str) -> Customer:
        customer = self.customer(id)
        customer.email = email
        customer = self._checked(customer)
        change = {"$set": {"email": customer.email}, "$inc": {"version": 1}}
        try:
            found = self.db.customers.find_one_and_update({"_id": id}, change, return_document=ReturnDocument.AFTER)
        except DuplicateKeyError as error:
            raise self._taken(error) from error
        return customer_of(self._there(found))

    def leave(self, id: str) -> bool:
        return self.db.customers.delete_one({"_id": id}).deleted_count == 1

    def customer(self, id: str) -> Customer:
        return customer_of(self._there(self.db.customers.find_one({"_id": id})))

    # ---- stock ----

    def stock(self, products: Iterable[Product]) -> int:
        documents = [
            {"_id": one.sku, "name": one.name, "category": one.category, "price": one.price,
             "available": one.available, "version": 1}
            for one in products
        ]  # fmt: skip
        for document in documents:
            ProductRules().validate(product_of(document))
        return len(self.db.products.insert_many(documents).inserted_ids)

    def deliver(self, sku: str, pieces: int) -> Product:
        change = {"$inc": {"available": pieces, "version": 1}}
        found = self.db.products.find_one_and_update({"_id": sku}, change, return_document=ReturnDocument.AFTER)
        return product_of(self._there(found))

    def product(self, sku: str) -> Product:
        return product_of(self._there(self.db.products.find_one({"_id": sku})))

    def catalogue(self, category: str, most: int | None = None) -> list[Product]:
        cheap = {} if most is None else {"price": {"$lte": most}}
        return [product_of(one) for one in self.db.products.find({"category": category, **cheap}).sort("name")]

    def reserved(self, sku: str) -> int:
        live = {"sku": sku, "expires": {"$gt": datetime.now(UTC)}}
        return sum(one["pieces"] for one in self.db.reservations.find(live))

    # ---- orders ----

    def order(self, customer: str, number: str, placed: datetime, pieces: Mapping[str, int]) -> Order:
        def place(session: ClientSession) -> Order:
            order = Order(customer, number, placed)
            for sku, count in sorted(pieces.items()):
                product = product_of(self._there(self.db.products.find_one({"_id": sku}, session=session)))
                self._insert("reservations", reservation_document(take(product, order, count)), session)
                ProductRules().validate(product)
                change = {"$inc": {"available": -count, "version": 1}}
                self.db.products.update_one({"_id": sku}, change, session=session)
            self._pay(customer, number, -order.total, session)
            OrderRules().validate(order)
            self._insert("orders", order_document(order), session)
            return order

        return self.together(place)

    def ship(self, customer: str, number: str) -> Order:
        def send(session: ClientSession) -> Order:
            order = self._end(customer, number, Status.SHIPPED, session)
            for line in order.lines:
                self.db.reservations.delete_one({"_id": {"sku": line.sku, "number": number}}, session=session)
            return order

        return self.together(send)

    def cancel(self, customer: str, number: str) -> Order:
        def undo(session: ClientSession) -> Order:
            order = self._end(customer, number, Status.CANCELLED, session)
            for line in order.lines:
                self.db.reservations.delete_one({"_id": {"sku": line.sku, "number": number}}, session=session)
                change = {"$inc": {"available": line.pieces, "version": 1}}
                self.db.products.update_one({"_id": line.sku}, change, session=session)
            self._pay(customer, f"{number}-back", order.total, session)
            return order

        return self.together(undo)

    def orders_of(self, customer: str) -> list[Order]:
        return [order_of(one) for one in self.db.orders.find({"customer": customer}).sort("number", DESCENDING)]

    def open_orders(self) -> list[Order]:
        found = self.db.orders.find({"status": Status.OPEN.value}).sort(["placed", "number"])
        return [order_of(one) for one in found]

    def _end(self, customer: str, number: str, status: Status, session: ClientSession) -> Order:
        key = {"_id": {"customer": customer, "number": number}}
        order = order_of(self._there(self.db.orders.find_one(key, session=session)))
        end(order, status)
        change = {"$set": {"status": status.value}, "$inc": {"version": 1}}
        self.db.orders.update_one(key, change, session=session)
        return order

    # ---- money ----

    def _pay(self, customer: str, reference: str, amount: int, session: ClientSession) -> None:
        payer = customer_of(self._there(self.db.customers.find_one({"_id": customer}, session=session)))
        payer.credit += amount
        self._checked(payer)
        change = {"$inc": {"credit": amount, "version": 1}}
        self.db.customers.update_one({"_id": customer}, change, session=session)
        self._insert("postings", {"customer": customer, "reference": reference, "amount": amount}, session)

    def transfer(self, giver: str, taker: str, reference: str, amount: int) -> None:
        def move(session: ClientSession) -> None:
            self._pay(giver, reference, -amount, session)
            self._pay(taker, reference, amount, session)

        self.together(move)

    def account(self, customer: str) -> list[Posting]:
        found = self.db.postings.find({"customer": customer}).sort("reference")
        return [Posting(one["customer"], one["reference"], one["amount"]) for one in found]

    def total(self) -> int:
        return sum(one["credit"] for one in self.db.customers.find({}, {"credit": 1}))

    # ---- what a data-access layer would do ----

    def _insert(self, collection: str, document: Document, session: ClientSession) -> None:
        try:
            self.db[collection].insert_one(document, session=session)
        except DuplicateKeyError as error:
            raise AlreadyExists from error

    def _checked(self, customer: Customer) -> Customer:
        customer = CustomerRules().before_save(customer)
        CustomerRules().validate(customer)
        return customer

    def _there(self, found: Document | None) -> Document:
        if found is None:
            raise ItemNotFound
        return found

    def _taken(self, error: DuplicateKeyError) -> Exception:
        return UniqueViolation() if "email" in ((error.details or {}).get("keyPattern") or {}) else AlreadyExists()
