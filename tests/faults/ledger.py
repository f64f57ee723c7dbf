"""What writers were told, held against what is stored in the end: nothing lost, nothing invented, everything once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from attrs import define, field

from isthmus.errors import IsthmusError

GRACE = 5.0
"""How much longer than its deadline a call may take on a busy machine, seconds; without one it would last longer."""


@define
class Outcomes:
    """The names of writes, by what their callers were told."""

    acknowledged: set[str] = field(factory=set)
    failed: set[str] = field(factory=set)
    unknown: set[str] = field(factory=set)

    def note(self, name: str, error: IsthmusError | None) -> None:
        """Write down how a call ended."""
        if error is None:
            self.acknowledged.add(name)
        elif error.maybe_applied:
            self.unknown.add(name)
        else:
            self.failed.add(name)


@define
class Ledger:
    """What all writers of a run were told.

    :param items: writes that each make an item
    :param additions: writes that each add one to a counter
    :param longest: duration of the longest call, seconds
    """

    items: Outcomes = field(factory=Outcomes)
    additions: Outcomes = field(factory=Outcomes)
    longest: float = 0.0
    _lock: threading.Lock = field(factory=threading.Lock)

    def call(self, outcomes: Outcomes, name: str, write: Callable[[], Any]) -> None:
        """Make a call and write down how it ended."""
        begun, failure = time.monotonic(), None
        try:
            write()
        except IsthmusError as error:
            failure = error
        took = time.monotonic() - begun
        with self._lock:
            outcomes.note(name, failure)
            self.longest = max(self.longest, took)

    def violations(self, stored: AbstractSet[str], counter: int, deadline: float) -> list[str]:
        """What contradicts the guarantees; empty when all of them held."""
        least = len(self.additions.acknowledged)
        most = least + len(self.additions.unknown)
        rules = {
            "an acknowledged item is lost": self.items.acknowledged <= stored,
            "an item that failed is there": not self.items.failed & stored,
            "an item is there that nobody wrote": stored <= self.items.acknowledged | self.items.unknown,
            "an acknowledged addition is lost": counter >= least,
            "an addition happened twice, or although it failed": counter <= most,
            "a call lasted too long": self.longest <= deadline + GRACE,
        }
        return [text for text, holds in rules.items() if not holds]
