"""The memory backend: the reference model, for tests and for trying things out. Nothing survives ``close``."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar
from zlib import crc32

from attrs import define, field

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, BackendConfig, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Unsupported
from isthmus.errors import (
    AlreadyExists,
    IdempotencyMismatch,
    IsthmusError,
    SchemaMismatch,
    TableNotFound,
    TransactionFailed,
)
from isthmus.evaluate import project
from isthmus.hookspecs import hookimpl
from isthmus.pages import Candidate, take_page, used_index
from isthmus.plugins import Plugin
from isthmus.ranges import bounds
from isthmus.schema import Index, Table
from isthmus.tokens import TOKEN_SECONDS, content_digest
from isthmus.values import Item, Value, copy_item, item_size, ordered_bytes
from isthmus.writes import visible, write

Row = tuple[Any, ...]

_CAPABILITIES = Capabilities.full_except(
    {
        Capability.DURABLE: Unsupported("items live in the process's memory; use sqlite:/// for a file"),
        Capability.SHARED_BY_PROCESSES: Unsupported("each process has its own memory; use sqlite:/// for a file"),
    }
)


@define(eq=False)
class _Order:
    """Keys in order: those of the table itself, or of one index with the table's key behind."""

    names: tuple[str, ...]
    rows: list[Row] = field(factory=list)

    def row(self, item: Item) -> Row | None:
        """The item's place, or ``None`` if it lacks an attribute and so is not in this order."""
        return tuple(item[name] for name in self.names) if all(name in item for name in self.names) else None

    def add(self, item: Item) -> None:
        row = self.row(item)
        if row is not None:
            insort(self.rows, row)

    def remove(self, item: Item) -> None:
        row = self.row(item)
        if row is not None:
            del self.rows[bisect_left(self.rows, row)]


@define(eq=False)
class _Store:
    """One table: items by key, and their orders."""

    table: Table
    items: dict[Row, Item] = field(factory=dict)
    orders: dict[str | None, _Order] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.orders[None] = _Order(self.table.key_names)
        for index in self.table.indexes:
            self.orders[index.name] = _Order((*(key.name for key in index.keys), *self.table.key_names))

    def key(self, item: Item) -> Row:
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

    def select(self, index: Index | None, partition: Value, reach: op.KeyRange | None) -> Sequence[Row]:
        """Rows of one partition in sort-key order, inside a range."""
        rows = self.orders[index.name if index else None].rows
        low: Row = (partition,)
        start, end = bisect_left(rows, low), bisect_right(rows, low, key=lambda row: row[:1])
        if reach is None:
            return rows[start:end]
        limit = bounds(reach)
        if limit.low is not None:
            side = bisect_left if limit.low_inclusive else bisect_right
            start = side(rows, (partition, limit.low), start, end, key=lambda row: row[:2])
        if limit.high is not None:
            side = bisect_right if limit.high_inclusive else bisect_left
            end = side(rows, (partition, limit.high), start, end, key=lambda row: row[:2])
        return rows[start:end]


