"""Reading whole tables in units side by side, each in slices that can be resumed: what a migration reads with.

A unit is a part of a table that one worker reads from its beginning to its end. All units of a division together hold
each item once, whatever is written meanwhile. A slice is a short run of a unit's items; its cursor says where the next
one begins, in any process. Units and cursors are text, so that a journal can keep them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve, field, frozen

from isthmus.capabilities import Capability
from isthmus.errors import InvalidCursor, InvalidStoredValue, UnsupportedOperation
from isthmus.operations import Get, Scan, TableOperation
from isthmus.results import GetResult, Page, Result, Unreadable
from isthmus.schema import Table
from isthmus.values import Item, dumps, loads

if TYPE_CHECKING:
    from isthmus.database import Database

DEFAULT_BYTES = 8_000_000
"""About how many bytes of items one slice holds."""


def _items(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(items)


def _unreadable(found: Iterable[Unreadable]) -> tuple[Unreadable, ...]:
    return tuple(found)


def _units(units: Iterable[str]) -> tuple[str, ...]:
    return tuple(units)


@frozen
class Slice(Result):
    """A run of a unit's items.

    :param cursor: where the next slice begins; ``None`` at the end of the unit
    :param unreadable: stored items that could not be read, in this run
    :param held: only for readers: keys of items that a transaction of the core's holds, each to be read by itself
    """

    items: tuple[Item, ...] = field(default=(), converter=_items)
    cursor: str | None = None
    unreadable: tuple[Unreadable, ...] = field(default=(), converter=_unreadable)
    held: tuple[Item, ...] = field(default=(), converter=_items)


@frozen
class Counted(Result):
    """How many items a run of a unit holds, unreadable ones included.

    :param cursor: where the next run begins, for counting; ``None`` at the end of the unit
    :param held: only for readers: as in a ``Slice``; they are not in ``count``
    """

    count: int = 0
    cursor: str | None = None
    held: tuple[Item, ...] = field(default=(), converter=_items)


@frozen
class Facts(Result):
    """What a store says of a table without reading all of it: about right, and perhaps hours old.

    :param items: about how many items it has; ``None`` where the store can't tell, here and below
    :param size: about how many bytes they take, by the store's own way of counting
    """

    items: int | None = None
    size: int | None = None


class SliceReader(ABC):
    """Reads one table in units and slices; a backend that knows a better division than segments offers its own."""

    @abstractmethod
    def units(self, wanted: int) -> list[str]:
        """Divide the table.

        :param wanted: about how many units are wanted
        :return: at least one unit; the text means the same in every process, as long as the table exists
        """

    def facts(self, *, timeout: float | None = None) -> Facts:
        """What the store knows of the table without reading it; nothing unless a reader says more.

        :param timeout: seconds
        """
        return Facts()

    @abstractmethod
    def read(
        self, unit: str, cursor: str | None, *, items: int, size: int = DEFAULT_BYTES, timeout: float | None = None
    ) -> Slice:
        """Read the items of a unit after a cursor, or its first ones.

        :param items: at most this many, unreadable ones included; at least one unless the unit is at its end
        :param size: about how many bytes of items, at most
        :param timeout: seconds
        :raises InvalidCursor: unit or cursor are damaged, or another reader's
        """

    def count(self, unit: str, cursor: str | None, *, items: int, timeout: float | None = None) -> Counted:
        """Count the items of a unit after a cursor of ``count``, or its first ones.

        That reads them, unless a reader knows a way that costs less.

        :param items: about this many; more, where the store counts many at once
        :param timeout: seconds
        :raises InvalidCursor: unit or cursor are damaged, or another reader's
        """
        found = self.read(unit, cursor, items=items, timeout=timeout)
        return Counted(len(found.items) + len(found.unreadable), found.cursor)


class SegmentReader(SliceReader):
    """Reads segments of a scan, which every backend has (rule PAG-9 says that they are disjoint and whole).

    Scans promise no order and no last key, so a segment that grows behind its end as fast as it is read is followed.
    """

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = evolve(table, version=None, created_at=None, updated_at=None)

    def units(self, wanted: int) -> list[str]:
        parallel = self._database.capabilities.supports(Capability.PARALLEL_SCAN)
        count = max(wanted, 1) if parallel else 1
        return [json.dumps({"segment": number, "segments": count}) for number in range(count)]

    def read(
        self, unit: str, cursor: str | None, *, items: int, size: int = DEFAULT_BYTES, timeout: float | None = None
    ) -> Slice:
        segment, segments = _segment(unit)
        operation = Scan(
            self._database.context(timeout), self._table, segment=segment, segments=segments, limit=items,
            max_bytes=size, start=None if cursor is None else _position(self._table, cursor), report_unreadable=True,
        )  # fmt: skip
        page = cast("Page", self._database.execute(operation))
        return Slice(page.items, _following(page), page.unreadable)

    def count(self, unit: str, cursor: str | None, *, items: int, timeout: float | None = None) -> Counted:
        segment, segments = _segment(unit)
        operation = Scan(
            self._database.context(timeout), self._table, segment=segment, segments=segments, select="count",
            start=None if cursor is None else _position(self._table, cursor),
        )  # fmt: skip
        try:
            page = cast("Page", self._database.execute(operation))
        except (InvalidStoredValue, UnsupportedOperation):  # where a backend can't count, it still can read
            return super().count(unit, cursor, items=items, timeout=timeout)
        return Counted(page.count, _following(page))


def _following(page: Page) -> str | None:
    return None if page.position is None else dumps(page.position)


# ---- readers that a backend carries out ----


@frozen
class DivideTable(TableOperation):
    """Divide a table into about so many units. Only for a backend whose plugin offers a ``BackendReader``."""

    kind = "divide_table"

    wanted: int = 1

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.SCAN,)


@frozen
class Units(Result):
    """The units of a table; see ``SliceReader.units``."""

    units: tuple[str, ...] = field(converter=_units)


@frozen
class ReadSlice(TableOperation):
    """Read a slice, answered by a ``Slice``. Only for a backend whose plugin offers a ``BackendReader``.

    The backend raises ``damaged()`` for a unit or a cursor that it did not give.
    """

    kind = "read_slice"

    unit: str = ""
    cursor: str | None = None
    items: int = 1
    size: int = DEFAULT_BYTES

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.SCAN,)


@frozen
class CountSlice(TableOperation):
    """Count a run of a unit, answered by ``Counted``. Only for a backend whose plugin offers a ``BackendReader``.

    :param items: about this many; a backend may count more at once
    """

    kind = "count_slice"

    unit: str = ""
    cursor: str | None = None
    items: int = 1

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.SCAN,)


@frozen
class AskFacts(TableOperation):
    """What a store knows of a table, answered by ``Facts``. Only for a backend whose plugin offers such a reader."""

    kind = "ask_facts"

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.SCAN,)


class CountedSegments(SegmentReader):
    """Reads segments of a backend that answers ``AskFacts``."""

    def facts(self, *, timeout: float | None = None) -> Facts:
        return _facts(self._database, self._table, timeout)


class BackendReader(SliceReader):
    """Reads a table of a backend that answers ``DivideTable``, ``ReadSlice``, ``CountSlice`` and ``AskFacts``.

    They are sent beneath all layers, with the retries, deadlines and errors of other operations.
    """

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = evolve(table, version=None, created_at=None, updated_at=None)

    def units(self, wanted: int) -> list[str]:
        division = DivideTable(self._database.context(None), self._table, max(wanted, 1))
        return list(cast("Units", self._database.dispatch(division)).units)

    def read(
        self, unit: str, cursor: str | None, *, items: int, size: int = DEFAULT_BYTES, timeout: float | None = None
    ) -> Slice:
        context = self._database.context(timeout)
        found = cast("Slice", self._database.dispatch(ReadSlice(context, self._table, unit, cursor, items, size)))
        return self._settled(found, timeout) if found.held else found

    def count(self, unit: str, cursor: str | None, *, items: int, timeout: float | None = None) -> Counted:
        context = self._database.context(timeout)
        found = cast("Counted", self._database.dispatch(CountSlice(context, self._table, unit, cursor, items)))
        if not found.held:
            return found
        held = self._settled(Slice(held=found.held), timeout)
        return Counted(found.count + len(held.items) + len(held.unreadable), found.cursor)

    def facts(self, *, timeout: float | None = None) -> Facts:
        return _facts(self._database, self._table, timeout)

    def _settled(self, found: Slice, timeout: float | None) -> Slice:
        """The slice with the images that count of what transactions held: the core knows them, the backend does not."""
        items, unreadable = list(found.items), list(found.unreadable)
        for key in found.held:
            get = Get(self._database.context(timeout), self._table, key)
            try:
                item = cast("GetResult", self._database.execute(get)).item
            except InvalidStoredValue as error:
                unreadable.append(Unreadable(error, key))
            else:
                items += [] if item is None else [item]
        return Slice(items, found.cursor, unreadable)


def _facts(database: Database, table: Table, timeout: float | None) -> Facts:
    return cast("Facts", database.dispatch(AskFacts(database.context(timeout), table)))


def slice_reader(database: Database, table: Table) -> SliceReader:
    """The reader that a plugin offers for a table, or one that reads segments.

    A database with layers that handle scans is always read through them.

    :raises Closed: the database was closed
    """
    offered = database.offered_slice_reader(table)
    return SegmentReader(database, table) if offered is None else offered


def _segment(unit: str) -> tuple[int, int]:
    parts = parts_of(unit, "segment", "segments")
    segment, segments = parts["segment"], parts["segments"]
    if type(segment) is not int or type(segments) is not int or not 0 <= segment < segments:
        raise damaged()
    return segment, segments


def _position(table: Table, cursor: str) -> Item:
    try:
        position = loads(cursor)
    except Exception:
        raise damaged() from None
    if not isinstance(position, dict) or set(position) != set(table.key_names):
        raise damaged()
    return position


def parts_of(text: str, *names: str) -> dict[str, Any]:
    """The parts of a unit or a cursor that is a JSON object with exactly these names; for readers.

    :raises InvalidCursor: it is anything else
    """
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        raise damaged() from None
    if not isinstance(parts, dict) or set(parts) != set(names):
        raise damaged()
    return parts


def damaged() -> InvalidCursor:
    """The error for a unit or a cursor that can't be read."""
    return InvalidCursor("a unit or cursor of a slice is damaged, or another reader's: plan the migration again")
