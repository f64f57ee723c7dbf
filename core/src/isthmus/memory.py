"""The memory backend: the reference model, for tests and for trying things out. Nothing survives ``close``."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ClassVar, Self
from weakref import WeakSet

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, BackendConfig, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Unsupported
from isthmus.embedded import NO_OPERATION_IDS, EmbeddedBackend, ItemSession, Session
from isthmus.hookspecs import hookimpl
from isthmus.memory_tables import Row, Store, segment_of
from isthmus.plugins import Plugin
from isthmus.schema import Table
from isthmus.values import Item, copy_item

# Seconds between two looks at a lock that another thread holds.
_POLL = 0.0005
# How often an operation on one item is begun anew without the lock, before it takes it for all of its time.
_ATTEMPTS = 3
_POINTS = frozenset({op.Get, op.Create, op.Put, op.Update, op.Delete})

_CAPABILITIES = Capabilities.full_except(
    {
        Capability.OPERATION_ID: NO_OPERATION_IDS,
        Capability.DURABLE: Unsupported("items live in the process's memory; use sqlite:/// for a file"),
        Capability.SHARED_BY_PROCESSES: Unsupported("each process has its own memory; use sqlite:/// for a file"),
    }
)


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
    """The session of all tables; entering it takes the lock that makes operations atomic.

    ``between`` says that a transaction is at work, so that the items may be partly those before and partly those after.
    """

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        _SESSIONS.add(self)
        self.stores: dict[str, Store] = {}
        self.tokens: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.between = False

    def __enter__(self) -> Self:
        # Threads that block here would get the lock while another one runs, and each operation then waits for a thread
        # to be woken up. The lock is busy for long only where its holder was interrupted, so a poll costs less.
        while not self.lock.acquire(blocking=False):
            time.sleep(_POLL)
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
        self.store(store, store.key(key), None if item is None else copy_item(item))

    def store(self, store: Store, row: Row, item: Item | None) -> None:
        """Put an item, which is not copied, in the place of whatever has the key."""
        store.replace(row, item)
        if store.table.ttl is not None:
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
        # All are kept for equally long, so those that expire first come first.
        while self.tokens and next(iter(self.tokens.values()))[0] <= now:
            self.tokens.popitem(last=False)
        expires, digest = self.tokens.get(token, (now, None))
        return digest if expires > now else None

    def keep_token(self, token: str, digest: bytes, expires: float) -> None:
        self.tokens[token] = (expires, digest)


class Overtaken(Exception):
    """Another thread was faster than an operation on one item, which has applied nothing: begin it anew."""


class PointSession(ItemSession):
    """One operation on one item, which holds the lock only while it writes.

    Stored items are never changed, only replaced, so looking one up takes no lock. A write is made if the item that was
    looked up is still the stored one; otherwise, and while a transaction is at work, ``Overtaken`` is raised.
    """

    __slots__ = ("_seen", "_tables")

    def __init__(self, tables: MemorySession) -> None:
        self._tables = tables
        self._seen: Item | None = None

    def find_table(self, name: str) -> Table | None:
        return self._tables.find_table(name)

    def read(self, table: Table, key: op.ItemKey) -> Item | None:
        store = self._store(table)
        seen = self._seen = store.items.get(store.key(key))
        if self._tables.between:
            raise Overtaken
        return None if seen is None else copy_item(seen)

    def replace(self, table: Table, key: op.ItemKey, item: Item | None) -> None:
        store = self._store(table)
        row, new = store.key(key), None if item is None else copy_item(item)
        with self._tables as tables:
            if store.items.get(row) is not self._seen or tables.stores.get(table.name) is not store:
                raise Overtaken
            tables.store(store, row, new)

    def _store(self, table: Table) -> Store:
        store = self._tables.stores.get(table.name)
        if store is None or store.table is not table:
            raise Overtaken
        return store


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

    def execute(self, operation: op.Operation) -> res.Result:
        if type(operation) in _POINTS:
            for _attempt in range(_ATTEMPTS):
                try:
                    return self.answer(PointSession(self._session), operation)
                except Overtaken:
                    continue
        return super().execute(operation)

    def _transact_write(self, session: Session, operation: op.TransactWrite) -> res.Result:
        self._session.between = True
        try:
            return super()._transact_write(session, operation)
        finally:
            self._session.between = False

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
