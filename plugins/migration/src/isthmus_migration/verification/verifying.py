"""A verification from its beginning, or from where it was interrupted, to its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define, evolve

from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.session import Session
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.acceptances import former_units
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.slices.worker import Setup, Worker, close_workers, worker_of
from isthmus_migration.tasks import SliceResult
from isthmus_migration.verification.candidates import Differences
from isthmus_migration.verification.confirming import Confirming
from isthmus_migration.verification.expected import journaled_digest, was_copied
from isthmus_migration.verification.parts import Side
from isthmus_migration.verification.planning import definition_differences, first_units, level_of, second_units
from isthmus_migration.verification.records import Record, Tally, mismatches, with_open
from isthmus_migration.verification.results import TableResult, Verification
from isthmus_migration.verification.settings import Settings

VERIFIABLE: Final = (State.COPIED, State.VERIFYING, State.READY, State.DIFFERENT)
_SHOWN: Final = 1_000
"""Mismatches that a result holds itself."""


def require_copied(journal: Journal) -> None:
    """Refuse to go on where the copy is not complete.

    :raises WrongState: it is not
    """
    if journal.state not in VERIFIABLE:
        raise WrongState(
            f"the migration is {journal.state}, and only what was copied can be verified: {journal.state.next_step}"
        )


@contextmanager
def opened(setup: Setup) -> Iterator[Worker]:
    """Both places, opened in this process."""
    try:
        yield worker_of(setup)
    finally:
        close_workers()


@define
class Verifying:
    """A verification within a session.

    :param again: begin anew, even if the last one was interrupted
    """

    session: Session
    setup: Setup
    settings: Settings
    again: bool = False

    def run(self) -> Verification:
        """Verify; an interrupted verification with the same settings goes on.

        :raises WrongState: nothing was copied yet
        :raises IsthmusError: a place can't be used now; calling it again goes on
        """
        journal = self.session.journal
        require_copied(journal)
        with opened(self.setup) as worker, Differences(worker.workdir / "verify") as differences:
            record = self._record(differences)
            journal.sift = _Sift(differences, self.settings).take
            outcome = self._steps(worker, differences, record)
        result = verification(journal, record, outcome)
        if result.finished:
            total = result.total
            journal.enter(
                State.READY if result.equal else State.DIFFERENT, level=self.settings.level, missing=total.missing,
                changed=total.changed, extra=total.extra,
            )  # fmt: skip
        return result

    def _record(self, differences: Differences) -> Record:
        journal = self.session.journal
        record = Record.of(journal)
        # Dead letters that were replayed lead back to the state before any verification: what it read is outdated.
        outdated = journal.state == State.COPIED or self.again
        if record is not None and differences.token != record.token:
            # The file is not the one that was begun with: what it should hold would not be looked at again.
            outdated = True
        if record is None or outdated or record.step == "done" or record.settings != self.settings:
            record = Record(self.settings)
            record.begin(journal)
            differences.begin(record.token)
        if journal.state != State.VERIFYING:
            journal.enter(State.VERIFYING, level=self.settings.level)
        return record

    def _steps(self, worker: Worker, differences: Differences, record: Record) -> PhaseOutcome:
        journal = self.session.journal
        if record.step == "verify":
            outcome = self._first(worker, record)
            if not outcome.finished:
                return outcome
        if record.step == "recheck":
            outcome = self.session.do("recheck")
            if not outcome.finished:
                return outcome
            record.step = "confirm"
            record.save(journal)
        Confirming(journal, worker, record, differences).run()
        record.results = {
            name: self._with_tally(worker.plan.table(name), result, record.tallies.get(name, Tally()))
            for name, result in record.results.items()
        }
        record.step = "done"
        record.save(journal)
        differences.clear()
        return PhaseOutcome("finished")

    # ---- the first phase ----

    def _first(self, worker: Worker, record: Record) -> PhaseOutcome:
        journal = self.session.journal
        facts = {plan.source.name: definition_differences(worker, plan) for plan in worker.plan.tables}
        present = [plan for plan in worker.plan.tables if facts[plan.source.name][1]]
        if not journal.units("verify"):
            journal.add_units("verify", first_units(worker, journal, self.settings, present))
        outcome = self.session.do("verify")
        if outcome.finished:
            bad = {plan.source.name: self._judge(plan, record) for plan in present}
            for plan in worker.plan.tables:
                self._note_facts(plan, facts[plan.source.name][0], record)
            journal.add_units("recheck", second_units(worker, bad))
            record.step = "recheck"
            record.save(journal)
        return outcome

    def _judge(self, plan: TablePlan, record: Record) -> set[int]:
        """Note what the first phase found of a table; the buckets that have to be looked at again."""
        name, level = plan.source.name, level_of(self.settings, plan)
        if level == "sample":
            record.results[name] = TableResult(name)
            return set()
        expected, found = self._digests(plan)
        result = TableResult(name, expected.items, found.items)
        if level == "count":
            more_is_fine = not self.settings.counts_extra(occupied=plan.occupied) and found.items > expected.items
            record.results[name] = evolve(result, counts_decide=not more_is_fine)
            return set()
        record.results[name] = evolve(result, source_digest=expected.text, target_digest=found.text)
        return {difference.bucket for difference in expected.differences(found)}

    def _digests(self, plan: TablePlan) -> tuple[BucketDigest, BucketDigest]:
        journal, name = self.session.journal, plan.source.name
        known = journaled_digest(journal, plan, alone=bool(self.settings.extra))
        if known is None or self.settings.level == "full":
            known = journal.digest("verify", name, "source")
        return known, journal.digest("verify", name, "target")

    @staticmethod
    def _note_facts(plan: TablePlan, facts: list[str], record: Record) -> None:
        name = plan.source.name
        record.results[name] = evolve(record.results.get(name, TableResult(name)), facts=facts)

    def _with_tally(self, plan: TablePlan, result: TableResult, tally: Tally) -> TableResult:
        journal, name = self.session.journal, plan.source.name
        dead, skipped = _left_out(journal, name)
        unreadable, _none = _counted(journal, name, "target")
        return evolve(
            result, dead=dead, skipped=skipped, expired=tally.expired, kept=tally.kept, others=tally.others,
            unreadable=0 if plan.occupied and not self.settings.extra else unreadable,
            sampled=tally.sampled if self.settings.level == "sample" else None,
            former_units=former_units(journal, name),
        )  # fmt: skip


def _left_out(journal: Journal, table: str) -> tuple[int, int]:
    """How many items became dead letters, and how many were skipped: by the copy, or by the verification itself."""
    if was_copied(journal):
        ((dead,),) = journal.rows(
            "SELECT count(*) FROM dead WHERE source_table = ? AND status != 'replayed'", (table,)
        )  # fmt: skip
        if former_units(journal, table):
            # The copy has counted what either plan left out, and the source was read for the one in force.
            return dead, _counted(journal, table, "source")[1]
        return dead, journal.counts("copy", table).skipped
    return _counted(journal, table, "source")


def _counted(journal: Journal, table: str, side: Side) -> tuple[int, int]:
    """How many items of a side could not be read or transformed, and how many were skipped, in the first phase."""
    ((dead, skipped),) = journal.rows(
        "SELECT coalesce(sum(dead), 0), coalesce(sum(skipped), 0) FROM unit "
        "WHERE phase = 'verify' AND source_table = ? AND substr(id, 1, 7) = ?",
        (table, f"{side}-"),
    )
    return dead, skipped


@define
class _Sift:
    """Puts candidates into their file, and keeps no more of a sample than was asked for."""

    differences: Differences
    settings: Settings

    def take(self, result: SliceResult) -> SliceResult:
        if self.settings.level in ("count", "digest") and result.task.phase == "verify":
            return result
        taken = self.differences.take(result)
        if self.settings.level == "sample":
            self.differences.keep_lowest(result.task.unit.table, self.settings.sample)
        return taken


def verification(journal: Journal, record: Record, outcome: PhaseOutcome | None = None) -> Verification:
    """The result as the journal has it now; repairs show in it."""
    tables = tuple(with_open(result, journal) for result in record.results.values())
    finished = record.step == "done"
    reason = "" if finished or outcome is None else outcome.reason
    shown = tuple(mismatches(journal, status="open", most=_SHOWN))
    return Verification(record.settings.level, tables, finished, reason, shown)
