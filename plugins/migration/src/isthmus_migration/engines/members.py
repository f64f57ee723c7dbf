"""One worker process and the thread that feeds it.

Each process has a pipe of its own, so it is known exactly what a dead one was doing: a slice is suspected only if its
worker had begun it. Others go on undisturbed, and a worker that hangs can be ended alone.
"""

from __future__ import annotations

import gc
import pickle
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any, Final

from isthmus_migration.engines.failures import WorkerDied, WorkersFail
from isthmus_migration.engines.origins import note_origin
from isthmus_migration.engines.spawning import ENDING_SECONDS, GONE, STARTING_SECONDS, buried, ending, heard, spawned
from isthmus_migration.errors import MigrationError
from isthmus_migration.slices.collector import collector_paused
from isthmus_migration.slices.worker import Setup, close_workers, run_slice, worker_of
from isthmus_migration.tasks import SliceResult, SliceTask

Job = tuple[Future[SliceResult], SliceTask]
Jobs = SimpleQueue[Job | None]

_VAIN_STARTS: Final = 20
"""So many processes in a row may be killed before they take a slice."""
_VAIN_EXITS: Final = 3
"""So many may end by themselves."""
_TAKING: Final = 30.0
"""Seconds that one which is ready may take to say that it has its slice."""
_spawning = threading.Lock()


class Member(threading.Thread):
    """Takes jobs one after the other, and starts a new process whenever the former has died.

    :param delay: seconds until it begins
    """

    def __init__(self, number: int, setup: Setup, jobs: Jobs, *, delay: float = 0.0) -> None:
        super().__init__(name=f"isthmus-worker-{number}", daemon=True)
        self._setup = setup
        self._jobs = jobs
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._begun: float | None = None
        self._closing = False
        self._delay = delay
        self._leaving = threading.Event()
        self._early = True
        self._killed = self._exited = 0

    def run(self) -> None:
        """Take jobs until there is an end mark."""
        if self._leaving.wait(self._delay):
            return
        # It starts up while nothing is asked of it yet; what is in its way is told to the first job.
        try:
            self._ready_pipe()
        except Exception:
            self._buried()
        self._early = False
        while (job := self._jobs.get()) is not None:
            self._do(*job)
        if self._pipe is not None:
            self._pipe.close()
            self._buried(wait=ENDING_SECONDS)

    def leave(self) -> None:
        """Take no more jobs than the one at work; a process that is only starting up is not waited for."""
        self._leaving.set()
        self._jobs.put(None)
        if self._early:
            self.kill(closing=True)

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        process = self._process
        return process.pid if process is not None else None

    def kill(self, *, closing: bool) -> None:
        """End the process at once.

        :param closing: whether no other is to follow
        """
        with _spawning:
            self._closing = self._closing or closing
            process = self._process  # its thread may bury it meanwhile
            if process is not None:
                process.kill()

    def overdue(self, seconds: float) -> None:
        """End the process if its slice has taken longer than that."""
        begun = self._begun
        if begun is not None and time.monotonic() - begun > seconds:
            self.kill(closing=False)

    # ---- one job ----

    def _do(self, future: Future[SliceResult], task: SliceTask) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            pipe = self._begin(task)
            future.set_result(self._result(pipe))
        except Exception as error:
            future.set_exception(error)

    def _begin(self, task: SliceTask) -> Connection:
        """Hand the slice to a process that takes it up; one that dies before that has nothing to do with it."""
        while True:
            try:
                pipe = self._ready_pipe()
                pipe.send(task)
                heard(pipe, _TAKING)
            except GONE:
                self._note_vain(self._buried())
            else:
                self._begun, self._killed, self._exited = time.monotonic(), 0, 0
                return pipe

    def _note_vain(self, code: int | None) -> None:
        killed = code is None or code < 0
        self._killed, self._exited = self._killed + killed, self._exited + (not killed)

    def _result(self, pipe: Connection) -> SliceResult:
        try:
            done, data = pipe.recv()
        except GONE:
            raise WorkerDied(f"its worker ended {ending(self._buried())}") from None
        finally:
            self._begun = None
        result: Any = pickle.loads(data)  # noqa: S301  # made by a process of ours
        if not done:
            raise result
        assert isinstance(result, SliceResult)
        return result

    # ---- the process ----

    def _ready_pipe(self) -> Connection:
        """The pipe of a process that has started up.

        :raises WorkersFail: none does
        """
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._buried()
        if self._killed >= _VAIN_STARTS or self._exited >= _VAIN_EXITS:
            raise WorkersFail(
                "worker processes end as soon as they start: see what they wrote to the standard error; a script that "
                'starts a migration needs `if __name__ == "__main__":` around it'
            )
        pipe = self._spawned()
        # As an argument of the process it would keep this one for ever, should the new one die before it has read it:
        # plans are larger than what a pipe takes without a reader.
        pipe.send(self._setup)
        heard(pipe, STARTING_SECONDS)
        return pipe

    def _spawned(self) -> Connection:
        with _spawning:
            if self._closing:
                raise WorkerDied("the engine was closed")
            self._process, self._pipe = spawned(_work)
        return self._pipe

    def _buried(self, *, wait: float = 0.2) -> int | None:
        """End what is left of the process; its exit code, negative for a signal.

        :param wait: seconds for which it may end by itself
        """
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        return buried(process, pipe, wait)


def _work(pipe: Connection) -> None:
    """What a worker process does: slices, until its coordinator closes the pipe."""
    with suppress(*GONE):
        setup: Setup = pipe.recv()
        with collector_paused(), suppress(Exception):
            worker_of(setup)  # where a place can't be opened, the first slice says so
        gc.freeze()
        pipe.send(True)
        while True:
            task: SliceTask = pipe.recv()
            pipe.send(True)
            pipe.send(_outcome(setup, task))
    close_workers()


def _outcome(setup: Setup, task: SliceTask) -> tuple[bool, bytes]:
    try:
        return True, pickle.dumps(run_slice(setup, task), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return False, portable(error)


def portable(error: Exception) -> bytes:
    """The error pickled; where it would not survive that, one that tells of it."""
    note_origin(error)
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # noqa: S301  # made in this line
    except Exception:
        return pickle.dumps(MigrationError(f"a worker failed with {type(error).__name__}, which can't be sent on"))
    return data
