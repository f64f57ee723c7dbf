"""Queries, scans and counts as SQL: a condition for where to read, one for what to keep, and an order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from zlib import crc32

from attrs import evolve, frozen

from isthmus.errors import InvalidStoredValue
from isthmus.operations import KeyRange, Paged, Query, Scan
from isthmus.pages import Candidate, take_page
from isthmus.ranges import bounds, within
from isthmus.results import Page, Unreadable
from isthmus.values import Item
from isthmus_sqlite.catalogue import mismatch
from isthmus_sqlite.filters import Predicate, compile_condition
from isthmus_sqlite.layout import Column, Layout, Order, after, stored_item
from isthmus_sqlite.session import Session

# A page whose size is left to the backend ends here, so that memory stays bounded.
_PAGE_BYTES = 8_388_608
_SEGMENT = "isthmus_segment"
FORM = "isthmus-json"
"""What a stored item is, for those that keep its bytes."""
FUNCTIONS = ((_SEGMENT, -1, lambda *keys: segment_hash(keys)),)


@frozen
class Reading:
    """How a page is read.

    :param operation: what is left to do with the rows
    :param counted: whether SQL answers with the number of items alone
    :param keys: the columns that are read beside the item, so that one that can't be read has a key
    """

    sql: str
    params: tuple[Any, ...]
    operation: Paged
    counted: bool
    keys: tuple[Column, ...] = ()

    def explain(self) -> dict[str, Any]:
        """The statement, without its values, and whether each row is judged by the evaluator too."""
        return {"sql": self.sql, "evaluator": self.operation.condition is not None}


def segment_hash(keys: tuple[str | bytes, ...]) -> int:
    """A number that a key has in every process; remainders of it make the segments of a scan."""
    parts = (key.encode() if isinstance(key, str) else key for key in keys)
    # The length in front keeps ("a", "bc") and ("ab", "c") apart.
    return crc32(b"".join(len(part).to_bytes(4, "big") + part for part in parts))


def plan(layout: Layout, operation: Paged, now: float) -> Reading:
    """How one page is read.

    :raises SchemaMismatch: the index is declared but not stored
    """
    order, operation = _order(layout, operation), _bounded(operation)
    keep = _filter(operation)
    if keep is not None and keep.exact:
        operation = evolve(operation, condition=None)
    where, params = _where(layout, order, operation, keep, now)
    if _countable(operation):
        return Reading(f"SELECT count(*) FROM {order.source} WHERE {where}", params, operation, True)
    by = _sequence(order, operation)
    keys = layout.keys if isinstance(operation, Scan) and operation.report_unreadable else ()
    columns = ", ".join(["item", *(column.name for column in keys)])
    sql = f"SELECT {columns} FROM {order.source} WHERE {where} ORDER BY {by}"
    return Reading(sql, params, operation, False, keys)


def _sequence(order: Order, operation: Paged) -> str:
    if not isinstance(operation, Query):
        return ", ".join(column.name for column in order.columns)
    direction = "" if operation.forward else " DESC"
    # The partition is one value; it stands for the order of a single item.
    columns = order.key_columns or order.columns
    return ", ".join(column.name + direction for column in columns)


def read_page(session: Session, reading: Reading) -> Page:
    """One page."""
    # An open cursor holds its snapshot, and with it the log file; a page that ends early closes it.
    with closing(session.execute(reading.sql, reading.params)) as rows:
        if reading.counted:
            count = rows.fetchone()[0]
            return Page(count=count, examined=count)
        candidates = _tolerant(rows, reading.keys) if reading.keys else _candidates(rows)
        return take_page(candidates, reading.operation)


def _candidates(rows: Iterator[tuple[str]]) -> Iterator[Candidate]:
    for (text,) in rows:
        yield stored_item(text), len(text)


def _tolerant(rows: Iterator[tuple[Any, ...]], keys: tuple[Column, ...]) -> Iterator[Candidate | Unreadable]:
    for text, *values in rows:
        try:
            yield stored_item(text), len(text)
        except InvalidStoredValue as error:
            yield unreadable(error, keys, values, text)


def unreadable(error: InvalidStoredValue, keys: tuple[Column, ...], values: list[Any], stored: Any) -> Unreadable:
    """What is reported of a row.

    :param values: of its key columns
    :param stored: what its column ``item`` holds
    """
    original = stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "surrogatepass")
    return Unreadable(error, _key(keys, values), " ".join(map(repr, values)), original, FORM)


def _key(keys: tuple[Column, ...], values: list[Any]) -> Item | None:
    try:
        return {column.key.name: column.decode(value) for column, value in zip(keys, values, strict=True)}
    except (InvalidStoredValue, TypeError, ValueError):  # what the column holds was written by something else, too
        return None


def _bounded(operation: Paged) -> Paged:
    if operation.limit is None and operation.max_bytes is None and operation.select == "items":
        return evolve(operation, max_bytes=_PAGE_BYTES)
    return operation


def _filter(operation: Paged) -> Predicate | None:
    """What SQL filters; nothing where the caller counts the candidates that were looked at."""
    if operation.condition is None or operation.max_examined is not None:
        return None
    return compile_condition(operation.condition)


def _countable(operation: Paged) -> bool:
    unlimited = operation.limit is None and operation.max_bytes is None and operation.max_examined is None
    return operation.select == "count" and operation.condition is None and unlimited


def _order(layout: Layout, operation: Paged) -> Order:
    """The order that is read.

    :raises SchemaMismatch: the index is declared but not stored
    """
    name = operation.index if isinstance(operation, Query) else None
    if name is not None and operation.table.index(name) not in layout.table.indexes:
        raise mismatch(operation.table, layout.table)
    return layout.orders[name]


def _left(order: Order, operation: Query) -> KeyRange | None:
    """The range without the end that the start takes the place of: of two lower bounds SQLite would use either one."""
    reach, start = operation.range, operation.start
    if reach is None or start is None or not within(reach, start[order.columns[1].key.name]):
        return reach
    limit = bounds(reach)
    return evolve(limit, low=None) if operation.forward else evolve(limit, high=None)


def _where(
    layout: Layout, order: Order, operation: Paged, keep: Predicate | None, now: float
) -> tuple[str, tuple[Any, ...]]:
    parts: list[tuple[str, list[Any]]] = []
    if isinstance(operation, Query):
        parts.append(order.where(operation.partition, _left(order, operation)))
        if operation.start is not None and order.key_columns:
            parts.append(after(order.key_columns, operation.start, forward=operation.forward))
        elif operation.start is not None:
            parts.append(("0", []))
    elif operation.start is not None:
        parts.append(after(order.columns, operation.start))
    if isinstance(operation, Scan) and operation.segments > 1:
        names = ", ".join(column.name for column in layout.keys)
        parts.append((f"{_SEGMENT}({names}) % ? = ?", [operation.segments, operation.segment]))
    if layout.visible:
        parts.append((layout.visible, [now]))
    if keep is not None:
        parts.append((keep.sql, list(keep.params)))
    where = " AND ".join(sql for sql, _params in parts) or "1"
    return where, tuple(param for _sql, params in parts for param in params)
