"""The item that all peers read and write: 16 attributes, about 1 KB, six decimals, nested maps, two lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Item = dict[str, Any]
Key = tuple[str, str]

PARTITIONS, PARTITION_ITEMS, BATCH_ITEMS = 10, 100, 1_000
NOTE = "Please ring twice; the gate is open in the morning. " * 8


def sample(shop: str, order: str, number: int) -> Item:
    """An order. No attribute is missing or null, because some peers can't store that."""
    return {
        "shop": shop,
        "order": order,
        "customer": f"customer-{number:06}",
        "status": "paid",
        "created": "2027-01-01T08:30:00.000000Z",
        "note": NOTE,
        "quantity": number % 7 + 1,
        "visits": 0,
        "express": number % 2 == 0,
        "currency": "EUR",
        "channel": "web",
        "amount": Decimal(number) + Decimal("129.95"),
        "tax": Decimal("20.6374"),
        "address": {
            "street": "12 rue de la Paix",
            "city": "Paris",
            "postcode": "75002",
            "place": {"latitude": Decimal("48.869161"), "longitude": Decimal("2.331452")},
        },
        "tags": ["gift", "fragile", "first-order", "newsletter"],
        "lines": [
            {"sku": "A-1001", "count": 2, "price": Decimal("39.99")},
            {"sku": "B-2002", "count": 1, "price": Decimal("49.97")},
        ],
    }


def spread(prefix: str, count: int) -> list[Item]:
    """So many items, 100 in each partition."""
    return [sample(*place(prefix, number), number) for number in range(count)]


def place(prefix: str, number: int) -> Key:
    """The key of an item of ``spread``."""
    return f"{prefix}-{number // PARTITION_ITEMS}", f"{number % PARTITION_ITEMS:08}"
