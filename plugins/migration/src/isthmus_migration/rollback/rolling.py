"""A rollback as a whole: tables of ours are dropped, others get their images back, and a digest proves it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from attrs import define, evolve, field

from isthmus.errors import ConfigurationError
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.session import Session
from isthmus_migration.digests import BucketDigest, Difference
from isthmus_migration.errors import PlanChanged, WrongState
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.places.opening import is_export
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.plans.starting import may_be_ours
from isthmus_migration.rollback.again import PuttingBack, put_back_later
from isthmus_migration.rollback.beginning import BEFORE
from isthmus_migration.rollback.digesting import add_target_units
from isthmus_migration.rollback.lost import require_images
from isthmus_migration.rollback.results import Action, Conflict, RollbackResult, TableRollback
from isthmus_migration.rollback.said import Said, begin
from isthmus_migration.rollback.strangers import Searching
from isthmus_migration.rollback.undoing import UndoPart, require_revisions
from isthmus_migration.slices.images import ImageFile, image_files, unit_folders
from isthmus_migration.slices.worker import Setup, Worker
from isthmus_migration.tasks import Unit

_IMPOSSIBLE = (State.CUT_OVER, State.FINALIZED)


@define
class Rollback:
    """One rollback, or the rest of one that was interrupted.

    :param force: whether conflicts are overridden; said once, it holds for the rest
    :param guarded: whether each write depends on what was seen right before it; likewise
    """

    session: Session
    setup: Setup
    force: bool
    guarded: bool = False
    _worker: Worker = field(init=False)

    @property
    def _journal(self) -> Journal:
        return self.session.journal

    def run(self) -> RollbackResult:
        """Put the target back.

        :raises WrongState: it can't be rolled back any more, or no pre-images were kept
        :raises IsthmusError: the target can't be used, or the source where its items are asked for
        """
        self._check()
        self._worker = Worker(self.setup)
        try:
            self._begin()
            for step in (self._drop, self._undo, self._verify):
                outcome = step()
                if not outcome.finished:
                    return RollbackResult(finished=False, reason=outcome.reason)
            result = RollbackResult(True, tuple(self._result(plan) for plan in self.session.plan.tables))
        finally:
            self._worker.close()
        self._journal.enter(State.ROLLED_BACK, conflicts=result.conflicts, clean=result.clean)
        return result

    # ---- beginning ----

    def _check(self) -> None:
        journal, state = self._journal, self._journal.state
        if journal.meta("purpose") == "verify":
            raise WrongState("nothing was copied from this work directory, so nothing is rolled back: plan a migration")
        if state in _IMPOSSIBLE:
            raise WrongState(f"the migration is {state}, and nothing could be rolled back: {state.next_step}")
        again = self.force and bool(journal.rows("SELECT 1 FROM conflict LIMIT 1"))
        if state == State.ROLLED_BACK and not again:
            raise WrongState(
                "the migration was rolled back before: plan anew in another directory; where conflicts were left, "
                "force overrides them"
            )
        without = [table.target.name for table in self.session.plan.tables if self._has_no_images(table)]
        if without:
            raise WrongState(
                f"no pre-images were kept, so what was in {', '.join(without)} can't be put back: restore a backup, or "
                "delete what was copied yourself"
            )
        if not (self.force or Said.before(journal).force):
            require_images(journal, self.session.plan, Path(self.setup.workdir) / "images")

    def _has_no_images(self, table: TablePlan) -> bool:
        if table.created or self.session.plan.keep_images:
            return False
        units = [state for state in self._journal.units("copy") if state.unit.table == table.source.name]
        return any(state.sequence or state.unsettled for state in units)

    def _begin(self) -> None:
        if self.guarded and not all(plan.created for plan in self.session.plan.tables):
            require_revisions(self._worker.target)
        said = begin(self._journal, force=self.force, guarded=self.guarded)
        self.force, self.guarded = said.force, said.guarded

    # ---- tables of ours ----

    def _drop(self) -> PhaseOutcome:
        target = self._worker.target
        there = {table.name for table in target.tables()}
        ours = [plan for plan in self.session.plan.tables if self._is_ours(plan) and plan.target.name in there]
        if target.holds_keys and not self.force:
            self._forget_check()
            add_target_units(self._journal, "rollback_check", target, ours)
            outcome = self._checked(ours)
            if not outcome.finished:
                return outcome
        for plan in ours:
            outcome = self._search(plan)
            if not outcome.finished:
                return outcome
            if self.force or not self._conflicts_in(plan):
                target.drop(plan.target)
        return PhaseOutcome("finished")

    def _forget_check(self) -> None:
        """Look again at what an interrupted rollback had looked at to the end: it may be long ago."""
        if not all(state.finished for state in self._journal.units("rollback_check")):
            return
        self._journal.forget_phase("rollback_check")
        created = [(plan.source.name,) for plan in self.session.plan.tables if plan.created]
        with self._journal.transaction() as connection:
            connection.executemany("DELETE FROM conflict WHERE source_table = ?", created)

    def _is_ours(self, plan: TablePlan) -> bool:
        return plan.created and may_be_ours(self._journal, plan.target.name)

    def _checked(self, ours: list[TablePlan]) -> PhaseOutcome:
        there = {plan.source.name for plan in ours}
        if any(state.unit.table in there and not state.finished for state in self._journal.units("rollback_check")):
            return self.session.do("rollback_check")
        return PhaseOutcome("finished")

    def _search(self, plan: TablePlan) -> PhaseOutcome:
        """Look for items of others, where it matters."""
        if self.force or not self._worker.target.holds_keys:
            return PhaseOutcome("finished")
        return self.session.attend(Searching(self._worker, self._journal, plan).step)

    def _conflicts_in(self, plan: TablePlan) -> int:
        table = plan.source.name
        return int(self._journal.rows("SELECT count(*) FROM conflict WHERE source_table = ?", (table,))[0][0])

    # ---- tables that were there before ----

    def _undo(self) -> PhaseOutcome:
        later, copied = self._parts()
        for phase, units in (("rollback_later", later), ("rollback", copied)):
            self._journal.add_units(phase, units)
            self._guard(phase)
            outcome = self.session.do(phase) if self._journal.units(phase) else PhaseOutcome("finished")
            if not outcome.finished:
                return outcome
        return self._put_back_refused()

    def _guard(self, phase: str) -> None:
        """Guard the units that are left of a rollback that was begun without."""
        if self.guarded:
            with self._journal.transaction() as connection:
                connection.execute(
                    "UPDATE unit SET spec = json_set(spec, '$.guarded', json('true')) WHERE phase = ? AND NOT finished",
                    (phase,),
                )

    def _put_back_refused(self) -> PhaseOutcome:
        outcome = PhaseOutcome("finished")
        for plan in self.session.plan.tables:
            if outcome.finished and not plan.created:
                outcome = self.session.attend(PuttingBack(self._worker, self._journal, plan).step)
        return outcome

    def _parts(self) -> tuple[list[Unit], list[Unit]]:
        """What repairs and replays wrote, one unit for each table because they may meet; then the copy's units."""
        images = self._worker.workdir / "images"
        existing = {plan.source.name for plan in self.session.plan.tables if not plan.created}
        found = [(ImageFile.of(image_files(folder)[0]), folder) for folder in unit_folders(images)]
        ours = [(head, folder.relative_to(images)) for head, folder in found if head.table in existing]
        later = sorted((head.table, str(folder)) for head, folder in ours if head.phase != "copy")
        grouped = [(table, [folder for _table, folder in group]) for table, group in groupby(later, lambda one: one[0])]
        return (
            [self._unit(f"later-{table}", table, folders) for table, folders in grouped],
            self._copied([(head.table, folder) for head, folder in ours if head.phase == "copy"]),
        )

    def _copied(self, folders: list[tuple[str, Path]]) -> list[Unit]:
        """One unit for each of the copy's; one for a table in which several of them may have written one key."""
        alone = [self._unit(folder.name, table, [str(folder)]) for table, folder in folders if not self._meet(table)]
        together = sorted((table, str(folder)) for table, folder in folders if self._meet(table))
        return alone + [
            self._unit(f"copied-{table}", table, [folder for _table, folder in group])
            for table, group in groupby(together, lambda one: one[0])
        ]

    def _meet(self, table: str) -> bool:
        """Whether two of the copy's units may have written one key."""
        try:
            changes = self._worker.table(table).transform.changes_keys
            return changes or is_export(self.session.plan.source, self.setup.source)
        except (PlanChanged, ConfigurationError):
            return True  # the transform's code or the source's name has another meaning now: one unit is right for any

    def _unit(self, name: str, table: str, folders: Iterable[str]) -> Unit:
        return Unit(name, table, UndoPart(tuple(folders), self.force, self.guarded).to_json())

    # ---- proving it ----

    def _verify(self) -> PhaseOutcome:
        there = [plan for plan in self.session.plan.tables if self._was_digested(plan)]
        add_target_units(self._journal, "rollback_verify", self._worker.target, there)
        return self.session.do("rollback_verify") if there else PhaseOutcome("finished")

    def _was_digested(self, plan: TablePlan) -> bool:
        """Whether it is known what a table held before: a run that ended before that has not written anything."""
        units = [state for state in self._journal.units(BEFORE) if state.unit.table == plan.source.name]
        return bool(units) and all(state.finished for state in units)

    def _result(self, plan: TablePlan) -> TableRollback:
        name, table = plan.target.name, plan.source.name
        left = self._conflicts_in(plan)
        if plan.created:
            there = name in {one.name for one in self._worker.target.tables()}
            action: Action = "kept" if there and left else "dropped" if self._is_ours(plan) else "absent"
            return TableRollback(name, action, conflicts=left)
        counts = self._journal.counts("rollback_later", table) + self._journal.counts("rollback", table)
        done = TableRollback(
            name, "restored", counts.written + put_back_later(self._journal, table), counts.unchanged, left
        )  # fmt: skip
        if not self._was_digested(plan):
            return done
        found, gone = self._differences(table, "target"), frozenset[int]()
        if plan.target.ttl is not None:
            # What expires goes by itself, also from among items that the migration never touched; others never do.
            lasting = {one.bucket for one in self._differences(table, "lasting")}
            gone = frozenset(one.bucket for one in found if one.target[0] < one.source[0]) - lasting
        fewer = len(gone)
        equal = None if fewer and fewer == len(found) else not found
        return evolve(done, equal=equal, differing_buckets=len(found) - fewer, fewer_buckets=fewer)

    def _differences(self, table: str, side: str) -> list[Difference]:
        """Where a table is not what it was before, but for the conflicts; nothing that was not digested then."""
        journal = self._journal
        known = journal.rows(
            "SELECT 1 FROM digest WHERE phase = ? AND source_table = ? AND side = ? LIMIT 1", (BEFORE, table, side)
        )
        after = journal.digest("rollback_verify", table, side)
        return list(_wanted(journal, table, side).differences(after)) if known else []


def conflicts_of(journal: Journal, plan: TablePlan) -> Iterator[Conflict]:
    """The conflicts of a table, in the order of their keys' text."""
    rows = journal.each(
        "SELECT item_key, detail FROM conflict WHERE source_table = ? ORDER BY item_key", (plan.source.name,)
    )
    return (Conflict(plan.target.name, key, json.loads(detail)["reason"]) for key, detail in rows)


def _wanted(journal: Journal, table: str, side: str) -> BucketDigest:
    """The digest from before, with the conflicts as they were left; of items that never expire, or of all."""
    digest, gone = journal.digest(BEFORE, table, side), BucketDigest()
    for (text,) in journal.each("SELECT detail FROM conflict WHERE source_table = ?", (table,)):
        detail = json.loads(text)
        counts = detail.get("lasting", ()) if side == "lasting" else ("before", "found")
        if "found" in counts and detail["found"] is not None:
            digest.add_one(detail["bucket"], int(detail["found"], 16))
        if "before" in counts and detail["before"] is not None:
            gone.add_one(detail["bucket"], int(detail["before"], 16))
    digest.subtract(gone)
    return digest
