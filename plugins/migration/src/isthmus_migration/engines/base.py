"""What the coordinator needs of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import Self

from isthmus_migration.slices.worker import Setup
from isthmus_migration.tasks import SliceResult, SliceTask


class Engine(ABC):
    """Runs slices; a context manager. It keeps no state that matters: the journal has it all.

    :param workers: how many slices run at the same time
    """

    name: str
    workers: int

    @abstractmethod
    def start(self, setup: Setup) -> None:
        """Begin to take slices."""

    @abstractmethod
    def submit(self, task: SliceTask) -> Future[SliceResult]:
        """Run a slice; its future is one of ``concurrent.futures``."""

    @abstractmethod
    def close(self, *, wait: bool = True) -> None:
        """Let go of all workers.

        :param wait: whether slices at work may end first
        """

    def killed(self, error: BaseException) -> bool:
        """Whether the error says that a slice's worker died."""
        return False

    def broken(self, error: BaseException) -> bool:
        """Whether the error says that nothing more can be submitted before ``rebuild``."""
        return False

    def rebuild(self) -> None:  # noqa: B027  # most engines don't break
        """Start anew after ``broken``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self.close(wait=kind is None)
