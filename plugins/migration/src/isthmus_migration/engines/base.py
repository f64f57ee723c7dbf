"""What the coordinator needs of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import Self

from isthmus_migration.slices.worker import Setup
from isthmus_migration.tasks import SliceResult, SliceTask


class Engine(ABC):
    """Runs slices; a context manager. It keeps no state that matters: the journal has it all.

    A slice's future ends with ``WorkerDied`` where a worker ended over it, and with ``EngineLost`` where the engine
    went away, then all of them end; any other error is the slice's own.

    :param workers: how many slices run at the same time
    :param window: how many are handed out at most, so that no worker waits for its next one
    :ivar in_process: whether workers are threads of this process, so that they can use databases that are open in it
    """

    name: str
    workers: int
    in_process: bool = False

    @property
    def window(self) -> int:
        """How many slices are handed out at the same time."""
        return 2 * self.workers

    @abstractmethod
    def start(self, setup: Setup) -> None:
        """Begin to take slices."""

    @abstractmethod
    def submit(self, task: SliceTask) -> Future[SliceResult]:
        """Run a slice; its future is one of ``concurrent.futures``.

        :raises EngineLost: ``rebuild`` has to come first
        """

    @abstractmethod
    def close(self, *, wait: bool = True) -> None:
        """Let go of all workers.

        :param wait: whether slices at work may end first
        """

    def overdue(self, seconds: float) -> None:  # noqa: B027  # threads can't be ended
        """End workers whose slice has taken longer than that, so that their futures end with ``WorkerDied``."""

    def rebuild(self) -> None:  # noqa: B027  # most engines can't be lost
        """Start anew after ``EngineLost``.

        :raises EngineLost: it can't be reached yet
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self.close(wait=kind is None)
