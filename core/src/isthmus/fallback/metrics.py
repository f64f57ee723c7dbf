"""What the core's transactions measure; nothing of keys or values."""

from __future__ import annotations

from typing import Final

from isthmus.metrics import MetricDescription

ATTEMPTS: Final = MetricDescription(
    "isthmus.fallback.attempts", "histogram", "1", "attempts of one transaction until its end", ("backend",)
)
LOCK_WAIT: Final = MetricDescription(
    "isthmus.fallback.lock_wait", "histogram", "s", "time of one wait for another's transaction", ("backend",)
)
STOPPED: Final = MetricDescription(
    "isthmus.fallback.stopped", "counter", "1", "transactions stopped after their lease had run out", ("backend",)
)
SETTLED: Final = MetricDescription(
    "isthmus.fallback.settled", "counter", "1", "items of others that were taken forward or back", ("backend", "image")
)
UNKNOWN: Final = MetricDescription(
    "isthmus.fallback.unknown", "counter", "1", "commits whose outcome stayed unknown", ("backend",)
)
PINNED: Final = MetricDescription(
    "isthmus.fallback.pinned", "counter", "1", "transactional reads that held items for a moment", ("backend",)
)
DESCRIPTIONS: Final = (ATTEMPTS, LOCK_WAIT, STOPPED, SETTLED, UNKNOWN, PINNED)
