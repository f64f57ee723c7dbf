"""Slices one after the other, in the coordinator's own thread."""

from __future__ import annotations

from concurrent.futures import Future

from isthmus_migration.engines.base import Engine
from isthmus_migration.slices.worker import Setup, close_workers, run_slice
from isthmus_migration.tasks import SliceResult, SliceTask


class InlineEngine(Engine):
    """For tests, for small tables, and for debuggers."""

    name = "inline"
    in_process = True
    workers = 1
    window = 1

    def __init__(self) -> None:
        self._setup: Setup | None = None

    def start(self, setup: Setup) -> None:
        self._setup = setup

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        assert self._setup is not None
        future: Future[SliceResult] = Future()
        try:
            future.set_result(run_slice(self._setup, task))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self, *, wait: bool = True) -> None:
        close_workers()
