"""``Migration``: a plan in its work directory, and everything that can be done with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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
from isthmus_migration.places.references import reference_to
from isthmus_migration.plans.making import Wish, check_apart, make_plan
from isthmus_migration.plans.plan import IntoExisting, PlacePlan, Plan
from isthmus_migration.reports.status import Status, status_of
from isthmus_migration.slices.worker import Setup
from isthmus_migration.transforms import Transform


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
        self._source = source
        self._target = target

    @classmethod
    def plan(
        cls,
        source: str,
        target: str,
        *,
        workdir: str | os.PathLike[str],
        tables: tuple[str, ...] = (),
        transforms: Mapping[str, Transform] | None = None,
        into_existing: IntoExisting = "refuse",
        keep_images: bool = True,
        units: int | None = None,
    ) -> Self:
        """Plan a migration and write the plan down; nothing else is written.

        :param source: a database URL, ``env:NAME`` for one in the environment, or a folder with an export
        :raises PlanRefused: it can't work; ``problems`` says why
        """
        ends = PlacePlan(reference_to(source)), PlacePlan(reference_to(target))
        wish = Wish(tables, transforms or {}, into_existing, keep_images, units)
        with open_place(ends[0], source) as here, open_place(ends[1], target, create=True) as there:
            check_apart(here, there)
            plan = make_plan(here, there, ends, wish)
        return cls(WorkDirectory.create(Path(workdir), plan), plan, source=source, target=target)

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
            with entered_on_error(journal):
                self._create_tables()
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

    def _create_tables(self) -> None:
        with open_place(self.the_plan.target, self._target, create=True) as target:
            there = {table.name for table in target.tables()}
            for table in self.the_plan.tables:
                if table.created and table.target.name not in there:
                    target.create(table.target)


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
