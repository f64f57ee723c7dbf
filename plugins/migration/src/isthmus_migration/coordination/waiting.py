"""Units that wait until a place can be used again."""

from __future__ import annotations

import random
import time
from typing import Final

from attrs import define, field

from isthmus.errors import IsthmusError, PermissionDenied, Unauthenticated
from isthmus_migration.journal.journal import UnitState

_LONGEST: Final = 5.0


def is_passing(error: BaseException) -> bool:
    """Whether a failed slice may succeed later: the store is away, is busy, or credentials are being renewed."""
    if isinstance(error, Unauthenticated | PermissionDenied):
        return True
    return isinstance(error, IsthmusError) and error.retryable


@define
class Waiting:
    """Units with the time at which each is tried again.

    :param patience: seconds without any success after which it is no use to go on
    """

    patience: float
    units: list[tuple[float, UnitState]] = field(factory=list, init=False)
    reason: str = field(default="", init=False)
    _since: float | None = field(default=None, init=False)
    _wait: float = field(default=0.2, init=False)

    @property
    def exhausted(self) -> bool:
        """Whether nothing has succeeded for too long."""
        return self._since is not None and time.monotonic() - self._since > self.patience

    def add(self, state: UnitState, reason: str) -> None:
        """Let a unit wait; the waits grow until something succeeds."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self.reason = reason
        self.units.append((now + self._wait * random.uniform(0.5, 1.0), state))  # noqa: S311  # spreads retries
        self._wait = min(self._wait * 1.5, _LONGEST)

    def due(self) -> list[UnitState]:
        """The units whose time has come, taken out."""
        now = time.monotonic()
        due = [state for when, state in self.units if when <= now]
        self.units = [(when, state) for when, state in self.units if when > now]
        return due

    def succeeded(self) -> None:
        """Something worked: patience begins anew, and so do the waits."""
        self._since, self._wait = None, 0.2
