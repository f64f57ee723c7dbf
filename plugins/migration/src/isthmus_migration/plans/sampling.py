"""A sample of a table: the first items of units that chance has chosen, so that it is spread over the table."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus_migration.places.base import Place

_SPREAD: Final = 20
"""So many units share a sample, while they have items enough."""
_BYTES: Final = 8_000_000
_EMPTY: Final = 1_000
"""A table whose units are mostly empty is not searched through for a few items."""


@frozen
class Taken:
    """A run of the sample.

    :param seconds: that reading it took
    :param last: whether the table has no more
    """

    slice: Slice
    seconds: float
    last: bool


def take_sample(place: Place, table: Table, units: Sequence[str], size: int, chance: random.Random) -> Iterator[Taken]:
    """Read about so many items, from units in random order, each from its beginning on.

    :param size: items, unreadable ones included
    """
    left: deque[tuple[str, str | None]] = deque((unit, None) for unit in chance.sample(list(units), len(units)))
    share, taken, empty = max(1, size // min(len(units), _SPREAD)), 0, 0
    while left and taken < size and empty < max(size, _EMPTY):
        unit, cursor = left.popleft()
        begun = time.perf_counter()
        found = place.read(table, unit, cursor, items=min(share, size - taken), size=_BYTES)
        seconds = time.perf_counter() - begun
        number = len(found.items) + len(found.unreadable)
        taken, empty = taken + number, empty + (not number)
        if found.cursor is not None:
            left.append((unit, found.cursor))
        yield Taken(found, seconds, not left)
