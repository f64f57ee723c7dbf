"""The loop of a run: hand out slices, journal what became of them, never lose a unit.

A unit has at most one slice in flight, and its next one is handed out only after the former is journaled. So whatever
dies, at most the slices in flight are done again.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final

from attrs import asdict, define, evolve, field

from isthmus.errors import IsthmusError
from isthmus_migration.coordination.care import Care
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.rates import RateControl
from isthmus_migration.coordination.schedule import Schedule, Turn
from isthmus_migration.coordination.waiting import Waiting, is_passing
from isthmus_migration.engines.base import Engine
from isthmus_migration.engines.failures import EngineLost, WorkerDied
from isthmus_migration.engines.origins import origin_of
from isthmus_migration.errors import MigrationError
from isthmus_migration.journal.journal import Journal
from isthmus_migration.slices.claims import fingerprint
from isthmus_migration.tasks import Counts, SliceResult, SliceTask

_TICK: Final = 0.2
_IDLE_TICK: Final = 0.05
_PAUSED_TICK: Final = 0.5
_REBUILD_TICK: Final = 1.0

GIVE_UP: Final = {"copy": "poison", "verify": "pass_over", "recheck": "pass_over"}
"""What gives up the next item of a unit, for phases that have items to give up."""


@define
class Coordinator:
    """Does all units of one phase.

    :param phase: the units' phase in the journal
    """

    journal: Journal
    engine: Engine
    control: ControlFile
    phase: str
    options: RunOptions
    stopping: bool = False
    _flights: dict[Future[SliceResult], SliceTask] = field(factory=dict, init=False)
    _announced: str = field(default="going_on", init=False)
    _failure: BaseException | None = field(default=None, init=False)
    _lost: bool = field(default=False, init=False)
    _counts: Counts = field(factory=Counts, init=False)
    _rates: RateControl = field(init=False)
    _waiting: Waiting = field(init=False)
    _schedule: Schedule = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rates = RateControl(self.options.rates, self.options.slice_items)
        self._waiting = Waiting(self.options.patience)
        self._schedule = Schedule(Care(self.options.slice_items), self._waiting)

    def stop(self) -> None:
        """Hand out nothing more; slices in flight are journaled."""
        self.stopping = True

    def run(self) -> PhaseOutcome:
        """Work until all units are done, or something ends the run.

        :raises IsthmusError: what no repetition can mend; the journal holds all that was done
        """
        self._schedule.fill(self.journal.units(self.phase))
        self._counts = self.journal.counts(self.phase)
        if self.phase in GIVE_UP:
            # Letters that were replayed or acknowledged count no more against the limit.
            self._counts = evolve(self._counts, dead=self.journal.open_dead())
        self._tell("phase", phase=self.phase, units=len(self._schedule), engine=self.engine.name)
        while True:
            ending = self._ending()
            if ending is not None:
                if self.stopping:
                    # With slices in this process, the signal came when none was in flight.
                    self._announce("stopping")
                self._tell("ended", phase=self.phase, ending=ending.ending, reason=ending.reason)
                return ending
            self._listen()
            self._hand_out()
            self._collect()

    # ---- deciding ----

    def _ending(self) -> PhaseOutcome | None:
        if self._flights:
            return None
        if self._failure is not None:
            raise self._failure
        if self._schedule.done:
            blocked = self._schedule.blocked
            return PhaseOutcome("blocked", "; ".join(blocked.values())) if blocked else PhaseOutcome("finished")
        if self._dead_limit():
            return PhaseOutcome("dead_limit", "there are more dead letters than were allowed")
        if self.stopping:
            return PhaseOutcome("stopped", "it was told to stop")
        if self._waiting.exhausted:
            return PhaseOutcome("unreachable", self._waiting.reason)
        return None

    def _dead_limit(self) -> bool:
        return self.options.max_dead.exceeded(self._counts.dead, self._counts.read)

    def _listen(self) -> None:
        told = self.control.read()
        self.stopping = self.stopping or told.command == "stop"
        if told.rates is not None:
            self._rates.allow(told.rates, self._flights.values())
        self._announce("stopping" if self.stopping else "paused" if told.command == "pause" else "going_on")
        self._tell("tick", active=len(self._flights))
        if told.command == "pause" and not self._flights and not self.stopping:
            time.sleep(_PAUSED_TICK)

    def _announce(self, command: str) -> None:
        """Tell what the run was told, once. A signal only sets a flag: it may come in the middle of a listener."""
        if command != self._announced:
            self._announced = command
            self._tell(command, active=len(self._flights))

    def _tell(self, code: str, **data: Any) -> None:
        self.options.listener(code, data)

    @property
    def _held(self) -> bool:
        ended = self._failure is not None or self._waiting.exhausted or self._dead_limit()
        return ended or self.stopping or self.control.read().command == "pause"

    # ---- handing out ----

    def _hand_out(self) -> None:
        if self._lost and not self._held and not self._flights:
            self._rebuild()
        self._rates.in_flight = min(self._schedule.pending + len(self._flights), self.engine.workers)
        while not (self._held or self._lost or self._rates.resting):
            turn = self._schedule.next(self.engine.window)
            if turn is None:
                return
            self._submit(turn)

    def _submit(self, turn: Turn) -> None:
        state, unit = turn.state, turn.state.unit
        if turn.course == "give_up" and self.phase not in GIVE_UP:
            self._schedule.block(unit.id)
            return
        budget = self._rates.budget(turn.most)
        number, unsettled = self.journal.hand_out(self.phase, unit.id, budget.items)
        task = SliceTask(
            GIVE_UP[self.phase] if turn.course == "give_up" else self.phase, unit, number, state.sequence, state.cursor,
            budget, unsettled,
        )  # fmt: skip
        self._launch(task)

    def _launch(self, task: SliceTask) -> None:
        try:
            self._flights[self.engine.submit(task)] = task
        except EngineLost as error:
            self._schedule.again(task.unit.id)
            self._lose(error)

    def _lose(self, error: EngineLost) -> None:
        if not self._lost:
            self.journal.event("warning", "engine_lost", reason=error.message)
        self._lost = True
        self._waiting.failed(error.message)

    def _rebuild(self) -> None:
        try:
            self.engine.rebuild()
        except EngineLost as error:
            self._lose(error)
            time.sleep(_REBUILD_TICK)
        else:
            self._lost = False
            self.journal.event("info", "engine_back")

    # ---- collecting ----

    def _collect(self) -> None:
        if not self._flights:
            time.sleep(_IDLE_TICK)
            return
        self.engine.overdue(self.options.slice_seconds)
        done, _others = wait(self._flights, timeout=_TICK, return_when=FIRST_COMPLETED)
        for future in done:
            self._land(self._flights.pop(future), future)

    def _land(self, task: SliceTask, future: Future[SliceResult]) -> None:
        error = future.exception()
        if error is None:
            self._settle(task, future.result())
        elif isinstance(error, WorkerDied):
            self._died(task, error)
        elif isinstance(error, EngineLost):
            self._schedule.again(task.unit.id)
            self._lose(error)
        elif is_passing(error):
            self._wait(task, error)
        else:
            # The others may end first, so that as little as possible is done again.
            self._schedule.again(task.unit.id)
            self._failure = self._failure or self._told(task, error)

    def _told(self, task: SliceTask, error: BaseException) -> BaseException:
        """An error that no repetition mends, noted, as one of ours; its words may hold values where it is not."""
        if not isinstance(error, Exception):
            return error
        if not isinstance(error, IsthmusError):
            kind, origin = type(error).__name__, origin_of(error) or "its cause"
            cause, error = error, MigrationError(
                f"a slice of unit {task.unit.id} failed with {kind} at {origin}: mend that; what is journaled "
                "counts, and a resume does the slice again"
            )  # fmt: skip
            error.__cause__ = cause
        self.journal.event("error", "slice_failed", unit=task.unit.id, number=task.number, reason=error.message)
        return error

    def _settle(self, task: SliceTask, result: SliceResult) -> None:
        self._rates.owe(result)
        if result.pending:
            self._grant(task, result)
            return
        self.journal.settle(evolve(result, task=evolve(task, phase=self.phase)))
        self._counts += result.counts
        self._rates.learn(result)
        if self._waiting.troubled:
            self.journal.event("info", "working_again")
        self._schedule.settled(task, result)
        self._tell("slice", unit=task.unit.id, table=task.unit.table, finished=result.cursor is None,
                   **asdict(result.counts))  # fmt: skip
        if result.dead:
            codes = Counter(letter.code for letter in result.dead)
            self._tell("dead", table=task.unit.table, count=len(result.dead), codes=dict(codes))

    def _grant(self, task: SliceTask, result: SliceResult) -> None:
        """Let a slice go on without the items whose keys were claimed before, and let it take no more items."""
        refused = self.journal.claim(task.unit.id, result.claims)
        budget = evolve(task.budget, items=max(result.counts.read, 1))
        self._launch(evolve(task, budget=budget, granted=fingerprint(result.claims), refused=refused))

    def _died(self, task: SliceTask, error: WorkerDied) -> None:
        """A worker died while this slice was in flight, perhaps because of it."""
        state = self._schedule.died(task, error.deaths)
        self.journal.strike(self.phase, task.unit.id, state.strikes, error.message)
        self.journal.event(
            "warning", "worker_died", unit=task.unit.id, number=task.number, strikes=state.strikes, reason=error.message
        )

    def _wait(self, task: SliceTask, error: BaseException) -> None:
        """A slice could not be done for now."""
        message = error.message if isinstance(error, IsthmusError) else str(error)
        if not self._waiting.troubled:
            self.journal.event("warning", "waiting", unit=task.unit.id, reason=message)
        state = self._schedule.wait(task.unit.id, message)
        self.journal.strike(self.phase, task.unit.id, state.strikes, message)
