"""A migration whose journal holds one of everything, written by hand: reports only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import isthmus
from isthmus_migration.coordination.reporting import EventFile
from isthmus_migration.digests import BucketDigest
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.reports.report import Report
from isthmus_migration.tasks import Counts, DeadLetter, SliceResult, SliceTask

HOSTILE = "<script>alert(1)</script>|`*_[x](javascript:y)\n# title"
SECRET_VALUE = "a value that nobody should see"


def migration(folder: Path) -> Migration:
    """A plan for one table."""
    source, target = f"sqlite:///{folder / 'source.db'}", f"sqlite:///{folder / 'target.db'}"
    with isthmus.connect(source) as database:
        database.tables.create(isthmus.Table("things", "id")).put({"id": "1"})
    return Migration.plan(source, target, workdir=folder / "work", units=1)


def dead(key: str) -> DeadLetter:
    """A dead letter."""
    return DeadLetter("things", key, "write", "item_too_large", "401 KB are too much", SECRET_VALUE.encode())


def fill(planned: Migration, *keys: str) -> None:
    """Let the copy have one slice with dead letters, differences and conflicts under these keys."""
    with planned.work.journal(writable=True) as journal:
        journal.enter(State.COPYING)
        (state,) = journal.units("copy")
        number, _unsettled = journal.hand_out("copy", state.unit.id, 1)
        digest = BucketDigest.of([{"id": "1"}], ("id",)).pack()
        fields = [{"path": f"size.{HOSTILE}", "kind": "changed", "types": ["number", "number"]}]
        changed = [{"kind": "changed", "key": key, "detail": {"fields": fields, "note": SECRET_VALUE}} for key in keys]
        conflicts = [{"kind": "conflict", "key": key, "detail": {"reason": "changed"}} for key in keys]
        journal.settle(
            SliceResult(
                SliceTask("copy", state.unit, number, 0, None), None, Counts(read=10, written=9, dead=1),
                {"source": digest}, tuple(dead(key) for key in keys), found=(*changed, *conflicts),
            )
        )  # fmt: skip
        journal.enter(State.COPIED)


def tell(planned: Migration, *events: tuple[float, str, dict[str, object]]) -> None:
    """Let events have happened at their times."""
    lines = [{"time": when, "event": code, **data} for when, code, data in events]
    with EventFile(planned.work.path) as file:
        for line in lines:
            file.tell("", line)


@contextmanager
def report_of(planned: Migration) -> Iterator[Report]:
    """The report."""
    with planned.work.journal(writable=False) as journal:
        yield Report.of(planned.work, planned.the_plan, journal)
