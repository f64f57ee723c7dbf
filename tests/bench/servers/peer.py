"""What each peer offers to the worker: the same eight calls, sync or async."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from tests.bench.servers.items import Item


class Peer(ABC):
    """A way to use a store.

    The methods of a sync peer give their result, those of an async peer an awaitable of it. Reads must not be stale,
    and writes durable, on every peer.

    :cvar asynchronous: whether the methods give awaitables
    :cvar lacks: operations that the library does not have
    """

    asynchronous: ClassVar[bool] = False
    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, target: str, name: str) -> None:
        self.target = target
        self.name = name

    @abstractmethod
    def open(self) -> Any:
        """Connect to ``target`` and create the empty table ``name``."""

    @abstractmethod
    def close(self) -> Any:
        """Drop the table and disconnect."""

    @abstractmethod
    def get(self, shop: str, order: str) -> Any:
        """Read one item."""

    @abstractmethod
    def put(self, item: Item) -> Any:
        """Write one item in place of whatever has its key."""

    @abstractmethod
    def update(self, shop: str, order: str, amount: Decimal) -> Any:
        """Set the amount and add 1 to the visits of an item; it is an error if there is none."""

    @abstractmethod
    def query(self, shop: str) -> Any:
        """A list of all items of a partition in the order of the sort key."""

    @abstractmethod
    def batch(self, items: list[Item]) -> Any:
        """Write many items, not atomically."""

    @abstractmethod
    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> Any:
        """Put one item and update another, both or none."""

    def plain(self, read: Any) -> Mapping[str, Any]:
        """An item as it was read, as a plain mapping; only for the check that it is right."""
        found: Mapping[str, Any] = read
        return found
