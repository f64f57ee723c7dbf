"""Where a migration stands, for whoever asks from another process: the journal is only read."""

from __future__ import annotations

import time
from typing import Any, Final

from attrs import asdict, evolve, frozen

from isthmus_migration.coordination.control import Command, ControlFile, Rates
from isthmus_migration.coordination.progress import Figures, Progress
from isthmus_migration.coordination.reporting import last_figures
from isthmus_migration.journal.acceptances import AcceptedPlan, accepted_plans
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.lock import Holder, holder_of
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.plans.plan import Plan

_FRESH: Final = 10.0
"""Seconds after which a report of progress says nothing about now."""


@frozen
class TableCounts:
    """What became of one table's items so far.

    :param table: the source's table
    :param items: about how many items there are; ``None`` where only reading tells
    """

    table: str
    target: str
    items: int | None
    read: int
    written: int
    unchanged: int
    skipped: int
    dead: int
    retried: int
    throttled: int

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON-ready data."""
        return asdict(self)


@frozen
class Found:
    """What waits for a decision.

    :param dead: dead letters that are open
    :param mismatches: differences that the last verification found and nothing has mended
    :param conflicts: items that a rollback left alone
    """

    dead: int
    mismatches: int
    conflicts: int


@frozen
class Status:
    """Where a migration stands.

    :param holder: the process that works on it; ``None`` when none does
    :param command: what was said to the run last
    :param accepted: new plans that were accepted in the middle
    :param phases: how far each phase has come, in the order in which they began
    """

    workdir: str
    source: str
    target: str
    state: State
    holder: Holder | None
    command: Command
    rates: Rates | None
    phases: tuple[Figures, ...]
    tables: tuple[TableCounts, ...]
    found: Found
    accepted: tuple[AcceptedPlan, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The status as JSON-ready data."""
        accepted = [one.to_dict() for one in self.accepted]
        return {**asdict(self), "state": self.state.value, "accepted": accepted}


def status_of(work: WorkDirectory, plan: Plan) -> Status:
    """Where a migration stands now."""
    holder, control = holder_of(work.path), ControlFile(work.path).read()
    with work.journal(writable=False) as journal:
        phases = tuple(_figures(journal, plan, phase) for phase in phases_of(journal))
        recent = last_figures(work.path) if holder else None
        if recent is not None and time.time() - recent[0] < _FRESH:
            phases = tuple(_now(one, recent[1]) for one in phases)
        return Status(
            str(work.path), plan.source.reference.text, plan.target.reference.text, journal.state, holder,
            control.command, control.rates, phases, table_counts(journal, plan), found_by(journal),
            accepted_plans(journal),
        )  # fmt: skip


def phases_of(journal: Journal) -> list[str]:
    """The phases that have units, in the order in which they are done."""
    names = [name for (name,) in journal.rows("SELECT phase FROM unit GROUP BY phase ORDER BY min(updated), phase")]
    first = ("before", "copy")
    return [*(name for name in first if name in names), *(name for name in names if name not in first)]


def _figures(journal: Journal, plan: Plan, phase: str) -> Figures:
    return Progress.of(journal, plan, phase).figures()


def _now(stored: Figures, recent: Figures) -> Figures:
    """The coordinator's own figures of the phase at work; what the journal says may be newer."""
    if stored.phase != recent.phase:
        return stored
    return evolve(
        recent, percent=stored.percent, items=stored.items, units_done=stored.units_done, dead=stored.dead,
        throttled=stored.throttled,
    )  # fmt: skip


def table_counts(journal: Journal, plan: Plan, phase: str = "copy") -> tuple[TableCounts, ...]:
    """What a phase did with each table."""
    return tuple(_counted(journal, plan, table.source.name, phase) for table in plan.tables)


def _counted(journal: Journal, plan: Plan, name: str, phase: str) -> TableCounts:
    table, counts = plan.table(name), journal.counts(phase, name)
    return TableCounts(
        name, table.target.name, table.items, counts.read, counts.written, counts.unchanged, counts.skipped,
        counts.dead, counts.retried, counts.throttled,
    )  # fmt: skip


def found_by(journal: Journal) -> Found:
    """How much waits for a decision."""
    ((mismatches,),) = journal.rows("SELECT count(*) FROM mismatch WHERE status = 'open'")
    ((conflicts,),) = journal.rows("SELECT count(*) FROM conflict")
    return Found(journal.open_dead(), mismatches, conflicts)
