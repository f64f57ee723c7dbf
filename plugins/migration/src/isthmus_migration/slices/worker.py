"""A worker's own side: the plan, both places, the compiled transforms. Opened once in each thread of each process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from isthmus.database_base import DatabaseBase
from isthmus_migration.places.base import Place
from isthmus_migration.places.opening import open_place
from isthmus_migration.places.references import Given
from isthmus_migration.plans.plan import Plan, TablePlan
from isthmus_migration.slices.collector import collector_paused
from isthmus_migration.tasks import SliceResult, SliceTask
from isthmus_migration.transforms import CompiledTransform, Transform, compile_transform

PHASES: Final[dict[str, str]] = {
    "copy": "isthmus_migration.slices.copying:copy_slice",
    "poison": "isthmus_migration.slices.poison:give_up_item",
    "before": "isthmus_migration.rollback.digesting:digest_target",
    "rollback_check": "isthmus_migration.rollback.digesting:digest_target",
    "rollback_later": "isthmus_migration.rollback.undoing:undo_slice",
    "rollback": "isthmus_migration.rollback.undoing:undo_slice",
    "rollback_verify": "isthmus_migration.rollback.digesting:digest_target",
    "verify": "isthmus_migration.verification.scanning:verify_slice",
    "recheck": "isthmus_migration.verification.scanning:verify_slice",
    "pass_over": "isthmus_migration.verification.scanning:pass_over",
    "repair": "isthmus_migration.verification.repairing:repair_slice",
}
"""The function of each phase, by import path, so that a worker loads only what it does."""


# Digits and points are zeros, everything else is a space: to search for a run is then much faster than a pattern.
_DIGITS: Final = bytes(48 if character in b"0123456789." else 32 for character in range(256))
_SIZES: Final = ("item_bytes", "depth", "name_bytes", "partition_key_bytes", "sort_key_bytes")


@frozen
class Setup:
    """What a worker needs to begin: text, but for databases that are open already.

    :param plan: the plan's text
    :param workdir: the work directory
    :param source: the source's URL, where the plan had to leave out its secrets, never written anywhere; or the
        database that was given opened
    :param target: the target's, likewise
    :param writes: whether the target is written to, and not only read
    """

    plan: str = field(repr=False)
    workdir: str
    source: Given | None = field(default=None, repr=False)
    target: Given | None = field(default=None, repr=False)
    writes: bool = True

    @property
    def opened(self) -> bool:
        """Whether a database is used that is open in this process, and in no other."""
        return any(isinstance(given, DatabaseBase) for given in (self.source, self.target))


@frozen
class TableWork:
    """One table's plan with its compiled transform.

    :param ample: tells whether what the source can hold fits the target
    :param digits: as many digits as the target has room for in a number
    """

    plan: TablePlan
    transform: CompiledTransform
    ample: Callable[[], bool]
    digits: bytes

    @property
    def same_limits(self) -> bool:
        """Whether what the source can hold fits the target, but perhaps for the digits of numbers."""
        return self.ample()

    def may_hold_long_number(self, text: bytes) -> bool:
        """Whether an item's canonical text has so many digits in a row that it could hold a number with too many."""
        return self.digits in text.translate(_DIGITS)


class Worker:
    """Both places and all transforms, for one thread. The source is opened when something is asked of it.

    So what only needs the target can be done after the source is gone.
    """

    def __init__(self, setup: Setup) -> None:
        self.plan = Plan.from_json(setup.plan)
        self.workdir = Path(setup.workdir)
        self._setup = setup
        self._source: Place | None = None
        self.target: Place = open_place(self.plan.target, setup.target, create=setup.writes)
        self._tables: dict[str, TableWork] = {}
        self.calls_functions = any(table.transform and table.transform.get("function") for table in self.plan.tables)
        """Whether transforms call functions of the user's, which may leave any garbage behind."""

    @property
    def source(self) -> Place:
        """Where items come from."""
        if self._source is None:
            self._source = open_place(self.plan.source, self._setup.source)
        return self._source

    def table(self, name: str) -> TableWork:
        """A table's plan and transform."""
        if name not in self._tables:
            plan = self.plan.table(name)
            transform = Transform.from_dict(plan.transform) if plan.transform else Transform()
            compiled = compile_transform(transform, plan.source, self.target.limits)
            digits = b"0" * self.target.limits.number_digits
            self._tables[name] = TableWork(plan, compiled, partial(self._same_limits, plan), digits)
        return self._tables[name]

    def _same_limits(self, plan: TablePlan) -> bool:
        """Whether items that the source gave need no look at anything but their numbers before they are written."""
        here, there = self.source.limits, self.target.limits
        ample = all(getattr(there, name) >= getattr(here, name) for name in _SIZES)
        return ample and not plan.target.indexes and not plan.target.unique and self.source.unique_keys

    def close(self) -> None:
        """Close the places that were opened."""
        try:
            if self._source is not None:
                self._source.close()
        finally:
            self.target.close()


_local = threading.local()


def worker_of(setup: Setup) -> Worker:
    """The worker of this thread for this setup."""
    workers: dict[Setup, Worker] = _local.__dict__.setdefault("workers", {})
    if setup not in workers:
        workers[setup] = Worker(setup)
    return workers[setup]


def close_workers() -> None:
    """Close what this thread has opened."""
    for worker in _local.__dict__.pop("workers", {}).values():
        worker.close()


def run_slice(setup: Setup, task: SliceTask) -> SliceResult:
    """Do one slice; what every engine calls."""
    begun = time.monotonic()
    worker = worker_of(setup)
    with nullcontext() if worker.calls_functions else collector_paused():
        result = _function(task.phase)(worker, task)
    return evolve(result, seconds=time.monotonic() - begun)


def _function(phase: str) -> Callable[[Any, SliceTask], SliceResult]:
    module, _, name = PHASES[phase].partition(":")
    function: Callable[[Any, SliceTask], SliceResult] = getattr(import_module(module), name)
    return function
