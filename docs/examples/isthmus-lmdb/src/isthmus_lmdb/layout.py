"""Where things stand in the file: one key space, ordered so that each query reads neighbours.

A *place* is bytes of any length whose order is the order that queries promise::

    "R" table NUL index NUL | SHA-256 of the partition key | sort key | SHA-256 of the row's place

The index's name is empty for the table itself, whose places lack the last part. LMDB's keys end at 511 bytes, so a
longer place is cut and completed with its digest. Entries that agree before the cut are sorted when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import cast

from isthmus.operations import KeyRange, Query, Scan
from isthmus.pages import used_index
from isthmus.ranges import bounds
from isthmus.schema import Index, Key, Table
from isthmus.values import Item, Value, dumps, loads_trusted, ordered_bytes, successor_prefix

LONGEST = 511
HEAD = LONGEST - 32
Span = tuple[bytes, bytes]


def key_at(place: bytes) -> bytes:
    """The LMDB key of a place."""
    return place if len(place) < LONGEST else place[:HEAD] + sha256(place).digest()


def after(prefix: bytes) -> bytes:
    """The end of everything that begins with ``prefix``, which is never all 0xFF here."""
    return cast("bytes", successor_prefix(prefix))


def pack(item: Item) -> bytes:
    """An item as it is stored."""
    return dumps(item).encode()


def unpack(data: bytes) -> Item:
    """The item that ``pack`` was given."""
    return cast("Item", loads_trusted(data.decode()))


def rows(table: Table, index: Index | None = None) -> bytes:
    """What all places of a table, or of one of its indexes, begin with."""
    return b"R%s\0%s\0" % (table.name.encode(), b"" if index is None else index.name.encode())


def partition(table: Table, index: Index | None, value: Value) -> bytes:
    """What the places of one partition begin with; partitions need no order, so a digest serves."""
    return rows(table, index) + sha256(ordered_bytes(value)).digest()


def row_place(table: Table, item: Mapping[str, Value]) -> bytes:
    """The place of an item in its table."""
    return _place(table, None, table.keys, item)


def index_place(table: Table, index: Index, item: Mapping[str, Value]) -> bytes | None:
    """The place of an item in an index, or ``None`` when it lacks an attribute and so is not there."""
    if not all(key.name in item for key in index.keys):
        return None
    return _place(table, index, index.keys, item) + sha256(row_place(table, item)).digest()


def _place(table: Table, index: Index | None, keys: tuple[Key, ...], item: Mapping[str, Value]) -> bytes:
    return partition(table, index, item[keys[0].name]) + b"".join(ordered_bytes(item[key.name]) for key in keys[1:])


def query_span(table: Table, query: Query) -> Span:
    """The places that a query reads: from the first to before the second."""
    index = used_index(query)
    base = partition(table, index, query.partition)
    start, stop = (base, after(base)) if query.range is None else _range_span(base, bounds(query.range))
    if query.start is None:
        return start, stop
    place = row_place(table, query.start) if index is None else cast("bytes", index_place(table, index, query.start))
    return (max(start, place + b"\0"), stop) if query.forward else (start, min(stop, place))


def _range_span(base: bytes, reach: KeyRange) -> Span:
    start, stop = base, after(base)
    if reach.low is not None:
        low = base + ordered_bytes(reach.low)
        start = low if reach.low_inclusive else after(low)
    if reach.high is not None:
        high = base + ordered_bytes(reach.high)
        stop = after(high) if reach.high_inclusive else high
    return start, stop


def scan_span(table: Table, scan: Scan) -> Span:
    """The places that a scan reads: a segment is a range of partition digests."""
    base = rows(table)
    low, high = ((segment << 64) // scan.segments for segment in (scan.segment, scan.segment + 1))
    start = base + low.to_bytes(8)
    stop = after(base) if scan.segment + 1 == scan.segments else base + high.to_bytes(8)
    return (start if scan.start is None else max(start, row_place(table, scan.start) + b"\0")), stop
