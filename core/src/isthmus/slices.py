"""Reading whole tables in units side by side, each in slices that can be resumed: what a migration reads with.

A unit is a part of a table that one worker reads from its beginning to its end. All units of a division together hold
each item once, whatever is written meanwhile. A slice is a short run of a unit's items; its cursor says where the next
one begins, in any process. Units and cursors are text, so that a journal can keep them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from attrs import evolve, field, frozen

from isthmus.capabilities import Capability
from isthmus.errors import InvalidCursor
from isthmus.operations import Scan
from isthmus.results import Page, Unreadable
from isthmus.schema import Table
from isthmus.values import Item, dumps, loads

if TYPE_CHECKING:
    from isthmus.database import Database

DEFAULT_BYTES = 8_000_000
"""About how many bytes of items one slice holds."""


def _items(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(items)


@frozen
class Slice:
    """A run of a unit's items.

    :param cursor: where the next slice begins; ``None`` at the end of the unit
    :param unreadable: stored items that could not be read, in this run
    """

    items: tuple[Item, ...] = field(default=(), converter=_items)
    cursor: str | None = None
    unreadable: tuple[Unreadable, ...] = ()


class SliceReader(ABC):
    """Reads one table in units and slices; a backend that knows a better division than segments offers its own."""

    @abstractmethod
    def units(self, wanted: int) -> list[str]:
        """Divide the table.

        :param wanted: about how many units are wanted
        :return: at least one unit; the text means the same in every process, as long as the table exists
        """

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


class SegmentReader(SliceReader):
    """Reads segments of a scan, which every backend has (rule PAG-9 says that they are disjoint and whole)."""

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
            max_bytes=size, start=None if cursor is None else _position(cursor), report_unreadable=True,
        )  # fmt: skip
        page = cast("Page", self._database.execute(operation))
        following = None if page.position is None else dumps(page.position)
        return Slice(page.items, following, page.unreadable)


def slice_reader(database: Database, table: Table) -> SliceReader:
    """The reader that a plugin offers for a table, or one that reads segments.

    A database with layers that change or watch reads is always read through them.
    """
    offered = database.offered_slice_reader(table)
    return SegmentReader(database, table) if offered is None else offered


def _segment(unit: str) -> tuple[int, int]:
    try:
        parts = json.loads(unit)
        segment, segments = parts["segment"], parts["segments"]
    except (ValueError, TypeError, KeyError):
        raise _damaged() from None
    if type(segment) is not int or type(segments) is not int or not 0 <= segment < segments:
        raise _damaged()
    return segment, segments


def _position(cursor: str) -> Item:
    try:
        position = loads(cursor)
    except Exception:
        raise _damaged() from None
    if not isinstance(position, dict):
        raise _damaged()
    return position


def _damaged() -> InvalidCursor:
    return InvalidCursor("a unit or cursor of a slice is damaged, or another reader's: plan the migration again")
