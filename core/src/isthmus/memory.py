"""The memory backend: the reference model, for tests and for trying things out. Nothing survives ``close``."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ClassVar, Self
from weakref import WeakSet
from zlib import crc32

from attrs import define, field

from isthmus import operations as op
from isthmus.backends import Backend, BackendConfig, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Unsupported
from isthmus.embedded import NO_OPERATION_IDS, EmbeddedBackend, Session
from isthmus.hookspecs import hookimpl
from isthmus.plugins import Plugin
from isthmus.ranges import bounds
from isthmus.schema import Table
from isthmus.values import Item, Value, copy_item, ordered_bytes
from isthmus.writes import expired

Row = tuple[Any, ...]
_PURGE_ITEMS = 4

_CAPABILITIES = Capabilities.full_except(
    {
        Capability.OPERATION_ID: NO_OPERATION_IDS,
        Capability.DURABLE: Unsupported("items live in the process's memory; use sqlite:/// for a file"),
        Capability.SHARED_BY_PROCESSES: Unsupported("each process has its own memory; use sqlite:/// for a file"),
    }
)


@define(eq=False)
class Order:
    """Keys in order: those of a table itself, or of one index with the table's key behind."""

    names: tuple[str, ...]
    rows: list[Row] = field(factory=list)

    def row(self, item: Item) -> Row | None:
        """The item's place, or ``None`` if it lacks an attribute and so is not in this order."""
        return tuple(item[name] for name in self.names) if all(name in item for name in self.names) else None

    def add(self, item: Item) -> None:
        """Take up an item."""
        row = self.row(item)
        if row is not None:
            insort(self.rows, row)

    def remove(self, item: Item) -> None:
        """Give up an item that was taken up as it is."""
        row = self.row(item)
        if row is not None:
            del self.rows[bisect_left(self.rows, row)]

    def select(self, partition: Value, reach: op.KeyRange | None) -> list[Row]:
        """Rows of one partition in sort-key order, inside a range."""
        start = bisect_left(self.rows, (partition,))
        end = bisect_right(self.rows, (partition,), key=lambda row: row[:1])
        limit = op.KeyRange() if reach is None else bounds(reach)
        if limit.low is not None:
            side = bisect_left if limit.low_inclusive else bisect_right
            start = side(self.rows, (partition, limit.low), start, end, key=lambda row: row[:2])
        if limit.high is not None:
            side = bisect_right if limit.high_inclusive else bisect_left
            end = side(self.rows, (partition, limit.high), start, end, key=lambda row: row[:2])
        return self.rows[start:end]


@define(eq=False)
class Store:
    """One table: items by key, and their orders; the order named ``None`` is the table's own."""

    table: Table
    items: dict[Row, Item] = field(factory=dict)
    orders: dict[str | None, Order] = field(factory=dict)
    looked_at: int = 0

    def __attrs_post_init__(self) -> None:
        self.orders[None] = Order(self.table.key_names)
        for index in self.table.indexes:
            self.orders[index.name] = Order((*(key.name for key in index.keys), *self.table.key_names))

    def key(self, item: Item) -> Row:
        """The values of the key attributes."""
        return tuple(item[name] for name in self.table.key_names)

    def replace(self, key: Row, item: Item | None) -> None:
        """Put ``item`` in the place of whatever has ``key``."""
        old = self.items.pop(key, None)
        for order in self.orders.values():
            if old is not None:
                order.remove(old)
            if item is not None:
                order.add(item)
        if item is not None:
            self.items[key] = item

    def purge(self, now: float) -> None:
        """Remove expired items among the next few; they are invisible, so this only frees memory.

        As more are looked at than a write adds, every item is looked at sooner or later.
        """
        rows = self.orders[None].rows
        seen = rows[self.looked_at : self.looked_at + _PURGE_ITEMS]
        gone = [row for row in seen if expired(self.table, self.items[row], now)]
        for row in gone:
            self.replace(row, None)
        self.looked_at += len(seen) - len(gone)
        if self.looked_at >= len(rows):
            self.looked_at = 0


