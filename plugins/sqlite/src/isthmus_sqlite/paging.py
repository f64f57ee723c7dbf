"""Queries, scans and counts as SQL: a condition for where to read, one for what to keep, and an order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from zlib import crc32

from attrs import evolve, frozen

from isthmus.operations import Paged, Query, Scan
from isthmus.pages import Candidate, take_page
from isthmus.results import Page
from isthmus.values import loads_trusted
from isthmus_sqlite.catalogue import mismatch
from isthmus_sqlite.filters import Predicate, compile_condition
from isthmus_sqlite.layout import Layout, Order, after
from isthmus_sqlite.sessions import Session

# A page whose size is left to the backend ends here, so that memory stays bounded.
_PAGE_BYTES = 8_388_608
_SEGMENT = "isthmus_segment"
FUNCTIONS = ((_SEGMENT, -1, lambda *keys: segment_hash(keys)),)


@frozen
class Statement:
    """A SELECT without its columns and its order."""

    source: str
    where: str
    params: tuple[Any, ...]


def segment_hash(keys: tuple[str | bytes, ...]) -> int:
    """A number that a key has in every process; remainders of it make the segments of a scan."""
    parts = (key.encode() if isinstance(key, str) else key for key in keys)
    # The length in front keeps ("a", "bc") and ("ab", "c") apart.
    return crc32(b"".join(len(part).to_bytes(4, "big") + part for part in parts))


def read_page(session: Session, layout: Layout, operation: Paged, now: float) -> Page:
    """One page."""
    order, operation = _order(layout, operation), _bounded(operation)
    forward = not isinstance(operation, Query) or operation.forward
    keep = _filter(operation)
    if keep is not None and keep.exact:
        operation = evolve(operation, condition=None)
    statement = _statement(layout, order, operation, keep, now)
    if _countable(operation):
        return _count(session, statement)
    names = order.key_columns if isinstance(operation, Query) else order.columns
    direction = "" if forward else " DESC"
    by = ", ".join(column.name + direction for column in names) or "1"
    sql = f"SELECT item FROM {statement.source} WHERE {statement.where} ORDER BY {by}"
    # An open cursor holds its snapshot, and with it the log file; a page that ends early closes it.
    with closing(session.execute(sql, statement.params)) as rows:
        return take_page(_candidates(rows), operation)


def _candidates(rows: Iterator[tuple[str]]) -> Iterator[Candidate]:
    for (text,) in rows:
        yield loads_trusted(text), len(text)  # type: ignore[misc]  # an item is what was stored


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


def _count(session: Session, statement: Statement) -> Page:
    sql = f"SELECT count(*) FROM {statement.source} WHERE {statement.where}"
    count = session.execute(sql, statement.params).fetchone()[0]
    return Page(count=count, examined=count)


def _order(layout: Layout, operation: Paged) -> Order:
    """The order that is read.

    :raises SchemaMismatch: the index is declared but not stored
    """
    name = operation.index if isinstance(operation, Query) else None
    if name is not None and operation.table.index(name) not in layout.table.indexes:
        raise mismatch(operation.table, layout.table)
    return layout.orders[name]


def _statement(layout: Layout, order: Order, operation: Paged, keep: Predicate | None, now: float) -> Statement:
    parts: list[tuple[str, list[Any]]] = []
    if isinstance(operation, Query):
        parts.append(order.where(operation.partition, operation.range))
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
    return Statement(order.source, where, tuple(param for _sql, params in parts for param in params))
