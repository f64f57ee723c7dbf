"""Slices on Dask: an own cluster on this machine, and one that runs already."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import pytest
from attrs import define, field

from tests.migration.conftest import Planned
from tests.migration.runs import HELD, ROOT, Running, killed_at_end, until

pytest.importorskip("distributed")
_HELD: Final = {**HELD, "slice_items": 20}
"""As Dask takes its time for each slice."""


def _python_path() -> str:
    return os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@define
class Cluster:
    """A scheduler and a worker with a nanny, in processes of their own."""

    run: Running
    port: int = field(factory=_free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None

    @property
    def engine(self) -> str:
        """What a migration is told."""
        return f"dask://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start both, until the worker can be used."""
        before = self._registered()
        self.scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        until(lambda: _listens(self.port), "the scheduler listens")
        self.worker = self._started(
            "worker", f"tcp://127.0.0.1:{self.port}", "--nworkers", "1", "--nthreads", "1", "--host", "127.0.0.1",
            "--local-directory", str(self.run.workdir.parent),
        )  # fmt: skip
        until(lambda: self._registered() > before, "there is a worker")

    @property
    def log(self) -> Path:
        """What both wrote."""
        return self.run.workdir.parent / "cluster.log"

    def _registered(self) -> int:
        """How many workers have come so far."""
        return self.log.read_text().count("Registered to:") if self.log.exists() else 0

    def stop(self) -> None:
        """Kill both, with all their children."""
        for process in (self.worker, self.scheduler):
            if process is not None:
                children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
                process.kill()  # first, as it would start others
                process.wait()
                for child in children:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:], "--no-dashboard"]
        environment = {**os.environ, **self.run.environment, "PYTHONPATH": _python_path(), "PYTHONWARNINGS": "ignore"}
        with self.log.open("a") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


@contextmanager
def cluster(run: Running) -> Iterator[Cluster]:
    """A cluster as long as it is needed."""
    made = Cluster(run)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_an_own_cluster_survives_a_killed_worker(planned: Planned) -> None:
    """A worker of the cluster is killed; Dask starts another, and nothing is lost or left behind."""
    run = planned(2_000)
    with killed_at_end(run.start("copy", engine="dask", **_HELD)) as coordinator:
        run.at_work(coordinator)
        run.kill_a_worker()
        run.released()
        run.ended(coordinator)
    run.equal()
    run.no_orphans()


def test_workers_of_an_own_cluster_end_with_a_killed_coordinator(planned: Planned) -> None:
    """Nobody of the cluster stays when the coordinator is gone."""
    run = planned(2_000)
    with killed_at_end(run.start("copy", engine="dask", **_HELD)) as coordinator:
        run.at_work(coordinator)
        coordinator.kill()
    run.no_orphans()
    run.finish("copy")
    run.equal()


def test_a_killed_scheduler_is_waited_for(planned: Planned) -> None:
    """The scheduler and its worker die in the middle and come back; the run goes on by itself."""
    run = planned(2_000)
    with cluster(run) as dask, killed_at_end(run.start("copy", engine=dask.engine, **_HELD)) as coordinator:
        run.at_work(coordinator)
        dask.stop()
        until(lambda: run.told("engine_lost"), "it is noticed")
        dask.start()
        run.released()
        run.ended(coordinator)
    run.equal()
    assert run.told("engine_lost") == 1
