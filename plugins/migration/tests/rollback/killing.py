"""Coordinators in processes of their own, killed after some slices."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Literal

from isthmus_migration.coordination.control import Rates
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.migration import Migration

Work = Literal["run", "rollback"]
SLOW: Final = Rates(items=200)
"""So slow that it can't come to its end before it is killed, however slow the machine is."""
FAST: Final = Rates(items=1_000_000)
_SLICE: Final = 5
_PATIENCE: Final = 120.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["isthmus_migration.migration", "isthmus_mongodb", "pymongo"])


def work(workdir: Path, what: Work, *, engine: str = "inline") -> None:
    """What a process does until it is killed."""
    migration, options = Migration.open(workdir), RunOptions(slice_items=_SLICE, rates=SLOW)
    if what == "run":
        migration.run(engine=engine, options=options)
    else:
        migration.rollback(engine=engine, options=options)


def killed(workdir: Path, what: Work, phase: str, slices: int) -> None:
    """Begin, and kill the coordinator with SIGKILL when so many more slices of a phase are journaled."""
    before = journaled(workdir, phase)
    process = _context.Process(target=work, args=(workdir, what))
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
