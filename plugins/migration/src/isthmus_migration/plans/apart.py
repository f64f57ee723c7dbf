"""Trying a transform's function on a sample in a process of its own: what ends that process must not end the planner.

Transforms without a function can't do that, and stay where they are.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from attrs import define, evolve

from isthmus.capabilities import Limits
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.engines.failures import WorkersFail
from isthmus_migration.engines.members import portable
from isthmus_migration.engines.spawning import ENDING_SECONDS, GONE, STARTING_SECONDS, buried, ending, heard, spawned
from isthmus_migration.errors import MigrationError
from isthmus_migration.transforms import CompiledTransform, Transform, TransformError, compile_transform

CODE: Final = "worker_died"
"""Of the dead letter that such an item becomes in a run."""
_MOST_DEATHS: Final = 5
"""A function that has ended so many processes is not tried on more items: each takes a new process."""
_STARTS: Final = 3
_ITEM_SECONDS: Final = 60.0


class Untried(MigrationError):
    """The function has ended so many processes that the rest of the sample was not tried."""

    code: ClassVar[str] = "sample_ended"


@define
class Trial:
    """A transform for trying items.

    :param transform: called with an item that ends its process, or that it hangs over, it raises ``TransformError``
    """

    transform: CompiledTransform
    _process: _Process | None = None

    @property
    def overhead(self) -> float:
        """Seconds that went into processes and pipes so far, and not into the transform."""
        return 0.0 if self._process is None else self._process.overhead


@contextmanager
def apart(compiled: CompiledTransform, source: Table, limits: Limits) -> Iterator[Trial]:
    """A transform for trying items, in a process of its own where it has a function.

    :param source: the table of the items
    :param limits: those of the target
    :raises WorkersFail: no such process can be started
    :raises Untried: by a call, when too many were ended
    """
    # A process that may have no children is one of somebody's pool.
    if compiled.transform.function is None or multiprocessing.current_process().daemon:
        yield Trial(compiled)
        return
    with _Process(compiled.transform, source, limits) as process:
        yield Trial(evolve(compiled, run=process), process)


class _Process:
    """Calls a transform in another process, and starts a new one when that has died."""

    def __init__(self, transform: Transform, source: Table, limits: Limits) -> None:
        self._given = (transform.to_dict(), source.to_dict(), limits)
        self._name = transform.function or ""
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._deaths = 0
        self.overhead = 0.0

    def __enter__(self) -> Self:
        # At once, so that the time of the first item is not that of a start.
        with ExitStack() as on_error:
            on_error.callback(self._buried, wait=0.0)
            self._ready_pipe()
            on_error.pop_all()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self._buried(wait=0.0)

    def __call__(self, item: Item) -> Item | None:
        if self._deaths >= _MOST_DEATHS:
            raise Untried(
                f"the transform {self._name} has ended the process that tried it {self._deaths} times, so the rest of "
                "the sample was not tried: mend it for the items that are named"
            )
        begun, seconds = time.perf_counter(), 0.0
        try:
            done, answer, seconds = self._asked(item)
        finally:
            self.overhead += time.perf_counter() - begun - seconds
        if not done:
            raise pickle.loads(answer)  # noqa: S301  # made by a process of ours
        result: Item | None = answer
        return result

    def _asked(self, item: Item) -> tuple[bool, Any, float]:
        pipe = self._ready_pipe()
        try:
            pipe.send(item)
            answer: tuple[bool, Any, float] = heard(pipe, _ITEM_SECONDS)
        except TimeoutError:
            raise self._died(f"took longer than {_ITEM_SECONDS:g} seconds over this item, and was ended") from None
        except GONE:
            raise self._died(f"ended {ending(self._buried())} over this item") from None
        return answer

    def _died(self, how: str) -> TransformError:
        self._buried(wait=0.0)
        self._deaths += 1
        return TransformError(CODE, (), f"the process that tried {self._name} {how}: look at it and at the transform")

    # ---- the process ----

    def _ready_pipe(self) -> Connection:
        """The pipe of a process that has started up.

        :raises WorkersFail: none does
        :raises IsthmusError: the transform can't be made ready there
        """
        if self._pipe is not None:
            return self._pipe
        for _start in range(_STARTS):
            self._process, pipe = spawned(_work, *self._given)
            self._pipe = pipe
            try:
                done, answer = heard(pipe, STARTING_SECONDS)
            except GONE:
                code = self._buried()
            else:
                if not done:
                    raise pickle.loads(answer)  # noqa: S301  # as above
                return pipe
            if code is not None and code >= 0:
                break
        raise WorkersFail(
            f"the process that shall try {self._name} ends as soon as it starts: see what it wrote to the standard "
            'error; a script that plans with a function needs `if __name__ == "__main__":` around it'
        )

    def _buried(self, *, wait: float = ENDING_SECONDS) -> int | None:
        """End what is left of the process; its exit code, negative for a signal.

        :param wait: seconds for which it may end by itself
        """
        process, self._process = self._process, None
        pipe, self._pipe = self._pipe, None
        return buried(process, pipe, wait)


def _work(pipe: Connection, transform: dict[str, Any], source: dict[str, Any], limits: Limits) -> None:
    """What the process does: call the transform for each item that comes, until the pipe is closed."""
    with suppress(*GONE):
        try:
            compiled = compile_transform(Transform.from_dict(transform), Table.from_dict(source), limits)
        except Exception as error:
            pipe.send((False, portable(error)))
            return
        pipe.send((True, None))
        while True:
            pipe.send(_outcome(compiled, pipe.recv()))


def _outcome(compiled: CompiledTransform, item: Item) -> tuple[bool, Any, float]:
    begun = time.perf_counter()
    try:
        done, answer = True, compiled(item)
    except Exception as error:
        return False, portable(error), time.perf_counter() - begun
    return done, answer, time.perf_counter() - begun
