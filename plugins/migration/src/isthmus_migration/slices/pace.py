"""Keeping to the rates that a slice was given."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from isthmus_migration.tasks import Budget

READ_UNIT: Final = 4_096
WRITE_UNIT: Final = 1_024
_LONGEST: Final = 10.0
"""Seconds that a slice waits at most: it must not seem to hang, and whoever says pause or stop is not to wait."""


class Pace:
    """Waits after work until the rates of a budget allow more; rates hold for a slice as a whole.

    :ivar waited: seconds that it has waited
    :ivar owed: seconds that it should have waited beyond that: one large item may be worth an hour of a low rate
    """

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
        self.waited = self.owed = 0.0

    @property
    def seconds(self) -> float:
        """How long the slice has taken so far."""
        return self._clock() - self._begun

    def keep(self, items: int, size: int) -> None:
        """Wait until that much was allowed since the slice began, but not for long."""
        due = self._due(items, size) - self.seconds
        if due > 0:
            wait = min(due, _LONGEST)
            self._sleep(wait)
            self.waited += wait
            self.owed = due - wait

    def _due(self, items: int, size: int) -> float:
        budget, mean = self._budget, size / items if items else 0
        reads, writes = (items * max(1, -(-mean // unit)) for unit in (READ_UNIT, WRITE_UNIT))
        rates = (
            (items, budget.items_per_second), (size, budget.bytes_per_second), (reads, budget.read_units),
            (writes, budget.write_units),
        )  # fmt: skip
        return max((amount / rate for amount, rate in rates if rate), default=0.0)
