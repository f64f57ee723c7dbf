"""The async shop: ``dal.py`` with ``await``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from isthmus import AsyncDal, AsyncDalBaseClass
from shop.records import Customer, Order, Posting, Product, Reservation, Status
from shop.rules import CustomerRules, OrderRules, ProductRules, end, take


class AsyncCustomers(CustomerRules, AsyncDalBaseClass[Customer]):
    pass


class AsyncProducts(ProductRules, AsyncDalBaseClass[Product]):
    pass


class AsyncOrders(OrderRules, AsyncDalBaseClass[Order]):
    async def with_status(self, status: Status) -> list[Order]:
        return await self.query(status=status, index="listing").all()


class AsyncReservations(AsyncDalBaseClass[Reservation]):
    pass


class AsyncPostings(AsyncDalBaseClass[Posting]):
    pass


class AsyncShop(AsyncDal):
    customers: AsyncCustomers
    products: AsyncProducts
    orders: AsyncOrders
    reservations: AsyncReservations
    postings: AsyncPostings

    # ---- customers ----

    async def register(self, id: str, name: str, email: str, credit: int = 0) -> Customer:
        return await self.customers.create(Customer(id, name, email, credit))

    async def move(self, id: str, email: str) -> Customer:
        customer = await self.customers.get(id)
        customer.email = email
        return await self.customers.save(customer)

    async def leave(self, id: str) -> bool:
        return await self.customers.delete(id)

    async def customer(self, id: str) -> Customer:
        return await self.customers.get(id)

    # ---- stock ----

    async def stock(self, products: Iterable[Product]) -> int:
        written = await self.products.put_many(products)
        return written.raise_for_failures().written

    async def deliver(self, sku: str, pieces: int) -> Product:
        return await self.products.update(sku, add={"available": pieces})

    async def product(self, sku: str) -> Product:
        return await self.products.get(sku)

    async def catalogue(self, category: str, most: int | None = None) -> list[Product]:
        found = self.products.query(category=category, index="listing")
        return await (found if most is None else found.where(lambda p: p.price <= most)).all()

    async def reserved(self, sku: str) -> int:
        return sum([one.pieces async for one in self.reservations.query(sku)])

    # ---- orders ----

    async def order(self, customer: str, number: str, placed: datetime, pieces: Mapping[str, int]) -> Order:
        """Reserve the pieces and take the money, or do nothing."""

        async def place(tx: AsyncShop) -> Order:
            order = Order(customer, number, placed)
            for sku, count in sorted(pieces.items()):
                product = await tx.products.get(sku)
                await tx.reservations.create(take(product, order, count))
                await tx.products.save(product)
            await tx.pay(customer, number, -order.total)
            return await tx.orders.create(order)

        return await self.run_transaction(place, attempts=20)

    async def ship(self, customer: str, number: str) -> Order:
        async def send(tx: AsyncShop) -> Order:
            order = await tx.orders.get(customer, number)
            end(order, Status.SHIPPED)
            await tx.reservations.delete_many([(line.sku, number) for line in order.lines])
            return await tx.orders.save(order)

        return await self.run_transaction(send)

    async def cancel(self, customer: str, number: str) -> Order:
        async def undo(tx: AsyncShop) -> Order:
            order = await tx.orders.get(customer, number)
            end(order, Status.CANCELLED)
            for line in order.lines:
                await tx.reservations.delete(line.sku, number)
                await tx.products.update(line.sku, add={"available": line.pieces})
            await tx.pay(customer, f"{number}-back", order.total)
            return await tx.orders.save(order)

        return await self.run_transaction(undo)

    async def orders_of(self, customer: str) -> list[Order]:
        return await self.orders.query(customer).descending().all()

    async def open_orders(self) -> list[Order]:
        return await self.orders.with_status(Status.OPEN)

    # ---- money ----

    async def pay(self, customer: str, reference: str, amount: int) -> None:
        """Change somebody's credit, inside a transaction."""
        payer = await self.customers.get(customer)
        payer.credit += amount
        await self.customers.save(payer)
        await self.postings.create(Posting(customer, reference, amount))

    async def transfer(self, giver: str, taker: str, reference: str, amount: int) -> None:
        async def move(tx: AsyncShop) -> None:
            await tx.pay(giver, reference, -amount)
            await tx.pay(taker, reference, amount)

        await self.run_transaction(move, attempts=20)

    async def account(self, customer: str) -> list[Posting]:
        return await self.postings.query(customer).all()

    async def total(self) -> int:
        return sum([one.credit async for one in self.customers.scan()])
