"""The digest of what a table of the target holds: before the first item is copied, and after a rollback.

Where items expire, those that never do have a digest of their own: none of them may be gone.
"""

from __future__ import annotations

from zlib import crc32

from isthmus.results import Unreadable
from isthmus.schema import Table
from isthmus.values import Item, dumps
from isthmus.writes import is_number
from isthmus_migration.digests import BUCKETS, BucketDigest
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.base import Place
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.slices.account import digest_of
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, SliceResult, SliceTask, Unit

_UNIT_ITEMS = 100_000
_MOST_UNITS = 256


def digest_target(worker: Worker, task: SliceTask) -> SliceResult:
    """Digest the next items of a unit of the target.

    :raises IsthmusError: the target can't be read now; the slice may be done again
    """
    table, pace = worker.plan.table(task.unit.table).target, Pace(task.budget)
    read = worker.target.read(
        table, task.unit.spec, task.cursor, items=task.budget.items, size=task.budget.size
    )  # fmt: skip
    digest = BucketDigest.of(read.items, table.key_names)
    for fault in read.unreadable:
        digest.add_one(*_of_unreadable(fault))
    digests = {"target": digest.pack()}
    if table.ttl is not None:
        digests["lasting"] = BucketDigest.of((one for one in read.items if lasts(table, one)), table.key_names).pack()
    count = len(read.items) + len(read.unreadable)
    pace.keep(count, 0)
    return SliceResult(task, read.cursor, Counts(read=count), digests, waited=pace.waited, owed=pace.owed)


def lasts(table: Table, item: Item | None) -> bool:
    """Whether an item of a table with expiry never expires."""
    return item is not None and table.ttl is not None and not is_number(item.get(table.ttl))


def _of_unreadable(fault: Unreadable) -> tuple[int, int]:
    """Bucket and digest of a stored item that can't be read: those of its bytes, and of its key without bytes."""
    data = fault.original or (dumps(fault.key).encode() if fault.key is not None else str(fault.name).encode())
    return crc32(data) % BUCKETS, digest_of(data)


def add_target_units(journal: Journal, phase: str, target: Place, plans: list[TablePlan]) -> None:
    """Add the units of a phase that digests tables of the target, unless it has some."""
    if journal.units(phase):
        return
    units = [
        Unit(f"{plan.source.name}-{number:05d}", plan.source.name, spec)
        for plan in plans
        for number, spec in enumerate(target.units(plan.target, _unit_count(target, plan)))
    ]
    journal.add_units(phase, units)


def _unit_count(target: Place, plan: TablePlan) -> int:
    items = target.facts(plan.target).items or 0
    return max(4, min(items // _UNIT_ITEMS, _MOST_UNITS))
