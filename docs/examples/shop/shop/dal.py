"""The shop over its data-access classes. ``async_dal.py`` is the same, with ``await``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from isthmus import Dal, DalBaseClass
from shop.records import Customer, Order, Posting, Product, Reservation, Status
from shop.rules import CustomerRules, OrderRules, ProductRules, end, take


class Customers(CustomerRules, DalBaseClass[Customer]):
    pass


class Products(ProductRules, DalBaseClass[Product]):
    pass


class Orders(OrderRules, DalBaseClass[Order]):
    def with_status(self, status: Status) -> list[Order]:
        return self.query(status=status, index="listing").all()


class Reservations(DalBaseClass[Reservation]):
    pass


class Postings(DalBaseClass[Posting]):
    pass


class Shop(Dal):
    customers: Customers
    products: Products
    orders: Orders
    reservations: Reservations
    postings: Postings

    # ---- customers ----

    def register(self, id: str, name: str, email: str, credit: int = 0) -> Customer:
        return self.customers.create(Customer(id, name, email, credit))

    def move(self, id: str, email: str) -> Customer:
        customer = self.customers.get(id)
        customer.email = email
        return self.customers.save(customer)

    def leave(self, id: str) -> bool:
        return self.customers.delete(id)

    def customer(self, id: str) -> Customer:
        return self.customers.get(id)

    # ---- stock ----

    def stock(self, products: Iterable[Product]) -> int:
        return self.products.put_many(products).raise_for_failures().written

    def deliver(self, sku: str, pieces: int) -> Product:
        return self.products.update(sku, add={"available": pieces})

    def product(self, sku: str) -> Product:
        return self.products.get(sku)

    def catalogue(self, category: str, most: int | None = None) -> list[Product]:
        found = self.products.query(category=category, index="listing")
        return (found if most is None else found.where(lambda p: p.price <= most)).all()

    def reserved(self, sku: str) -> int:
        return sum(one.pieces for one in self.reservations.query(sku))

    # ---- orders ----

    def order(self, customer: str, number: str, placed: datetime, pieces: Mapping[str, int]) -> Order:
        """Reserve the pieces and take the money, or do nothing."""

        def place(tx: Shop) -> Order:
            order = Order(customer, number, placed)
            for sku, count in sorted(pieces.items()):
                product = tx.products.get(sku)
                tx.reservations.create(take(product, order, count))
                tx.products.save(product)
            tx.pay(customer, number, -order.total)
            return tx.orders.create(order)

        return self.run_transaction(place, attempts=20)

    def ship(self, customer: str, number: str) -> Order:
        def send(tx: Shop) -> Order:
            order = tx.orders.get(customer, number)
            end(order, Status.SHIPPED)
            tx.reservations.delete_many([(line.sku, number) for line in order.lines])
            return tx.orders.save(order)

        return self.run_transaction(send)

    def cancel(self, customer: str, number: str) -> Order:
        def undo(tx: Shop) -> Order:
            order = tx.orders.get(customer, number)
            end(order, Status.CANCELLED)
            for line in order.lines:
                tx.reservations.delete(line.sku, number)
                tx.products.update(line.sku, add={"available": line.pieces})
            tx.pay(customer, f"{number}-back", order.total)
            return tx.orders.save(order)

        return self.run_transaction(undo)

    def orders_of(self, customer: str) -> list[Order]:
        return self.orders.query(customer).descending().all()

    def open_orders(self) -> list[Order]:
        return self.orders.with_status(Status.OPEN)

    # ---- money ----

    def pay(self, customer: str, reference: str, amount: int) -> None:
        """Change somebody's credit, inside a transaction."""
        payer = self.customers.get(customer)
        payer.credit += amount
        self.customers.save(payer)
        self.postings.create(Posting(customer, reference, amount))

    def transfer(self, giver: str, taker: str, reference: str, amount: int) -> None:
        def move(tx: Shop) -> None:
            tx.pay(giver, reference, -amount)
            tx.pay(taker, reference, amount)

        self.run_transaction(move, attempts=20)

    def account(self, customer: str) -> list[Posting]:
        return self.postings.query(customer).all()

    def total(self) -> int:
        return sum(one.credit for one in self.customers.scan())
