"""Coordinators in processes of their own, killed after some slices."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Literal

from attrs import define

from isthmus_migration.coordination.control import Rates
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.migration import Migration

Work = Literal["run", "rollback"]
SLOW: Final = Rates(items=200)
"""So slow that it is killed in the middle of a slice as a rule."""
FAST: Final = Rates(items=1_000_000)
_SLICE: Final = 5
_MORE: Final = 20
"""Slices after which one that was not killed yet waits for that, so that it never comes to its end."""
_PATIENCE: Final = 120.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["isthmus_migration.migration", "isthmus_mongodb", "pymongo"])


@define
class _Hold:
    """A listener that goes on with a phase for so many slices only."""

    phase: str
    slices: int
    _at: str = ""

    def __call__(self, code: str, data: dict[str, Any]) -> None:
        """Learn of an event."""
        self._at = data["phase"] if code == "phase" else self._at
        self.slices -= code == "slice" and self._at == self.phase
        while not self.slices:
            signal.pause()


def work(workdir: Path, what: Work, phase: str, slices: int) -> None:
    """What a process does until it is killed."""
    migration = Migration.open(workdir)
    options = RunOptions(slice_items=_SLICE, rates=SLOW, listener=_Hold(phase, slices))
    if what == "run":
        migration.run(engine="inline", options=options)
    else:
        migration.rollback(engine="inline", options=options)


def killed(workdir: Path, what: Work, phase: str, slices: int) -> None:
    """Begin, and kill the coordinator with SIGKILL when so many more slices of a phase are journaled."""
    before = journaled(workdir, phase)
    process = _context.Process(target=work, args=(workdir, what, phase, slices + _MORE))
    process.start()
    _wait_for(process, workdir, phase, before + slices)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it was killed"


def _wait_for(process: BaseProcess, workdir: Path, phase: str, slices: int) -> None:
    end = time.monotonic() + _PATIENCE
    while journaled(workdir, phase) < slices and process.is_alive():
        assert time.monotonic() < end, "it does not get on"
        time.sleep(0.005)


def journaled(workdir: Path, phase: str) -> int:
    """How many slices of a phase are journaled."""
    with WorkDirectory(workdir).journal(writable=False) as journal:
        return sum(state.sequence for state in journal.units(phase))
