"""Slices in threads of this process."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from isthmus_migration.engines.base import Engine
from isthmus_migration.slices.worker import Setup, Worker, run_slice, worker_of
from isthmus_migration.tasks import SliceResult, SliceTask


class ThreadEngine(Engine):
    """For stores whose answers take longer than Python's part of the work, and for databases that are open already."""

    name = "threads"
    in_process = True

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._setup: Setup | None = None
        self._opened: set[Worker] = set()

    def start(self, setup: Setup) -> None:
        self._setup = setup
        self._pool = ThreadPoolExecutor(self.workers, "isthmus-migration")

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        assert self._pool is not None
        return self._pool.submit(self._run, task)

    def _run(self, task: SliceTask) -> SliceResult:
        assert self._setup is not None
        self._opened.add(worker_of(self._setup))
        return run_slice(self._setup, task)

    def close(self, *, wait: bool = True) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)
            self._pool = None
        while wait and self._opened:
            # Threads end without a word, so what they opened is closed for them.
            self._opened.pop().close()
        for worker in list(self._opened):
            # They can't be ended; but a write that comes late could meet a run, or a rollback, that came next.
            worker.target.give_up()
