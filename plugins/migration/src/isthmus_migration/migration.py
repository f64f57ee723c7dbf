"""``Migration``: a plan in its work directory, and everything that can be done with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from isthmus.schema import Table
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.session import Session, entered_on_error, session
from isthmus_migration.dead.dead_letters import DeadLetters
from isthmus_migration.engines.base import Engine
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.acceptances import AcceptedPlan
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.places.finishing import check_source, finish_tables
from isthmus_migration.places.opening import is_export, open_place
from isthmus_migration.places.references import Given
from isthmus_migration.plans.accepting import accept_new_plan
from isthmus_migration.plans.estimates import Prices
from isthmus_migration.plans.findings import Preflight
from isthmus_migration.plans.making import table_names
from isthmus_migration.plans.plan import IntoExisting, Plan
from isthmus_migration.plans.planning import MappingSource, all_transforms, plan_in, read_preflight
from isthmus_migration.plans.starting import begin
from isthmus_migration.plans.table_plans import Wish
from isthmus_migration.reports.report import Report
from isthmus_migration.reports.status import Status, status_of
from isthmus_migration.reports.writing import report_text
from isthmus_migration.rollback.beginning import add_before_units, digest_before
from isthmus_migration.rollback.results import Conflict, RollbackResult
from isthmus_migration.rollback.rolling import Rollback, conflicts_of
from isthmus_migration.slices.worker import Setup
from isthmus_migration.transforms import Sample, Transform
from isthmus_migration.verification.records import mismatches
from isthmus_migration.verification.repair import Repair, Repairing
from isthmus_migration.verification.results import Mismatch, Verification
from isthmus_migration.verification.settings import Settings
from isthmus_migration.verification.showing import BothItems, both_items
from isthmus_migration.verification.verifying import Verifying, opened


class Migration:
    """One migration. ``plan`` begins one, ``open`` goes on with one.

    It holds nothing open: each method opens what it needs and closes it again.

    :param work: the work directory; its ``path`` is the folder
    :param plan: what is moved and how; the attribute ``the_plan`` afterwards
    :param source: the source's URL again, where the plan had to leave out its secrets, or the opened database
    :param target: the target's, likewise
    """

    def __init__(
        self, work: WorkDirectory, plan: Plan, *, source: Given | None = None, target: Given | None = None
    ) -> None:
        self.work = work
        self.the_plan = plan
        self.samples: Mapping[str, tuple[Sample, ...]] = {}
        """What each table's transform made of some items, values included; only after ``plan``, and never written."""
        self._source = source
        self._target = target

    @classmethod
    def plan(
        cls,
        source: Given,
        target: Given,
        *,
        workdir: str | os.PathLike[str],
        tables: Sequence[str] = (),
        transforms: Mapping[str, Transform] | None = None,
        mapping: MappingSource | None = None,
        into_existing: IntoExisting = "refuse",
        keep_images: bool = True,
        units: int | None = None,
        workers: int = 2,
        sample: int = 1_000,
        seed: int = 0,
        prices: Prices | None = None,
        format: str | None = None,
        compression: str | None = None,
        lossy: bool = False,
        definitions: Sequence[Table] = (),
    ) -> Self:
        """Plan a migration and write the plan down; nothing else is written.

        ``preflight`` then says what a sample of each table came to, and what the copy will take, about.

        :param source: a database URL, ``env:NAME`` for one in the environment, a folder with an export, or a database
            that is open, sync or async; likewise the target
        :param workdir: the work directory, which must not exist or be empty
        :param tables: of the source; all by default
        :param transforms: by the source's tables
        :param mapping: a file with transforms, or what stands beneath ``tables`` in one
        :param into_existing: what happens to items that are in the target already
        :param keep_images: whether a rollback can restore what is replaced
        :param units: how many units each table is divided into, 10,000 at most; by default its size decides
        :param workers: how many the run will have, for the division and the estimate of its time
        :param sample: items of each table that are put through everything but the writing
        :param seed: of the chance by which they are chosen
        :param prices: of DynamoDB's units, for the estimate of the cost
        :param format: of the export that is written
        :param compression: of that export
        :param lossy: whether its format may lose what it has no place for, as Parquet does; its manifest says what
        :param definitions: of the source's tables, for exports that AWS wrote, which have none
        :raises PlanRefused: it can't work; ``problems`` says why
        :raises AlreadyExists: the work directory is not empty
        :raises ConfigurationError: a place can't be opened, or a transform is not valid
        """
        wish = Wish(
            table_names(tables), all_transforms(transforms, mapping), into_existing, keep_images, units, workers,
            sample, seed, prices or Prices(),
        )  # fmt: skip
        work, made = plan_in(
            Path(workdir),
            source,
            target,
            wish,
            format=format,
            compression=compression,
            lossy=lossy,
            definitions=definitions,
        )
        migration = cls(work, made.plan, source=source, target=target)
        migration.samples = made.samples
        return migration

    @property
    def preflight(self) -> Preflight | None:
        """What was found when the plan was made; ``None`` where its file was removed."""
        return read_preflight(self.work)

    @classmethod
    def open(cls, workdir: str | os.PathLike[str], *, source: Given | None = None, target: Given | None = None) -> Self:
        """A migration that was planned before.

        :param source: its URL or the opened database again, where the plan could not keep it
        :param target: likewise

        :raises WorkDirectoryDamaged: the directory is none, or is damaged
        """
        work = WorkDirectory.open(Path(workdir))
        return cls(work, work.plan(), source=source, target=target)

    @property
    def setup(self) -> Setup:
        """What workers need to begin."""
        return Setup(self.the_plan.to_json(), str(self.work.path.resolve()), self._source, self._target)

    def run(self, *, engine: str | Engine | None = None, workers: int | None = None,
            options: RunOptions | None = None) -> PhaseOutcome:  # fmt: skip
        """Copy until everything is copied, or until something ends the run; calling it again goes on."""
        with self._session(engine, workers, options) as session:
            journal = session.journal
            if journal.state not in (State.PLANNED, State.COPYING, State.PAUSED, State.FAILED):
                raise WrongState(
                    f"the migration is {journal.state}, and nothing is left to copy: {journal.state.next_step}"
                )
            self._begin(journal)
            with entered_on_error(journal):
                journal.enter(State.COPYING)
                outcome = digest_before(session)
                if outcome.finished:
                    outcome = session.do("copy")
                if outcome.finished:
                    self._finish(journal)
            journal.enter(State.COPIED if outcome.finished else State.PAUSED, reason=outcome.reason)
        return outcome

    def accept_new_plan(
        self, *, transforms: Mapping[str, Transform] | None = None, mapping: MappingSource | None = None
    ) -> AcceptedPlan | None:
        """Go on with other transforms, or with other code of them, where a run would refuse to.

        What was copied stays as it is and the rest follows the new plan, which is ``the_plan`` afterwards. To verify
        compares all with the new plan, and to repair brings all to it. Nothing is copied by this method.

        :param transforms: by the source's tables, of all that shall have one
        :param mapping: a file with transforms, or what stands beneath ``tables`` in one; where neither is said, those
            of the plan stay, with the code that their functions have now
        :return: what was accepted; ``None`` where the plan is as it was
        :raises PlanRefused: what is done would not stay true; ``problems`` says why, and what to do instead
        :raises WorkDirectoryInUse: the migration runs
        """
        given = None if transforms is None and mapping is None else all_transforms(transforms, mapping)
        self.the_plan, accepted = accept_new_plan(self.work, self.the_plan, self._target, given)
        return accepted

    def status(self) -> Status:
        """Where it stands now; may be asked while another process works on it."""
        return status_of(self.work, self.the_plan)

    def report(self, form: str = "md") -> str:
        """What became of it so far: states, counts, digests, and every dead letter, difference and conflict.

        :param form: ``md``, ``json`` or ``html``
        :raises InvalidArgument: there is no such form
        """
        with self.work.journal(writable=False) as journal:
            return report_text(Report.of(self.work, self.the_plan, journal), form)

    def verify(
        self, level: str = "digest", *, sample: int = 1_000, seed: int = 0, extra: bool | None = None,
        again: bool = False, engine: str | Engine | None = None, workers: int | None = None,
        options: RunOptions | None = None,
    ) -> Verification:  # fmt: skip
        """Prove that the target holds what it should, or name what differs; an interrupted verification goes on.

        The level ``digest`` compares the target with what the copy has read; what was written to the source since, only
        ``full`` and ``sample`` see, which read the source again.

        :param level: ``count`` compares numbers of items, ``sample`` some keys, ``digest`` digests of all items,
            ``full`` all items field by field
        :param sample: how many keys of each table the level ``sample`` looks up
        :param seed: decides which keys these are
        :param extra: whether items that only the target has are mismatches; when ``None`` they are, except in tables
            that held items of others before
        :param again: begin anew, even if the last verification was interrupted
        :raises WrongState: the copy is not complete
        :raises InvalidArgument: there is no such level
        """
        settings = Settings.checked(level, sample, seed, extra)
        with self._session(engine, workers, options) as session:
            return Verifying(session, self.setup, settings, again).run()

    def repair(
        self, *, delete_extra: bool = False, engine: str | Engine | None = None, workers: int | None = None,
        options: RunOptions | None = None,
    ) -> Repair:  # fmt: skip
        """Copy again exactly what the last verification found missing or changed, and verify these keys again.

        What is overwritten or deleted is kept as by the copy, for a rollback; an interrupted repair goes on.

        :param delete_extra: whether items that only the target has are deleted
        :raises WrongState: there is no finished verification
        """
        with self._session(engine, workers, options) as session:
            return Repairing(session, self.setup, delete_extra).run()

    def mismatches(self, *, status: str | None = "open") -> Iterator[Mismatch]:
        """The keys that the last verification found to differ, in the order of tables and keys.

        :param status: ``open`` ones, ``repaired`` ones, or all when ``None``
        """
        with self.work.journal(writable=False) as journal:
            yield from mismatches(journal, status=status)

    def items_of(self, mismatch: Mismatch) -> BothItems:
        """What both sides hold now under a key that differs, values included; nothing of it is written down.

        :raises ItemNotFound: the last verification has found no such difference
        """
        with self.work.journal(writable=False) as journal, opened(self.setup) as worker:
            return both_items(worker, journal, mismatch)

    def rollback(
        self, *, force: bool = False, guarded: bool = False, engine: str | Engine | None = None,
        workers: int | None = None, options: RunOptions | None = None,
    ) -> RollbackResult:  # fmt: skip
        """Put the target back to what it was before the migration; an interrupted rollback goes on.

        Tables that the migration created are dropped, unless others have written into them. In tables that were there
        before, items get their pre-images back where they are still what the migration wrote. What is not is left as it
        is and listed as a conflict. Nobody else may write meanwhile: to tables that the migration created, as they are
        dropped with what came after the look at them, nor to the others, unless it is guarded.

        :param force: drop and put back whatever others have written since
        :param guarded: in tables that were there before, write each item by itself, and only where it still is what was
            seen right before: what others write meanwhile is a conflict then, unless ``force`` is said; takes several
            times as long. Both, said once, hold until the rollback ends, interrupted or not
        :raises WrongState: it was rolled back before, or no pre-images were kept
        :raises UnsupportedOperation: it can't be guarded, as the target has no revisions of items; nothing was done
        """
        with self._session(engine, workers, options) as session:
            return Rollback(session, self.setup, force, guarded).run()

    @property
    def dead(self) -> DeadLetters:
        """The items that could not be moved, and what can be done with them."""
        return DeadLetters(self.work, self.setup)

    def conflicts(self) -> Iterator[Conflict]:
        """The items that a rollback left as they are."""
        with self.work.journal(writable=False) as journal:
            for table in self.the_plan.tables:
                yield from conflicts_of(journal, table)

    def _session(
        self, engine: str | Engine | None, workers: int | None, options: RunOptions | None
    ) -> AbstractContextManager[Session]:
        """Take the lock, the journal and an engine, to do phases."""
        return session(self.work, self.the_plan, self.setup, engine=engine, workers=workers, options=options)

    def _begin(self, journal: Journal) -> None:
        plan = self.the_plan
        with open_place(plan.source, self._source) as here, open_place(plan.target, self._target, create=True) as there:
            begin(plan, journal, here, there)
            add_before_units(plan, journal, there)

    def _finish(self, journal: Journal) -> None:
        plan = self.the_plan
        if not (is_export(plan.source, self._source) or is_export(plan.target, self._target)):
            return
        with open_place(plan.source, self._source) as here, open_place(plan.target, self._target, create=True) as there:
            check_source(plan, journal, here)
            finish_tables(plan, journal, there)
