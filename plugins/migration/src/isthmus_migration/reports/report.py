"""Everything that a report says, read from the work directory. Keys are named, values never."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from attrs import field, frozen

from isthmus_migration.coordination.progress import Figures, Progress
from isthmus_migration.coordination.reporting import read_events
from isthmus_migration.journal.acceptances import AcceptedPlan, accepted_plans
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.plans.plan import Plan
from isthmus_migration.reports.paces import Course
from isthmus_migration.reports.status import Found, TableCounts, found_by, phases_of, table_counts
from isthmus_migration.verification.records import Record, with_open

Row = dict[str, Any]


@frozen
class Report:
    """What became of a migration. Long lists are read from the journal when they are asked for.

    :param journal: open for as long as the report is used
    :param course: how fast the phases were
    """

    plan: Plan
    journal: Journal = field(repr=False)
    course: Course

    @classmethod
    def of(cls, work: WorkDirectory, plan: Plan, journal: Journal) -> Report:
        """The report of a work directory."""
        with closing(read_events(work.path)) as events:
            return cls(plan, journal, Course.of(events))

    def summary(self) -> Row:
        """What was planned, and where it stands, as JSON-ready data."""
        plan = self.plan
        return {
            "made": shown_time(None), "state": self.journal.state.value, "plan": plan.hash, "planned": plan.made,
            "source": plan.source.reference.text, "target": plan.target.reference.text,
            "into_existing": plan.into_existing, "images": plan.keep_images, "notes": list(plan.notes),
        }  # fmt: skip

    @property
    def tables(self) -> tuple[TableCounts, ...]:
        """What the copy did with each table."""
        return table_counts(self.journal, self.plan)

    @cached_property
    def accepted(self) -> tuple[AcceptedPlan, ...]:
        """The new plans that were accepted in the middle, in order."""
        return accepted_plans(self.journal)

    @property
    def found(self) -> Found:
        """How much waits for a decision."""
        return found_by(self.journal)

    @property
    def phases(self) -> list[Figures]:
        """How far each phase has come."""
        return [Progress.of(self.journal, self.plan, phase).figures() for phase in phases_of(self.journal)]

    @property
    def verification(self) -> Row | None:
        """What the last verification came to, as the journal has it now; ``None`` before the first."""
        record = Record.of(self.journal)
        if record is None:
            return None
        tables = [with_open(result, self.journal).to_dict() for result in record.results.values()]
        return {"level": record.settings.level, "finished": record.step == "done", "tables": tables}

    def timeline(self) -> Iterator[Row]:
        """States and other events, in order."""
        for event in self.journal.events():
            yield {**event, "time": shown_time(event["time"])}

    def digests(self) -> list[Row]:
        """The digests that were taken: of each phase, table and side."""
        return self._digests

    @cached_property
    def _digests(self) -> list[Row]:
        # Each format shows them, and to add them up takes most of a report's time.
        places = self.journal.rows("SELECT DISTINCT phase, source_table, side FROM digest ORDER BY 2, 1, 3")
        return [self._digest(*place) for place in places]

    def _digest(self, phase: str, table: str, side: str) -> Row:
        digest = self.journal.digest(phase, table, side)
        return {"table": table, "phase": phase, "side": side, "items": digest.items, "digest": digest.text}

    def dead(self) -> Iterator[Row]:
        """All dead letters, without the items."""
        names = ("table", "key", "phase", "code", "reason", "attempts", "status", "found")
        yield from self._listed(
            names, "SELECT source_table, item_key, phase, code, reason, attempts, status, found FROM dead ORDER BY id"
        )

    def mismatches(self) -> Iterator[Row]:
        """All differences that verifications found, mended ones included."""
        names = ("table", "key", "kind", "paths", "status", "found")
        for row in self._listed(
            names, "SELECT source_table, item_key, kind, detail, status, found FROM mismatch ORDER BY 1, 2"
        ):
            yield {**row, "paths": paths_in(json.loads(row["paths"]))}

    def conflicts(self) -> Iterator[Row]:
        """All items that a rollback left as somebody else had changed them."""
        names = ("table", "key", "reason", "found")
        for row in self._listed(names, "SELECT source_table, item_key, detail, found FROM conflict ORDER BY 1, 2"):
            yield {**row, "reason": json.loads(row["reason"]).get("reason", "")}

    def _listed(self, names: tuple[str, ...], statement: str) -> Iterator[Row]:
        for row in self.journal.each(statement):
            shown = dict(zip(names, row, strict=True))
            yield {**shown, "found": shown_time(shown["found"])}


def shown_time(seconds: float | None) -> str:
    """A time as UTC text with seconds; now where there is none."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def paths_in(detail: Mapping[str, Any]) -> list[str]:
    """Where two items differ, of what a full verification noted."""
    return [str(one["path"]) for one in detail.get("fields", [])]
