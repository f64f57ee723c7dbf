"""A day in the shop, as calls of its methods: whatever the shop is made of, it has to end the same way."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import attrs

from isthmus import IsthmusError
from shop.records import Product
from shop.rules import Refused

MORNING, NOON = datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 5, 4, 12, tzinfo=UTC)
BOOKS = [
    Product("b1", "Atlas", "books", 4_000, 3),
    Product("b2", "Novel", "books", 1_200, 10),
    Product("b3", "Comic", "books", 900, 1),
]
CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("register", ("ann", "Ann", " Ann@Example.org ", 10_000)),
    ("register", ("bob", "Bob", "bob@example.org", 3_000)),
    ("register", ("cam", "Cam", "ANN@example.org", 1)),  # the address is taken
    ("register", ("cam", "Cam", "nowhere", 1)),
    ("register", ("ann", "Anna", "anna@example.org", 1)),  # the id is taken
    ("stock", ([*BOOKS, Product("p1", "Pen", "paper", 150, 100)],)),
    ("catalogue", ("books",)),
    ("catalogue", ("books", 1_500)),
    ("order", ("ann", "1001", MORNING, {"b1": 1, "b2": 2})),
    ("order", ("bob", "1002", NOON, {"b1": 1})),  # too dear for him
    ("transfer", ("ann", "bob", "t1", 1_500)),
    ("order", ("bob", "1002", NOON, {"b1": 1})),
    ("order", ("ann", "1003", NOON, {"b3": 2})),  # there is one only
    ("order", ("ann", "1003", NOON, {"b3": 1, "p1": 5})),
    ("order", ("ann", "1003", NOON, {"p1": 1})),  # the number is taken
    ("order", ("ann", "1004", NOON, {})),
    ("order", ("ann", "1004", NOON, {"b9": 1})),  # no such product
    ("transfer", ("bob", "ann", "t2", 9_999)),
    ("open_orders", ()),
    ("reserved", ("b1",)),
    ("ship", ("ann", "1001")),
    ("ship", ("ann", "1001")),
    ("cancel", ("ann", "1003")),
    ("cancel", ("ann", "1001")),
    ("deliver", ("b3", 5)),
    ("deliver", ("b9", 5)),
    ("move", ("bob", "bob@example.com")),
    ("register", ("cam", "Cam", "bob@example.org", 500)),  # free again
    ("move", ("cam", "BOB@example.com")),
    ("leave", ("cam",)),
    ("leave", ("cam",)),
    ("register", ("dan", "Dan", "bob@example.org")),
    *[("product", (sku,)) for sku in ("b1", "b2", "b3", "p1")],
    *[("reserved", (sku,)) for sku in ("b1", "b2", "b3", "p1")],
    *[("customer", (who,)) for who in ("ann", "bob", "cam", "dan")],
    *[("orders_of", (who,)) for who in ("ann", "bob", "dan")],
    *[("account", (who,)) for who in ("ann", "bob", "dan")],
    ("open_orders", ()),
    ("total", ()),
]


def tell(shop: Any) -> list[Any]:
    """What a shop answers to each call."""
    found = []
    for name, arguments in CALLS:
        try:
            found.append(plain(getattr(shop, name)(*arguments)))
        except (IsthmusError, Refused) as error:
            found.append(refusal(error))
    return found


async def atell(shop: Any) -> list[Any]:
    """What an async shop answers to each call."""
    found = []
    for name, arguments in CALLS:
        try:
            answer = getattr(shop, name)(*arguments)
            found.append(plain(await answer if inspect.isawaitable(answer) else answer))
        except (IsthmusError, Refused) as error:
            found.append(refusal(error))
    return found


def refusal(error: Exception) -> str:
    return str(error) if type(error) is Refused else type(error).__name__


def plain(answer: Any) -> Any:
    """An answer as data that JSON has."""
    if isinstance(answer, list):
        return [plain(one) for one in answer]
    if attrs.has(type(answer)):
        return attrs.asdict(answer, value_serializer=lambda _owner, _field, value: _scalar(value))
    return answer


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value
