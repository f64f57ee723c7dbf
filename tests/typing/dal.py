"""Typed usage of DAL classes: checked by mypy, never run.

What has to be refused carries the code of its error in a ``type: ignore``. Mypy reports one that ignores nothing, so
this file fails to check as soon as a misspelt field or a wrong type gets through.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, assert_type

from attrs import define, evolve

import isthmus
from isthmus import (
    AsyncDal,
    AsyncDalBaseClass,
    AsyncQuery,
    BoundTable,
    Dal,
    DalBaseClass,
    DalHooks,
    Database,
    F,
    Model,
    Query,
    Table,
)
from isthmus.results import WriteManyResult

T = TypeVar("T")


@define
class Order:
    """A class as callers write it."""

    __isthmus__: ClassVar[Model] = Model("shop", "CUSTOMER#{customer}", "ORDER#{number}")

    customer: str
    number: int
    total: int = 0


class OrderRules(DalHooks[Order]):
    """Hooks of the sync and of the async class."""

    def before_save(self, entity: Order) -> Order:
        return evolve(entity, total=max(entity.total, 0))

    def validate(self, entity: Order) -> None:
        if entity.total > 1_000:
            raise ValueError("too much")


class Company(DalBaseClass[T]):
    """A class of a code base's own between."""


class Orders(OrderRules, Company[Order]):
    """Entities."""


class Notes(DalBaseClass[dict[str, Any]]):
    """Dictionaries."""

    table = Table("notes", "id")
    former_names: ClassVar[dict[str, str]] = {"fetch": "find"}


class Shop(Dal):
    """Both."""

    orders: Orders
    notes: Notes


class AsyncOrders(OrderRules, AsyncDalBaseClass[Order]):
    """Entities, async."""


class AsyncShop(AsyncDal):
    """A group, async."""

    orders: AsyncOrders


class Wrong(DalBaseClass[Order]):
    """Hooks of other types."""

    def before_save(self, entity: str) -> Order:  # type: ignore[override]
        return Order(entity, 1)

    def after_load(self, entity: Order) -> None:  # type: ignore[override]
        """Nothing comes back."""


def results(shop: Shop, order: Order) -> None:
    """What methods give."""
    assert_type(shop.orders, Orders)
    assert_type(shop.database, Database)
    assert_type(shop.orders.get("acme", 7), Order)
    assert_type(shop.orders.get(lambda o: (o.customer == "acme") & (o.number == 7)), Order)
    assert_type(shop.orders.find(customer="acme", number=7), Order | None)
    assert_type(shop.orders.get_many([("acme", 7)]), list[Order | None])
    assert_type(shop.orders.create(order), Order)
    assert_type(shop.orders.save(evolve(order, total=3), since=order), Order)
    assert_type(shop.orders.update("acme", 7, set=lambda o: evolve(o, total=o.total + 1)), Order)
    assert_type(shop.orders.delete(order), bool)
    assert_type(shop.orders.put_many([order]), WriteManyResult)
    assert_type(shop.orders.query("acme").where(lambda o: o.total > 3), Query[Order])
    assert_type(shop.orders.bound_table, BoundTable)
    assert_type(shop.notes.get("1"), dict[str, Any])
    assert_type(shop.notes.query("1").where(F.a > 3).all(), list[dict[str, Any]])


def transactions(shop: Shop) -> None:
    """Inside a transaction the types are the same."""
    with shop.transaction() as tx:
        assert_type(tx, Shop)
        assert_type(shop.orders.within(tx), Orders)
    assert_type(shop.run_transaction(lambda tx: tx.orders.get("acme", 7).total), int)
    with shop.orders.transaction() as orders:
        assert_type(orders, Orders)


def opening() -> None:
    """Where the database comes from."""
    with Shop() as shop, isthmus.connect("memory://") as database:
        assert_type(shop, Shop)
        assert_type(Orders(database).ensure(), Orders)
    Shop("memory://", timeout=3.0)
    Shop(lambda: isthmus.connect("memory://"))
    AsyncShop(lambda: isthmus.aconnect("memory://"))


async def asynchronous(shop: AsyncShop, order: Order) -> None:
    """The same, to be awaited."""
    async with AsyncShop() as opened:
        assert_type(opened, AsyncShop)
    assert_type(await shop.orders.get("acme", 7), Order)
    assert_type(await shop.orders.put(order), Order)
    query = shop.orders.query("acme")
    assert_type(query, AsyncQuery[Order])
    async for found in query:
        assert_type(found, Order)

    async def work(tx: AsyncShop) -> int:
        return (await tx.orders.get("acme", 7)).total

    assert_type(await shop.run_transaction(work), int)


async def refused(shop: Shop, late: AsyncShop, database: Database, note: dict[str, Any]) -> None:
    """Slips that a type checker sees."""
    shop.ordres  # type: ignore[attr-defined]  # noqa: B018
    shop.orders.create(note)  # type: ignore[arg-type]
    shop.orders.save("order")  # type: ignore[arg-type]
    shop.orders.put_many([note])  # type: ignore[list-item]
    shop.orders.query("acme").where(lambda o: o.totl > 3)  # type: ignore[attr-defined]
    shop.orders.query("acme").where(lambda o: o.total > "3")  # type: ignore[operator]
    shop.orders.update("acme", 7, set=lambda o: evolve(o, total="much"))  # type: ignore[arg-type]
    shop.notes.put(Order("acme", 7))  # type: ignore[arg-type]
    shop.run_transaction(lambda tx: tx.ordres)  # type: ignore[attr-defined]
    AsyncShop(database)  # type: ignore[arg-type]
    await late.run_transaction(lambda _tx: 3)  # type: ignore[arg-type,return-value]
