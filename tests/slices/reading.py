"""Reading whole tables as a migration does: unit by unit, each slice by a reader of its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, field

from isthmus import Database, Table
from isthmus.results import Unreadable
from isthmus.slices import Slice, SliceReader, slice_reader

_ENDLESS = 1_000


@define
class Reading:
    """What was read.

    :ivar items: how often each item was read, by its key's values
    :ivar unreadable: what could not be read
    :ivar largest: the most items, unreadable ones included, that a slice held
    """

    items: Counter[tuple[Any, ...]] = field(factory=Counter)
    unreadable: list[Unreadable] = field(factory=list)
    units: int = 0
    slices: int = 0
    largest: int = 0


def read_all(
    database: Database, table: Table, *, wanted: int, items: int, chance: random.Random, size: int = 8_000_000,
    between: Callable[[Slice], None] = lambda _found: None,
    reader_of: Callable[[Database, Table], SliceReader] = slice_reader,
) -> Reading:  # fmt: skip
    """Read each unit to its end, units in any order and mixed.

    :param between: called after each slice, with it
    """
    left: dict[str, str | None] = dict.fromkeys(reader_of(database, table).units(wanted))
    reading = Reading(units=len(left))
    while left:
        unit = chance.choice(sorted(left))
        found = reader_of(database, table).read(unit, left[unit], items=items, size=size)
        reading.items.update(tuple(item[name] for name in table.key_names) for item in found.items)
        reading.unreadable += found.unreadable
        reading.slices += 1
        reading.largest = max(reading.largest, len(found.items) + len(found.unreadable))
        left[unit] = found.cursor
        if found.cursor is None:
            del left[unit]
        between(found)
        assert reading.slices < _ENDLESS, "no end in sight"
    return reading


def count_all(
    database: Database, table: Table, *, wanted: int, items: int,
    reader_of: Callable[[Database, Table], SliceReader] = slice_reader,
) -> list[int]:  # fmt: skip
    """The counts of all runs of all units, each by a reader of its own."""
    counts: list[int] = []
    for unit in reader_of(database, table).units(wanted):
        cursor: str | None = None
        while True:
            found = reader_of(database, table).count(unit, cursor, items=items)
            counts.append(found.count)
            cursor = found.cursor
            if cursor is None:
                break
            assert len(counts) < _ENDLESS, "no end in sight"
    return counts