class MemoryBackend(Backend):
    """Dictionaries and sorted lists behind one lock."""

    name = "memory"
    blocking = False
    capabilities = _CAPABILITIES
    limits = Limits(number_digits=38)

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._stores: dict[str, _Store] = {}
        self._tokens: dict[str, tuple[float, bytes]] = {}
        self._answers: dict[type[op.Operation], Callable[[Any], res.Result]] = {
            op.CreateTable: self._create_table,
            op.DescribeTable: self._describe_table,
            op.ListTables: self._list_tables,
            op.DropTable: self._drop_table,
            op.Get: self._get,
            op.Create: self._write,
            op.Put: self._write,
            op.Update: self._write,
            op.Delete: self._delete,
            op.Query: self._query,
            op.Scan: self._scan,
            op.GetMany: self._get_many,
            op.PutMany: self._put_many,
            op.DeleteMany: self._delete_many,
            op.TransactWrite: self._transact_write,
            op.TransactGet: self._transact_get,
        }

    def execute(self, operation: op.Operation) -> res.Result:
        with self._lock:
            return self._answers[type(operation)](operation)

    def native(self) -> dict[str, list[Item]]:
        """A copy of all items by table, expired ones included."""
        with self._lock:
            return {name: [copy_item(item) for item in store.items.values()] for name, store in self._stores.items()}

    # ---- tables ----

    def _store(self, table: Table) -> _Store:
        store = self._stores.get(table.name)
        if store is None:
            raise TableNotFound(f"table {table.name!r} does not exist: create it with ensure()")
        if store.table is not table and store.table.keys != table.keys:
            differences = table.differences(store.table)
            message = f"table {table.name!r} is stored with another key: {'; '.join(differences)}"
            raise SchemaMismatch(message, differences=differences)
        return store

    def _create_table(self, operation: op.CreateTable) -> res.Result:
        table = operation.table
        if table.name in self._stores:
            raise AlreadyExists(f"table {table.name!r} exists already: use ensure() to accept it")
        self._stores[table.name] = _Store(table)
        return res.TableResult(table)

    def _describe_table(self, operation: op.DescribeTable) -> res.Result:
        return res.TableResult(self._named(operation.name).table)

    def _list_tables(self, _operation: op.ListTables) -> res.Result:
        return res.TablesResult(sorted(self._stores))

    def _drop_table(self, operation: op.DropTable) -> res.Result:
        self._named(operation.name)
        del self._stores[operation.name]
        return res.DropResult()

    def _named(self, name: str) -> _Store:
        if name not in self._stores:
            raise TableNotFound(f"table {name!r} does not exist: see the list of tables")
        return self._stores[name]

    # ---- single items ----

    def _get(self, operation: op.Get) -> res.GetResult:
        store = self._store(operation.table)
        item = visible(store.table, store.items.get(store.key(operation.key)), self._clock())
        if item is None:
            return res.GetResult()
        paths = operation.projection
        return res.GetResult(copy_item(item if paths is None else project(item, paths)))

    def _write(self, operation: op.Create | op.Put | op.Update) -> res.Result:
        old, new = self._apply(operation)
        returning = None if isinstance(operation, op.Create) else operation.returning
        image = old if returning == "old" else new if returning == "new" else None
        return res.WriteResult(copy_item(image) if image is not None else None)

    def _delete(self, operation: op.Delete) -> res.Result:
        old, _new = self._apply(operation)
        image = copy_item(old) if old is not None and operation.returning == "old" else None
        return res.DeleteResult(image, existed=old is not None)

    def _apply(self, action: op.Action) -> tuple[Item | None, Item | None]:
        """Carry out one action; the images before and after."""
        store = self._store(action.table)
        key = store.key(action.key)
        old, new = self._judge(store, key, action)
        store.replace(key, new)
        return old, new

    def _judge(self, store: _Store, key: Row, action: op.Action) -> tuple[Item | None, Item | None]:
        """The images before and after an action, without applying it."""
        old = visible(store.table, store.items.get(key), self._clock())
        current = None if old is None else copy_item(old)
        new = write(action, current, self.limits)
        return old, copy_item(new) if new is not None else None

    # ---- pages ----

    def _query(self, operation: op.Query) -> res.Page:
        store = self._store(operation.table)
        index = used_index(operation)
        rows = store.select(index, operation.partition, operation.range)
        names = store.orders[operation.index].names
        if operation.start is not None:
            start = tuple(operation.start[name] for name in names)
            rows = rows[bisect_right(rows, start) :] if operation.forward else rows[: bisect_left(rows, start)]
        ordered = rows if operation.forward else reversed(rows)
        return self._page(store, ordered, len(names) - len(store.table.key_names), operation)

    def _scan(self, operation: op.Scan) -> res.Page:
        store = self._store(operation.table)
        rows: Iterable[Row] = store.orders[None].rows
        if operation.start is not None:
            rows = store.orders[None].rows[bisect_right(store.orders[None].rows, store.key(operation.start)) :]
        if operation.segments > 1:
            rows = (row for row in rows if _segment(row, operation.segments) == operation.segment)
        return self._page(store, rows, 0, operation)

    def _page(self, store: _Store, rows: Iterable[Row], skip: int, operation: op.Paged) -> res.Page:
        """A page of the items whose keys stand behind ``skip`` index attributes in each row."""
        page = take_page(self._candidates(store, (row[skip:] for row in rows)), operation)
        return page.map_items(copy_item)

    def _candidates(self, store: _Store, keys: Iterable[Row]) -> Iterator[Candidate]:
        now = self._clock()
        for key in keys:
            item = visible(store.table, store.items[key], now)
            if item is not None:
                yield item, item_size(item)

    # ---- batches ----

    def _get_many(self, operation: op.GetMany) -> res.GetManyResult:
        gets = (op.Get(operation.context, operation.table, key, operation.projection) for key in operation.keys)
        return res.GetManyResult([self._get(get).item for get in gets])

    def _put_many(self, operation: op.PutMany) -> res.WriteManyResult:
        store = self._store(operation.table)
        for item in operation.items:
            store.replace(store.key(item), copy_item(item))
        return res.WriteManyResult(len(operation.items))

    def _delete_many(self, operation: op.DeleteMany) -> res.WriteManyResult:
        store = self._store(operation.table)
        for key in operation.keys:
            store.replace(store.key(key), None)
        return res.WriteManyResult(len(operation.keys))

    # ---- transactions ----

    def _transact_write(self, operation: op.TransactWrite) -> res.TransactWriteResult:
        if operation.token is not None and self._replayed(operation.token, content_digest(operation)):
            return res.TransactWriteResult(replayed=True)
        writes = [(self._store(action.table), action) for action in operation.actions]
        reasons, images = self._judge_all(writes)
        if any(reasons):
            raise TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)
        for (store, action), image in zip(writes, images, strict=True):
            store.replace(store.key(action.key), image)
        if operation.token is not None:
            self._tokens[operation.token] = (self._clock() + TOKEN_SECONDS, content_digest(operation))
        return res.TransactWriteResult()

    def _judge_all(
        self, writes: Sequence[tuple[_Store, op.Action]]
    ) -> tuple[list[IsthmusError | None], list[Item | None]]:
        reasons: list[IsthmusError | None] = []
        images: list[Item | None] = []
        for store, action in writes:
            try:
                _old, image = self._judge(store, store.key(action.key), action)
            except IsthmusError as error:
                reasons.append(error)
                images.append(None)
            else:
                reasons.append(None)
                images.append(image)
        return reasons, images

    def _replayed(self, token: str, digest: bytes) -> bool:
        now = self._clock()
        self._tokens = {name: entry for name, entry in self._tokens.items() if entry[0] > now}
        if token not in self._tokens:
            return False
        if self._tokens[token][1] != digest:
            raise IdempotencyMismatch("this token was used for other content: use a new token")
        return True

    def _transact_get(self, operation: op.TransactGet) -> res.TransactGetResult:
        return res.TransactGetResult([self._get(get).item for get in operation.gets])


def _segment(row: Row, segments: int) -> int:
    """The segment of a key, the same in every process."""
    return crc32(b"".join(ordered_bytes(part) for part in row)) % segments


class MemoryPlugin(Plugin):
    """Opens ``memory://``."""

    name: ClassVar[str] = "memory"

    @hookimpl
    def isthmus_open_backend(self, config: BackendConfig) -> Backend | None:
        return MemoryBackend(config.clock) if config.scheme == "memory" else None
