"""Keeping to the rates that a slice was given."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from isthmus_migration.tasks import Budget

READ_UNIT: Final = 4_096
WRITE_UNIT: Final = 1_024


class Pace:
    """Waits after work until the rates of a budget allow more; rates hold for a slice as a whole."""

    def __init__(
        self,
        budget: Budget,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._begun = clock()
        self.waited = 0.0

    @property
    def seconds(self) -> float:
        """How long the slice has taken so far."""
        return self._clock() - self._begun

    def keep(self, items: int, size: int) -> None:
        """Wait until that much was allowed since the slice began."""
        due = self._due(items, size)
        wait = due - self.seconds
        if wait > 0:
            self._sleep(wait)
            self.waited += wait

    def _due(self, items: int, size: int) -> float:
        budget, mean = self._budget, size / items if items else 0
        reads, writes = (items * max(1, -(-mean // unit)) for unit in (READ_UNIT, WRITE_UNIT))
        rates = (
            (items, budget.items_per_second), (size, budget.bytes_per_second), (reads, budget.read_units),
            (writes, budget.write_units),
        )  # fmt: skip
        return max((amount / rate for amount, rate in rates if rate), default=0.0)
