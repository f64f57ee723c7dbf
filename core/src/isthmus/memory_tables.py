"""The tables of the memory backend: items by key, and keys in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Any
from zlib import crc32

from attrs import define, field

from isthmus import operations as op
from isthmus.ranges import bounds
from isthmus.schema import Table
from isthmus.values import Item, Value, ordered_bytes
from isthmus.writes import expired

Row = tuple[Any, ...]
_PURGE_ITEMS = 4


@define(eq=False)
class Order:
    """Keys in order: those of a table itself, or of one index with the table's key behind."""

    names: tuple[str, ...]
    rows: list[Row] = field(factory=list)

    def row(self, item: Item) -> Row | None:
        """The item's place, or ``None`` if it lacks an attribute and so is not in this order."""
        return tuple(item[name] for name in self.names) if all(name in item for name in self.names) else None

    def move(self, old: Item | None, new: Item | None) -> None:
        """Give up an item that was taken up as it is, and take up another."""
        before = None if old is None else self.row(old)
        after = None if new is None else self.row(new)
        if before == after:
            return
        if before is not None:
            del self.rows[bisect_left(self.rows, before)]
        if after is not None:
            insort(self.rows, after)

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
        """Put ``item`` in the place of whatever has ``key``; for who looks it up, in one step."""
        old = self.items.get(key)
        for order in self.orders.values():
            order.move(old, item)
        if item is not None:
            self.items[key] = item
        else:
            self.items.pop(key, None)

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


def segment_of(row: Row, segments: int) -> int:
    """The segment of a key, the same in every process."""
    return crc32(b"".join(ordered_bytes(part) for part in row)) % segments
