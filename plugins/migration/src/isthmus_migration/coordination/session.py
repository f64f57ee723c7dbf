"""A coordinator's hold of a work directory: its lock, its journal and an engine, in which phases are done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import evolve, frozen

from isthmus.errors import InvalidArgument, IsthmusError
from isthmus_migration.coordination.control import ControlFile, Rates
from isthmus_migration.coordination.coordinator import Coordinator
from isthmus_migration.coordination.errands import Errand
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.progress import Progress
from isthmus_migration.coordination.reporting import EventFile, Reporter
from isthmus_migration.engines.base import Engine
from isthmus_migration.engines.choosing import engine_of
from isthmus_migration.journal.journal import Journal, JournalUnwritable
from isthmus_migration.journal.lock import WorkLock
from isthmus_migration.journal.states import State
from isthmus_migration.journal.workdir import WorkDirectory
from isthmus_migration.plans.plan import Plan
from isthmus_migration.reports.writing import write_reports
from isthmus_migration.slices.worker import Setup


@frozen
class Session:
    """The journal, open for writing, and phases."""

    plan: Plan
    journal: Journal
    engine: Engine
    control: ControlFile
    options: RunOptions
    _reporter: Reporter

    def do(self, phase: str) -> PhaseOutcome:
        """Do a phase until its units are done, or until something ends it; Ctrl-C is one of those.

        :raises IsthmusError: what no repetition can mend; the journal holds all that was done
        """
        self._reporter.progress = Progress.of(self.journal, self.plan, phase, self.engine.workers)
        coordinator = Coordinator(self.journal, self.engine, self.control, phase, self.options)
        with stopped_by_interrupt(coordinator.stop):
            return coordinator.run()

    def attend(self, step: Callable[[], bool]) -> PhaseOutcome:
        """Do, step by step, what only the coordinator can do: waiting for places, and ended, as a phase is.

        :param step: says whether more may be left; one that failed is done again
        :raises IsthmusError: what no repetition can mend
        """
        errand = Errand(self.journal, self.control, self.options, step)
        with stopped_by_interrupt(errand.stop):
            return errand.run()


@contextmanager
def session(
    work: WorkDirectory, plan: Plan, setup: Setup, *, engine: str | Engine | None = None, workers: int | None = None,
    options: RunOptions | None = None,
) -> Iterator[Session]:  # fmt: skip
    """Take the lock, open the journal, begin with an engine; let go of all of them at the end.

    :raises WorkDirectoryInUse: another coordinator has the directory
    :raises InvalidArgument: there is no such engine, or the options are of another kind
    """
    options = RunOptions() if options is None else options
    if not isinstance(options, RunOptions):
        raise InvalidArgument(f"the options of a run are RunOptions(…), not a {type(options).__name__}")
    chosen = engine_of(setup, engine, workers)
    with WorkLock(work.path), work.journal(writable=True) as journal, EventFile(work.path) as file:
        work.check_in_force(journal, plan)
        work.settle_plan(journal)
        reporter = Reporter(file, options.listener)
        journal.listener = reporter.tell
        control = ControlFile(work.path)
        # Rates that were said to an earlier run hold until others are said.
        control.say("run", None if options.rates == Rates() else options.rates)
        with reported(work, plan, journal), chosen:
            chosen.start(setup)
            yield Session(plan, journal, chosen, control, evolve(options, listener=reporter.tell), reporter)


@contextmanager
def reported(work: WorkDirectory, plan: Plan, journal: Journal) -> Iterator[None]:
    """Write the reports at the end, also after an error; not where somebody wants to be gone at once."""
    try:
        yield
    except Exception:
        _try_to_report(work, plan, journal)
        raise
    _try_to_report(work, plan, journal)


def _try_to_report(work: WorkDirectory, plan: Plan, journal: Journal) -> None:
    # What was done counts, with or without a report; it can be written later.
    with suppress(OSError):
        write_reports(work, plan, journal)


@contextmanager
def stopped_by_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C stops gently the first time, and at once the second time; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.getsignal(signal.SIGINT)

    def first(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


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
