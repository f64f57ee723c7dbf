"""Units that wait until a place can be used again."""

from __future__ import annotations

import random
import time
from typing import Final

from attrs import define, field

from isthmus.errors import (
    Conflict,
    DeadlineExceeded,
    IsthmusError,
    OutcomeUnknown,
    PermissionDenied,
    Unauthenticated,
)  # fmt: skip

_FIRST: Final = 0.2
_LONGEST: Final = 5.0
_PASSING: Final = (Unauthenticated, PermissionDenied, OutcomeUnknown, DeadlineExceeded, Conflict)


def is_passing(error: BaseException) -> bool:
    """Whether a failed slice may succeed later: the store is away, is busy, or credentials are being renewed.

    A slice may be done twice, so it may be done again where nobody knows what became of it.
    """
    return isinstance(error, _PASSING) or (isinstance(error, IsthmusError) and error.retryable)


@define
class Waiting:
    """Names of units with the time at which each is tried again.

    :param patience: seconds without any success after which it is no use to go on
    :param exhausted: whether it has come to that: it is judged when something fails, so a pause costs no patience
    """

    patience: float
    reason: str = field(default="", init=False)
    exhausted: bool = field(default=False, init=False)
    _units: dict[str, float] = field(factory=dict, init=False)
    _waits: dict[str, float] = field(factory=dict, init=False)
    _since: float | None = field(default=None, init=False)

    def __bool__(self) -> bool:
        return bool(self._units)

    @property
    def troubled(self) -> bool:
        """Whether something has failed, and nothing has succeeded since."""
        return self._since is not None

    def failed(self, reason: str) -> None:
        """Learn that something could not be done for now."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self.exhausted = now - self._since > self.patience
        self.reason = reason

    def add(self, unit: str, reason: str) -> None:
        """Let a unit wait; its waits grow until a slice of it succeeds."""
        self.failed(reason)
        wait = self._waits.get(unit, _FIRST)
        self._waits[unit] = min(wait * 1.5, _LONGEST)
        self._units[unit] = time.monotonic() + wait * random.uniform(0.5, 1.0)  # noqa: S311  # spreads retries

    def due(self) -> list[str]:
        """The units whose time has come, taken out."""
        now = time.monotonic()
        due = [unit for unit, when in self._units.items() if when <= now]
        for unit in due:
            del self._units[unit]
        return due

    def succeeded(self, unit: str) -> None:
        """A slice of this unit was done: patience begins anew, and so do its waits."""
        self._since, self.exhausted = None, False
        self._waits.pop(unit, None)
