"""Reading tables in ranges of their keys, side by side: see ``isthmus.slices``.

Bounds and cursors are what the key columns hold, so that a row whose columns somebody else filled has its place too.
The last unit ends where its first slice found the greatest key: a table that grows as fast as it is read has an end.
"""

from __future__ import annotations

import base64
import json
from contextlib import closing
from itertools import pairwise
from typing import Any

from attrs import frozen

from isthmus.errors import InvalidStoredValue
from isthmus.results import Unreadable
from isthmus.slices import Counted, CountSlice, DivideTable, Facts, ReadSlice, Slice, Units, damaged, parts_of
from isthmus.values import Item
from isthmus_sqlite.layout import Layout, stored_item
from isthmus_sqlite.paging import unreadable
from isthmus_sqlite.session import Session

Place = tuple[Any, ...]
Condition = tuple[str, Place]


# ---- units ----


def divide(session: Session, layout: Layout, operation: DivideTable) -> Units:
    """Ranges of keys that hold about as many items each, found by one walk through the keys."""
    bounds = _bounds(session, layout, operation.wanted) if operation.wanted > 1 else []
    return Units([_unit(low, high) for low, high in pairwise((None, *bounds, None))])


def _bounds(session: Session, layout: Layout, wanted: int) -> list[Place]:
    names = _names(layout)
    (count,) = session.execute(f"SELECT count(*) FROM {layout.name}").fetchone()
    width = -(-count // wanted)
    numbered = f"SELECT {names}, row_number() OVER (ORDER BY {names}) AS place FROM {layout.name}"
    sql = f"SELECT {names} FROM ({numbered}) WHERE place > 1 AND place % ? = 1 % ? ORDER BY {names}"
    return list(session.execute(sql, (width, width))) if width else []


def _names(layout: Layout) -> str:
    return ", ".join(column.name for column in layout.keys)


def _unit(low: Place | None, high: Place | None) -> str:
    return json.dumps({"from": _to_json(low), "to": _to_json(high)})


def facts(session: Session, layout: Layout) -> Facts:
    """How many rows there are; how large they are, only reading them would tell."""
    ((count,),) = session.execute(f"SELECT count(*) FROM {layout.name}")
    return Facts(count)


# ---- slices ----


@frozen
class Span:
    """What is left of a unit.

    :param after: whether it begins behind ``low``, and not with it
    :param high: the key before which it ends
    :param last: the key with which it ends, where there is no ``high``
    """

    low: Place | None
    after: bool
    high: Place | None
    last: Place | None

    def where(self, layout: Layout, now: float) -> Condition:
        """The rows that are left and count."""
        bounds = ((">" if self.after else ">=", self.low), ("<", self.high), ("<=", self.last))
        parts = [_compared(layout, operator, place) for operator, place in bounds if place is not None]
        if layout.visible:
            parts.append((layout.visible, (now,)))
        return " AND ".join(sql for sql, _params in parts) or "1", tuple(
            param for _sql, params in parts for param in params
        )

    def cursor(self, last_read: Place) -> str:
        """The text of a cursor."""
        return json.dumps({"after": _to_json(last_read), "last": _to_json(self.last)})


def read(session: Session, layout: Layout, operation: ReadSlice, now: float) -> Slice:
    """One slice."""
    span = _span(session, layout, operation)
    where, params = span.where(layout, now)
    names = _names(layout)
    sql = f"SELECT item, {names} FROM {layout.name} WHERE {where} ORDER BY {names} LIMIT ?"
    items: list[Item] = []
    faults: list[Unreadable] = []
    size, last = 0, Place()
    # An open cursor holds its snapshot, and with it the log file; a slice that ends early closes it.
    with closing(session.execute(sql, (*params, operation.items + 1))) as rows:
        for text, *values in rows:
            if len(items) + len(faults) >= operation.items or size >= operation.size:
                return Slice(items, span.cursor(last), faults)
            try:
                items.append(stored_item(text))
            except InvalidStoredValue as error:
                faults.append(unreadable(error, layout.keys, values, text))
            size, last = size + _length(text), tuple(values)
    return Slice(items, None, faults)


def count(session: Session, layout: Layout, operation: CountSlice, now: float) -> Counted:
    """How many rows are left of a unit; the cursor is that of a run that ends early."""
    span = _span(session, layout, operation)
    where, params = span.where(layout, now)
    names = _names(layout)
    run = f"SELECT {names} FROM {layout.name} WHERE {where} ORDER BY {names} LIMIT ?"
    ((found,),) = session.execute(f"SELECT count(*) FROM ({run})", (*params, operation.items))
    if found < operation.items:
        return Counted(found)
    (last,) = session.execute(f"{run} OFFSET ?", (*params, 1, found - 1))
    return Counted(found, span.cursor(tuple(last)))


def _length(stored: Any) -> int:
    return len(stored) if isinstance(stored, (str, bytes)) else 0


def _span(session: Session, layout: Layout, operation: ReadSlice | CountSlice) -> Span:
    unit = parts_of(operation.unit, "from", "to")
    low, high = _from_json(layout, unit["from"]), _from_json(layout, unit["to"])
    after, last = False, None
    if operation.cursor is not None:
        cursor = parts_of(operation.cursor, "after", "last")
        # In place of the unit's own bound: of two lower bounds SQLite would use either one.
        after, low, last = True, _from_json(layout, cursor["after"]), _from_json(layout, cursor["last"])
        if low is None:
            raise damaged()
    if high is None and last is None:
        last = _greatest(session, layout)
    return Span(low, after, high, last)


def _greatest(session: Session, layout: Layout) -> Place | None:
    order = ", ".join(f"{column.name} DESC" for column in layout.keys)
    found: Place | None = session.execute(
        f"SELECT {_names(layout)} FROM {layout.name} ORDER BY {order} LIMIT 1"
    ).fetchone()
    return found


def _compared(layout: Layout, operator: str, place: Place) -> Condition:
    return f"({_names(layout)}) {operator} ({', '.join('?' * len(place))})", place


# ---- text ----


def _to_json(place: Place | None) -> list[Any] | None:
    return None if place is None else [_plain(value) for value in place]


def _plain(value: Any) -> Any:
    return {"blob": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value


def _from_json(layout: Layout, stored: Any) -> Place | None:
    if stored is None:
        return None
    if not isinstance(stored, list) or len(stored) != len(layout.keys):
        raise damaged()
    return tuple(map(_value, stored))


def _value(stored: Any) -> Any:
    if isinstance(stored, (str, int, float)):
        return stored
    try:
        return base64.b64decode(stored["blob"], validate=True)
    except (ValueError, TypeError, KeyError):
        raise damaged() from None
