"""The operations under measurement as calls that take a running number."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.bench.servers.items import (
    BATCH_ITEMS,
    PARTITION_ITEMS,
    PARTITIONS,
    Item,
    place,
    sample,
    spread,
)
from tests.bench.servers.peer import Peer

OPERATIONS = ("get", "put", "update", "query", "batch", "transaction")
READS = PARTITIONS * PARTITION_ITEMS
AMOUNTS = [Decimal(number) + Decimal("0.25") for number in range(1_000)]

Call = Callable[[int], Any]


class Work:
    """The calls on one peer.

    Writes go to partitions of their own, so that what is read stays as it was. Successive writes of a key differ,
    because a server may skip a write that changes nothing.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._written = spread("written", PARTITION_ITEMS) + _later("written")
        self._transferred = spread("transferred", PARTITION_ITEMS) + _later("transferred")
        self._batch = spread("batch", BATCH_ITEMS)
        self.calls: dict[str, Call] = {name: getattr(self, name) for name in OPERATIONS if name not in peer.lacks}

    def stored_before(self) -> list[Item]:
        """The items that must be in the table before the first call."""
        return spread("read", READS) + spread("updated", PARTITION_ITEMS) + spread("moved", PARTITION_ITEMS)

    def get(self, number: int) -> Any:
        """Read one of 1,000 items."""
        return self._peer.get(*place("read", number % READS))

    def put(self, number: int) -> Any:
        """Replace one of 100 items."""
        return self._peer.put(self._written[number % len(self._written)])

    def update(self, number: int) -> Any:
        """Change one of 100 items."""
        return self._peer.update(*place("updated", number % PARTITION_ITEMS), AMOUNTS[number % len(AMOUNTS)])

    def query(self, number: int) -> Any:
        """Read one of 10 partitions of 100 items."""
        return self._peer.query(f"read-{number % PARTITIONS}")

    def batch(self, number: int) -> Any:
        """Write 1,000 items with keys of their own, so that a peer may insert them."""
        shop = f"batch-{number}"
        for position, item in enumerate(self._batch):
            item["shop"] = shop
            item["order"] = f"{position:08}"
        return self._peer.batch(self._batch)

    def transaction(self, number: int) -> Any:
        """Replace one item and change another."""
        item = self._transferred[number % len(self._transferred)]
        return self._peer.transaction(item, *place("moved", number % PARTITION_ITEMS), AMOUNTS[number % len(AMOUNTS)])


def _later(prefix: str) -> list[Item]:
    return [sample(*place(prefix, number), number + 5_000) for number in range(PARTITION_ITEMS)]
