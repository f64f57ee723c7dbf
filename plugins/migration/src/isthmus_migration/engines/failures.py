"""What becomes of a slice that nobody ended: its worker died, or the engine was lost with all its slices."""

from __future__ import annotations

from typing import ClassVar

from isthmus_migration.errors import MigrationError


class WorkerDied(MigrationError):
    """A worker ended while it did a slice; perhaps because of it, perhaps not.

    :param deaths: how many workers ended that way
    """

    code: ClassVar[str] = "worker_died"

    def __init__(self, message: str, *, deaths: int = 1) -> None:
        super().__init__(message)
        self.deaths = deaths


class EngineLost(MigrationError):
    """The engine can't be reached; slices that it had may or may not be done, and nothing can be handed out."""

    code: ClassVar[str] = "engine_lost"
    retryable = True


class WorkersFail(MigrationError):
    """Workers end before they take a slice: no item is to blame, and it is no use to start more of them."""

    code: ClassVar[str] = "workers_fail"