# A fork while another thread is inside an operation would leave the child a lock that nobody releases and a table that
# is half changed, so forks wait for the locks of all memory backends.
_SESSIONS: WeakSet[MemorySession] = WeakSet()
_held: list[MemorySession] = []


def _before_fork() -> None:
    sessions = list(_SESSIONS)
    for session in sessions:
        session.lock.acquire()
    _held[:] = sessions


def _after_fork() -> None:
    for session in _held:
        session.lock.release()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


class MemorySession(Session):
    """The one session of a memory backend; entering it takes the lock that makes operations atomic."""

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        _SESSIONS.add(self)
        self.stores: dict[str, Store] = {}
        self.tokens: dict[str, tuple[float, bytes]] = {}

    def __enter__(self) -> Self:
        self.lock.acquire()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.lock.release()

    def find_table(self, name: str) -> Table | None:
        store = self.stores.get(name)
        return None if store is None else store.table

    def list_tables(self) -> Iterable[str]:
        return self.stores

    def create_table(self, table: Table) -> None:
        self.stores[table.name] = Store(table)

    def drop_table(self, table: Table) -> None:
        del self.stores[table.name]

    def read(self, table: Table, key: op.ItemKey) -> Item | None:
        store = self.stores[table.name]
        item = store.items.get(store.key(key))
        return None if item is None else copy_item(item)

    def replace(self, table: Table, key: op.ItemKey, item: Item | None) -> None:
        store = self.stores[table.name]
        store.replace(store.key(key), None if item is None else copy_item(item))
        if table.ttl is not None:
            store.purge(self._clock())

    def query(self, table: Table, query: op.Query) -> Iterable[Item]:
        store = self.stores[table.name]
        order = store.orders[query.index]
        rows = order.select(query.partition, query.range)
        if query.start is not None:
            start = order.row(query.start) or ()
            rows = rows[bisect_right(rows, start) :] if query.forward else rows[: bisect_left(rows, start)]
        skipped = len(order.names) - len(table.key_names)
        return (copy_item(store.items[row[skipped:]]) for row in (rows if query.forward else reversed(rows)))

    def scan(self, table: Table, scan: op.Scan) -> Iterable[Item]:
        store = self.stores[table.name]
        rows = store.orders[None].rows
        first = 0 if scan.start is None else bisect_right(rows, store.key(scan.start))
        return (copy_item(store.items[rows[place]]) for place in self._places(rows, first, scan))

    def _places(self, rows: list[Row], first: int, scan: op.Scan) -> Iterator[int]:
        for place in range(first, len(rows)):
            if scan.segments == 1 or segment_of(rows[place], scan.segments) == scan.segment:
                yield place

    def token(self, token: str, now: float) -> bytes | None:
        self.tokens = {name: kept for name, kept in self.tokens.items() if kept[0] > now}
        return self.tokens[token][1] if token in self.tokens else None

    def keep_token(self, token: str, digest: bytes, expires: float) -> None:
        self.tokens[token] = (expires, digest)


def segment_of(row: Row, segments: int) -> int:
    """The segment of a key, the same in every process."""
    return crc32(b"".join(ordered_bytes(part) for part in row)) % segments


class MemoryBackend(EmbeddedBackend):
    """Dictionaries and sorted lists behind one lock."""

    name = "memory"
    blocking = False
    capabilities = _CAPABILITIES
    limits = Limits(number_digits=38)

    def __init__(self, clock: Clock = time.time) -> None:
        super().__init__(clock)
        self._session = MemorySession(clock)

    def session(self, operation: op.Operation) -> AbstractContextManager[Session]:
        return self._session

    def native(self) -> dict[str, list[Item]]:
        """A copy of all items by table, expired ones included."""
        with self._session as session:
            return {name: [copy_item(item) for item in store.items.values()] for name, store in session.stores.items()}


class MemoryPlugin(Plugin):
    """Opens ``memory://``."""

    name: ClassVar[str] = "memory"

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        return MemoryBackend(config.clock) if config.scheme == "memory" else None
