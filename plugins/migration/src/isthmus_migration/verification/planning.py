"""The units of a verification: which parts of which sides are read, and for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from isthmus.errors import TableNotFound
from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Unit
from isthmus_migration.verification.buckets import pack_buckets
from isthmus_migration.verification.expected import journaled_digest
from isthmus_migration.verification.parts import Work, side_units
from isthmus_migration.verification.scanning import RANKS
from isthmus_migration.verification.settings import Level, Settings

_TARGET: dict[Level, Work] = {"digest": "digest", "full": "digest", "count": "count"}


def level_of(settings: Settings, plan: TablePlan) -> Level:
    """How a table is verified: numbers alone could not tell items that have expired from those that are lost."""
    return "digest" if settings.level == "count" and plan.target.ttl is not None else settings.level


def definition_differences(worker: Worker, plan: TablePlan) -> tuple[list[str], bool]:
    """What differs between the definition that the target should have and its own.

    :return: with it, whether items can be compared: not without a table, nor in one of other keys
    """
    try:
        stored = worker.target.table(plan.target.name)
    except TableNotFound:
        return [f"the target has no table {plan.target.name!r}"], False
    return plan.target.differences(stored), stored.keys == plan.target.keys


def first_units(worker: Worker, journal: Journal, settings: Settings, tables: Iterable[TablePlan]) -> list[Unit]:
    """The units of the phase ``verify``."""
    units: list[Unit] = []
    for plan in tables:
        level = level_of(settings, plan)
        if level in _TARGET:
            units += side_units(worker, plan, "target", _TARGET[level])
        known = journaled_digest(journal, plan, alone=bool(settings.extra)) is not None
        work = _work_on_source(worker, level, known=known)
        if work == "pick":
            below = _below(plan.items, settings.sample)
            units += side_units(
                worker, plan, "source", work, sample=settings.sample, seed=settings.seed, below=below
            )  # fmt: skip
        elif work is not None:
            units += side_units(worker, plan, "source", work)
    return units


def _work_on_source(worker: Worker, level: Level, *, known: bool) -> Work | None:
    """What is done with the source; nothing where the journal knows already what the target should hold."""
    if level == "full":
        return "compare" if worker.target.holds_keys else "digest"
    if level == "sample":
        return "pick"
    return None if known else _TARGET[level]


def _below(items: int | None, sample: int) -> int:
    """A rank that many more keys than wanted are below, so that slices need not report all of theirs.

    Ten times as many: the number of items is an estimate, and the sample must not come out smaller for it.
    """
    return RANKS if not items else min(RANKS, RANKS * 10 * sample // items)


def second_units(worker: Worker, bad: Mapping[str, set[int]]) -> list[Unit]:
    """The units of the phase ``recheck``: both sides are read again, for the items of bad buckets."""
    units: list[Unit] = []
    for plan in worker.plan.tables:
        if bad.get(plan.source.name):
            buckets = pack_buckets(bad[plan.source.name])
            units += side_units(worker, plan, "source", "list", buckets=buckets)
            units += side_units(worker, plan, "target", "list", buckets=buckets)
    return units
