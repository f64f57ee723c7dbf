"""Slices on a Dask cluster: an own one on this machine, or one that runs already.

A scheduler keeps nothing on disk, and a cluster may lose workers at any time; so the journal, not Dask, knows what is
done. Only few slices are handed out at a time, because Dask suspects all that a dead worker had.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from isthmus.errors import ConfigurationError
from isthmus_migration.engines.base import Engine
from isthmus_migration.engines.failures import EngineLost, WorkerDied
from isthmus_migration.engines.loops import LoopThread
from isthmus_migration.engines.probing import check_sights, look, needs_of
from isthmus_migration.plans.plan import Plan
from isthmus_migration.slices.worker import Setup, run_slice
from isthmus_migration.tasks import SliceResult, SliceTask

SCHEME: Final = "dask://"
_CONNECTING: Final = 10.0
_COUNTED_EVERY: Final = 2.0
_EMPTY_FOR: Final = 10.0
"""Seconds without any worker after which a cluster counts as lost: nannies may fail to start workers that die fast."""
_CLOSING: Final = 10.0
_AWAY: Final = "the Dask scheduler is away, or its cluster has no workers"


class DaskEngine(Engine):
    """A cluster of Dask.

    :param address: of a scheduler, ``HOST:PORT``; an own cluster in processes of this machine when ``None``
    :param workers: how many slices run at the same time; as many as the cluster has threads when ``None``
    """

    name = "dask"

    def __init__(self, address: str | None, workers: int | None) -> None:
        self.workers = workers or 1
        self._wanted = workers
        self._address = address
        self._client: Any = None
        self._cluster: Any = None
        self._loop: LoopThread | None = None
        self._executor: Any = None
        self._setup: Setup | None = None
        self._pending: dict[Future[SliceResult], float] = {}
        self._counted = self._populated = 0.0

    def start(self, setup: Setup) -> None:
        """Begin to take slices.

        :raises ConfigurationError: the package is missing, there is no such cluster, or its workers lack something
        """
        _distributed()
        plan = Plan.from_json(setup.plan)
        # Workers find units in their tasks; a plan with thousands of them would travel with each slice.
        lean = evolve(plan, tables=tuple(evolve(table, units=()) for table in plan.tables))
        self._setup = evolve(setup, plan=lean.to_json())
        if self._address is not None:
            self._setup = evolve(self._setup, source=None, target=None)
            _check_references(plan)
        try:
            self._connect()
        except EngineLost as error:
            raise ConfigurationError(error.message) from error
        if self._address is not None:
            self._check_workers(plan, Path(setup.workdir))

    def submit(self, task: SliceTask) -> Future[SliceResult]:
        if self._executor is None or self._client.status != "running" or self._is_empty():
            self._lose()
            raise EngineLost(_AWAY)
        future: Future[SliceResult] = Future()
        future.set_running_or_notify_cancel()
        self._pending[future] = time.monotonic()
        theirs = self._executor.submit(run_slice, self._setup, task)
        theirs.add_done_callback(lambda theirs: self._ended(future, theirs))
        return future

    def overdue(self, seconds: float) -> None:
        """End slices that take too long, and those that nobody will ever answer for."""
        if self._client is not None and self._client.status == "running":
            self._count()
        if self._client is None or self._client.status == "closed" or self._is_empty():
            self._lose()
        for future, since in list(self._pending.items()):
            if time.monotonic() - since > 2 * seconds:  # one may have waited for the one before it
                self._fail(future, WorkerDied(f"its worker took longer than {seconds:.0f} s and was given up"))

    def rebuild(self) -> None:
        self._let_go()
        self._connect()

    def close(self, *, wait: bool = True) -> None:
        self._pending.clear()
        self._let_go()

    # ---- connections ----

    def _connect(self) -> None:
        distributed = _distributed()
        try:
            self._loop = LoopThread()
            if self._address is None:
                self._cluster = _own_cluster(self._wanted, self._loop.loop)
            where = self._cluster or f"tcp://{self._address}"
            self._client = distributed.Client(where, timeout=_CONNECTING, set_as_default=False, loop=self._loop.loop)
            self._client.wait_for_workers(1, timeout=_CONNECTING)
        except (OSError, TimeoutError) as error:  # no scheduler, or no worker in time
            self._let_go()
            raise EngineLost(
                f"no Dask cluster with workers answers at {self._address or 'this machine'}: start its scheduler and "
                "workers, or give the right host and port"
            ) from error
        self._executor = self._client.get_executor(pure=False, retries=0)
        self._populated, self._counted = time.monotonic(), 0.0
        self._count()

    def _count(self) -> None:
        now = time.monotonic()
        if now - self._counted < _COUNTED_EVERY:
            return
        self._counted = now
        with suppress(OSError, TimeoutError, AttributeError):  # between the loss of a scheduler and its notice
            threads = sum(self._client.nthreads().values())
            self._populated = now if threads else self._populated
            self.workers = max(1, min(threads, self._wanted or threads))

    def _is_empty(self) -> bool:
        return self._counted - self._populated > _EMPTY_FOR

    def _let_go(self) -> None:
        client, self._client, self._executor = self._client, None, None
        cluster, self._cluster = self._cluster, None
        for held in (client, cluster):
            if held is not None:
                with suppress(OSError, TimeoutError):
                    held.close(timeout=_CLOSING)
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def _check_workers(self, plan: Plan, workdir: Path) -> None:
        with _token(workdir) as token:
            needs = needs_of(plan, token)
            check_sights(self._client.run(look, needs, on_error="return"), needs)

    # ---- ends of slices ----

    def _ended(self, future: Future[SliceResult], theirs: Future[SliceResult]) -> None:
        """Pass the end of a slice on, in the coordinator's words; called from a thread of the client."""
        from distributed.scheduler import KilledWorker

        if theirs.cancelled():
            self._lose()
            return
        error = theirs.exception()
        if error is None:
            if self._pending.pop(future, None) is not None:
                future.set_result(theirs.result())
        elif isinstance(error, KilledWorker):
            deaths = error.allowed_failures + 1
            self._fail(future, WorkerDied(f"{deaths} of the Dask workers that had it ended", deaths=deaths))
        elif isinstance(error, OSError):  # connections between the parts of the cluster
            self._lose()
        else:
            self._fail(future, error)

    def _lose(self) -> None:
        """End all slices: a client that has lost its scheduler may never answer for some of them."""
        for future in list(self._pending):
            self._fail(future, EngineLost(_AWAY))

    def _fail(self, future: Future[SliceResult], error: BaseException) -> None:
        if self._pending.pop(future, None) is not None:
            future.set_exception(error)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ConfigurationError(
            "the engine dask needs the package distributed: pip install 'isthmus-migration[dask]'"
        ) from error
    return distributed


def _own_cluster(workers: int | None, loop: Any) -> Any:
    """Workers with nannies, which start dead ones again; all of them end with this process."""
    # Each death is told at once: a slice that kills is not to be tried again by Dask, but with fewer items.
    return _distributed().LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"allowed_failures": 0}, loop=loop,
    )  # fmt: skip


def _check_references(plan: Plan) -> None:
    """Refuse to send secrets to other machines."""
    for side, place in (("source", plan.source), ("target", plan.target)):
        if not place.reference.whole:
            raise ConfigurationError(
                f"the URL of the {side} holds secrets, which are not sent to a cluster: put it into a variable in the "
                "environment of this process and of all workers, and plan with env:NAME"
            )


@contextmanager
def _token(workdir: Path) -> Iterator[Path]:
    path = workdir / f".seen-{secrets.token_hex(8)}"
    path.touch()
    try:
        yield path
    finally:
        path.unlink()
