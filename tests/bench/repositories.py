"""Repositories: loading entities against hand-written cattrs, and what ``get`` costs above the dictionary API."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from attrs import define, field
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn

import isthmus
from isthmus import Model, Repository
from tests.bench.measure import Measurement, compared, overhead, paired, timed

ITEMS, GETS = 10_000, 20_000


class Status(Enum):
    """Where an order stands."""

    OPEN = "open"
    PAID = "paid"


@define
class Line:
    """A line of an order."""

    article: str
    price: Decimal
    pieces: int = 1


@define
class Order:
    """Some fields of each common type."""

    customer: str
    id: str
    reference: UUID
    placed: datetime
    status: Status
    total: Decimal
    paid: bool
    note: str | None = None
    weight: float = 0.0
    tags: frozenset[str] = frozenset()
    lines: list[Line] = field(factory=list)


@define
class Customer:
    """A record as most are: a few plain fields."""

    org: str
    id: str
    email: str
    joined: datetime
    age: int
    active: bool = True
    nick: str | None = None
    tags: frozenset[str] = frozenset()


MODEL = Model("orders", "customer", "id")
CUSTOMER = Model("customers", "ORG#{org}", "CUSTOMER#{id}")


def order(number: int) -> Order:
    """An order of two lines."""
    return Order(
        "acme", f"{number:08}", UUID(int=number), datetime(2026, 1, 1, microsecond=number, tzinfo=UTC),
        Status.PAID if number % 3 else Status.OPEN, Decimal(number) / 100 + Decimal("0.01"), number % 2 == 0,
        None if number % 2 else "a note", number / 8, frozenset({"new", "large"}),
        [Line("paper", Decimal("1.25"), 3), Line("ink", Decimal("7.5"))],
    )  # fmt: skip


def by_hand() -> Converter:
    """What a careful user of cattrs would write: generated functions, and hooks for what is not JSON."""
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(datetime, lambda text, _kind: datetime.fromisoformat(text))
    converter.register_structure_hook(UUID, lambda text, _kind: UUID(text))
    converter.register_structure_hook(Decimal, lambda number, _kind: Decimal(number))
    for kind in (Line, Order):
        structure: Any = make_dict_structure_fn(kind, converter, _cattrs_detailed_validation=False)
        converter.register_structure_hook(kind, structure)
    return converter


def measure() -> list[Measurement]:
    """Loading many, and getting one."""
    with isthmus.connect("memory://") as database:
        orders = database.repository(Order, model=MODEL).ensure()
        for number in range(ITEMS):
            orders.put(order(number))
        customers = database.repository(Customer, model=CUSTOMER).ensure()
        customers.put(Customer("acme", "7", "a@x.org", datetime(2026, 1, 1, tzinfo=UTC), 40, tags=frozenset({"new"})))
        return [_load(orders), _get(customers)]


def _load(orders: Repository[Order]) -> Measurement:
    items = list(orders.query(customer="acme").as_dicts())
    structure: Any = by_hand().get_structure_hook(Order)
    assert [structure(item, Order) for item in items[:10]] == [orders.from_item(item) for item in items[:10]]

    def ours() -> object:
        return [orders.from_item(item) for item in items]

    def plain() -> object:
        return [structure(item, Order) for item in items]

    rounds = paired(timed(ours, 1), timed(plain, 1))
    return compared(f"{ITEMS:,} items to attrs objects, by cattrs", rounds, 1.5, unit="ms", scale=1e3)


def _get(customers: Repository[Customer]) -> Measurement:
    table = customers.table
    rounds = paired(
        timed(lambda: customers.get(org="acme", id="7"), GETS),
        timed(lambda: table.get(pk="ORG#acme", sk="CUSTOMER#7"), GETS),
    )
    return overhead("get by a repository, above the dictionary API", rounds, 10.0)
