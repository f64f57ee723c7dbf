"""Leases: how long others wait for a pending transaction.

They are for politeness only: whether a transaction is applied never depends on a clock.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field

from isthmus.fallback.records import Record

Sighting = tuple[str, bytes, int]

GRACE = 0.5
"""Seconds beyond its lease that a record must have been seen unchanged."""
CLOCK_DOUBT = 2.0
"""Seconds by which the wall clocks of two clients may differ."""
SECOND_LOOK = 0.25
"""Seconds that a record whose lease has run out by the wall clock must have been seen unchanged."""
_REMEMBERED = 1_024


@define
class Leases:
    """What one process has seen of the leases of others.

    :param monotonic: seconds that never go back
    :param wall: seconds since the epoch, by which a newcomer knows a lease that ended long ago
    """

    wall: Callable[[], float]
    monotonic: Callable[[], float] = time.monotonic
    _seen: OrderedDict[Sighting, float] = field(factory=OrderedDict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def run_out(self, record: Record) -> bool:
        """Whether a pending transaction may be stopped; noted as seen otherwise."""
        unchanged = self.monotonic() - self._first_seen((record.id, record.attempt, record.beat))
        if unchanged >= record.lease_ms / 1000 + GRACE:
            return True
        return unchanged >= SECOND_LOOK and self.overdue(record)

    def overdue(self, record: Record) -> bool:
        """Whether the lease ended long ago by the wall clock, which may be wrong."""
        return self.wall() > record.lease_until / 1000 + CLOCK_DOUBT

    def _first_seen(self, sighting: Sighting) -> float:
        with self._lock:
            first = self._seen.setdefault(sighting, self.monotonic())
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return first
