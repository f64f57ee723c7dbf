"""Waits between attempts at what a store turns away."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from isthmus.errors import IsthmusError

PATIENCE: Final = 60.0
"""Seconds for which what the store turns away is sent again, while it takes nothing, before the slice fails."""
_LONGEST_WAIT: Final = 2.0


class Waits:
    """Waits with jitter, which grow while nothing gets on, and an end to patience."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self._next = 0.05
        self._end = time.monotonic() + PATIENCE

    def wait(self, error: IsthmusError, *, progress: bool) -> None:
        if progress:
            self._end = time.monotonic() + PATIENCE
        elif time.monotonic() > self._end:
            raise error
        self._sleep(random.uniform(0, self._next))  # noqa: S311  # spreads callers, protects nothing
        if not progress:
            self._next = min(self._next * 2, _LONGEST_WAIT)
