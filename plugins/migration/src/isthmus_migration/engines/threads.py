"""Slices in threads of this process."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import define, field

from isthmus.errors import Closed
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
        self._crew: _Crew | None = None

    def start(self, setup: Setup) -> None:
        self._crew = _Crew(setup)
        self._pool = ThreadPoolExecutor(self.workers, "isthmus-migration")

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        assert self._pool is not None
        assert self._crew is not None
        return self._pool.submit(self._crew.run, task)

    def close(self, *, wait: bool = True) -> None:
        pool, self._pool = self._pool, None
        crew, self._crew = self._crew, None
        if pool is not None:
            pool.shutdown(wait=wait, cancel_futures=True)
        if crew is not None:
            crew.leave()


@define(eq=False)
class _Crew:
    """What the threads of one run have opened. Threads end without a word, so it is closed for them."""

    setup: Setup
    _left: bool = field(default=False, init=False)
    _idle: set[Worker] = field(factory=set, init=False)
    _at_work: set[Worker] = field(factory=set, init=False)
    _turn: threading.Lock = field(factory=threading.Lock, init=False)

    def run(self, task: SliceTask) -> SliceResult:
        worker = worker_of(self.setup)
        try:
            self._take_up(worker)
            return run_slice(self.setup, task)
        finally:
            self._lay_down(worker)

    def _take_up(self, worker: Worker) -> None:
        with self._turn:
            if self._left:
                raise Closed("the run of this slice was ended: nothing of it is done")
            self._idle.discard(worker)
            self._at_work.add(worker)

    def _lay_down(self, worker: Worker) -> None:
        with self._turn:
            self._at_work.discard(worker)
            if not self._left:
                self._idle.add(worker)
                return
        worker.close()

    def leave(self) -> None:
        """Close what nobody works with, and let the others close theirs: nobody waits for them."""
        with self._turn:
            self._left = True
            idle, self._idle, at_work = self._idle, set(), list(self._at_work)
        for worker in idle:
            worker.close()
        for worker in at_work:
            # They can't be ended; but a write that comes late could meet a run, or a rollback, that came next.
            worker.target.give_up()
