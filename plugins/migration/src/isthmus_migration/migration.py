"""``Migration``: a plan in its work directory, and everything that can be done with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

from isthmus.errors import IsthmusError
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.session import Session, session
from isthmus_migration.engines.base import Engine
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.journal import Journal, JournalUnwritable
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.places.opening import open_place
from isthmus_migration.plans.estimates import Prices
from isthmus_migration.plans.findings import Preflight
from isthmus_migration.plans.plan import IntoExisting, Plan
from isthmus_migration.plans.planning import MappingSource, all_transforms, plan_in, read_preflight
from isthmus_migration.plans.starting import begin
from isthmus_migration.plans.table_plans import Wish
from isthmus_migration.reports.status import Status, status_of
from isthmus_migration.slices.worker import Setup
from isthmus_migration.transforms import Sample, Transform


class Migration:
    """One migration. ``plan`` begins one, ``open`` goes on with one.

    :param source: the source's URL again, where the plan had to leave out its secrets
    :param target: the target's, likewise
    """

    def __init__(
        self, work: WorkDirectory, plan: Plan, *, source: str | None = None, target: str | None = None
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
        source: str,
        target: str,
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
    ) -> Self:
        """Plan a migration and write the plan down; nothing else is written.

        ``preflight`` then says what a sample of each table came to, and what the copy will take, about.

        :param source: a database URL, ``env:NAME`` for one in the environment, or a folder with an export
        :param workdir: the work directory, which must not exist or be empty
        :param tables: of the source; all by default
        :param transforms: by the source's tables
        :param mapping: a file with transforms, or what stands beneath ``tables`` in one
        :param into_existing: what happens to items that are in the target already
        :param keep_images: whether a rollback can restore what is replaced
        :param units: how many units each table is divided into; by default its size decides
        :param workers: how many the run will have, for the division and the estimate of its time
        :param sample: items of each table that are put through everything but the writing
        :param seed: of the chance by which they are chosen
        :param prices: of DynamoDB's units, for the estimate of the cost
        :param format: of the export that is written
        :param compression: of that export
        :raises PlanRefused: it can't work; ``problems`` says why
        :raises AlreadyExists: the work directory is not empty
        :raises ConfigurationError: a place can't be opened, or a transform is not valid
        """
        wish = Wish(
            tuple(tables), all_transforms(transforms, mapping), into_existing, keep_images, units, workers, sample,
            seed, prices or Prices(),
        )  # fmt: skip
        work, made = plan_in(Path(workdir), source, target, wish, format=format, compression=compression)
        migration = cls(work, made.plan, source=source, target=target)
        migration.samples = made.samples
        return migration

    @property
    def preflight(self) -> Preflight | None:
        """What was found when the plan was made; ``None`` where its file was removed."""
        return read_preflight(self.work)

    @classmethod
    def open(cls, workdir: str | os.PathLike[str], *, source: str | None = None, target: str | None = None) -> Self:
        """A migration that was planned before.

        :raises WorkDirectoryDamaged: the directory is none, or is damaged
        """
        work = WorkDirectory.open(Path(workdir))
        return cls(work, work.plan(), source=source, target=target)

    @property
    def setup(self) -> Setup:
        """What workers need to begin."""
        return Setup(self.the_plan.to_json(), str(self.work.path.resolve()), self._source, self._target)

    def run(self, *, engine: str | Engine = "processes", workers: int | None = None,
            options: RunOptions | None = None) -> PhaseOutcome:  # fmt: skip
        """Copy until everything is copied, or until something ends the run; calling it again goes on."""
        with self._session(engine, workers, options) as session:
            journal = session.journal
            if journal.state not in (State.PLANNED, State.COPYING, State.PAUSED, State.FAILED):
                raise WrongState(f"the migration is {journal.state}: nothing is left to copy")
            self._begin(journal)
            with entered_on_error(journal):
                journal.enter(State.COPYING)
                outcome = session.do("copy")
            journal.enter(State.COPIED if outcome.finished else State.PAUSED, reason=outcome.reason)
        return outcome

    def status(self) -> Status:
        """Where it stands now; may be asked while another process works on it."""
        return status_of(self.work, self.the_plan)

    def _session(
        self, engine: str | Engine, workers: int | None, options: RunOptions | None
    ) -> AbstractContextManager[Session]:
        """Take the lock, the journal and an engine, to do phases."""
        return session(self.work, self.the_plan, self.setup, engine=engine, workers=workers, options=options)

    def _begin(self, journal: Journal) -> None:
        plan = self.the_plan
        with open_place(plan.source, self._source) as here, open_place(plan.target, self._target, create=True) as there:
            begin(plan, journal, here, there)


@contextmanager
def entered_on_error(journal: Journal) -> Iterator[None]:
    """Note in the journal why a copy ended before its time: by an error, or by Ctrl-C for the second time."""
    try:
        yield
    except JournalUnwritable:
        raise
    except IsthmusError as error:
        journal.enter(State.FAILED, reason=error.message)
        raise
    except KeyboardInterrupt:
        journal.enter(State.PAUSED, reason="it was interrupted")
        raise
