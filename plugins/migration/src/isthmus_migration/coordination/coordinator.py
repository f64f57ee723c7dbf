"""The loop of a run: hand out slices, journal what became of them, never lose a unit.

A unit has at most one slice in flight, and its next one is handed out only after the former is journaled. So whatever
dies, at most the slices in flight are done again.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final

from attrs import asdict, define, evolve, field

from isthmus.errors import IsthmusError
from isthmus_migration.coordination.care import Care
from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.outcomes import PhaseOutcome
from isthmus_migration.coordination.rates import RateControl
from isthmus_migration.coordination.waiting import Waiting, is_passing
from isthmus_migration.engines.base import Engine
from isthmus_migration.journal.journal import Journal, UnitState
from isthmus_migration.tasks import SliceResult, SliceTask

_TICK: Final = 0.2
_PAUSED_TICK: Final = 0.5


@define
class Coordinator:
    """Does all units of one phase.

    :param phase: the units' phase in the journal
    :param care: units whose workers died
    """

    journal: Journal
    engine: Engine
    control: ControlFile
    phase: str
    options: RunOptions
    stopping: bool = False
    care: Care = field(factory=Care)
    _ready: deque[UnitState] = field(factory=deque, init=False)
    _flights: dict[Future[SliceResult], SliceTask] = field(factory=dict, init=False)
    _states: dict[str, UnitState] = field(factory=dict, init=False)
    _refused: dict[str, frozenset[bytes]] = field(factory=dict, init=False)
    _announced: str = field(default="going_on", init=False)
    _rates: RateControl = field(init=False)
    _waiting: Waiting = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rates = RateControl(self.options.rates, self.options.slice_items)
        self._waiting = Waiting(self.options.patience)

    def stop(self) -> None:
        """Hand out nothing more; slices in flight are journaled."""
        self.stopping = True

    def run(self) -> PhaseOutcome:
        """Work until all units are done, or something ends the run.

        :raises IsthmusError: what no repetition can mend; the journal holds all that was done
        """
        for state in self.journal.units(self.phase):
            self._states[state.unit.id] = state
            if not state.finished:
                self._ready.append(state)
        self._tell("phase", phase=self.phase, units=len(self._states), engine=self.engine.name)
        while True:
            ending = self._ending()
            if ending is not None:
                self._tell("ended", phase=self.phase, ending=ending.ending, reason=ending.reason)
                return ending
            self._listen()
            self._hand_out()
            self._collect()

    # ---- deciding ----

    def _ending(self) -> PhaseOutcome | None:
        if self._flights:
            return None
        if not self._ready and not self._waiting.units and not self.care.units:
            return PhaseOutcome("finished")
        if self._dead_limit():
            return PhaseOutcome("dead_limit", "there are more dead letters than were allowed")
        if self.stopping:
            return PhaseOutcome("stopped", "it was told to stop")
        if self._waiting.exhausted:
            return PhaseOutcome("unreachable", self._waiting.reason)
        return None

    def _dead_limit(self) -> bool:
        counts = self.journal.counts(self.phase)
        return self.options.max_dead.exceeded(counts.dead, counts.read)

    def _listen(self) -> None:
        told = self.control.read()
        self.stopping = self.stopping or told.command == "stop"
        if told.rates is not None:
            self._rates.rates = told.rates
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
        return self.stopping or self.control.read().command == "pause" or self._waiting.exhausted or self._dead_limit()

    # ---- handing out ----

    def _hand_out(self) -> None:
        if self._held:
            return
        self._ready.extend(self._waiting.due())
        if self.care.units:
            # A unit whose workers died runs alone, so that nobody else is suspected.
            if not self._flights:
                state, give_up, most = self.care.next()
                self._submit(state, "poison" if give_up else self.phase, most)
            return
        window = 2 * self.engine.workers if self.engine.name != "inline" else 1
        self._rates.in_flight = min(window, len(self._ready) + len(self._flights), self.engine.workers)
        while self._ready and len(self._flights) < window and not self._held:
            self._submit(self._ready.popleft(), self.phase, None)

    def _submit(self, state: UnitState, phase: str, most: int | None) -> None:
        unit = state.unit
        number, unsettled = self.journal.hand_out(self.phase, unit.id)
        task = SliceTask(
            phase, unit, number, state.sequence, state.cursor, self._rates.budget(most), unsettled,
            self._refused.get(unit.id, frozenset()),
        )  # fmt: skip
        try:
            self._flights[self.engine.submit(task)] = task
        except Exception as error:
            if not self.engine.broken(error):
                raise
            self._ready.appendleft(state)
            self._rebuild()

    # ---- collecting ----

    def _collect(self) -> None:
        if not self._flights:
            if self._waiting.units:
                time.sleep(_TICK)
            return
        done, _others = wait(self._flights, timeout=_TICK, return_when=FIRST_COMPLETED)
        broken = False
        for future in done:
            task = self._flights.pop(future)
            error = future.exception()
            if error is None:
                self._settle(task, future.result())
            elif self.engine.killed(error):
                broken = broken or self.engine.broken(error)
                self._died(task)
            else:
                self._failed(task, error)
        if broken:
            self._rebuild()

    def _settle(self, task: SliceTask, result: SliceResult) -> None:
        taken = self.journal.taken(result.claims)
        if taken:
            # Done again without the items whose keys others have: nothing of this run counts.
            self._refused[task.unit.id] = self._refused.get(task.unit.id, frozenset()) | taken
            self._requeue(task)
            return
        self._refused.pop(task.unit.id, None)
        self.journal.settle(evolve(result, task=evolve(task, phase=self.phase)))
        self._rates.learn(result)
        self._waiting.succeeded()
        self._tell("slice", unit=task.unit.id, table=task.unit.table, finished=result.cursor is None,
                   **asdict(result.counts))  # fmt: skip
        state = evolve(
            self._states[task.unit.id], cursor=result.cursor, sequence=task.sequence + 1,
            finished=result.cursor is None, unsettled=(), strikes=0,
        )  # fmt: skip
        self._states[task.unit.id] = state
        self.care.settled(state, task)
        if not state.finished and not self.care.has(state):
            self._ready.append(state)

    def _requeue(self, task: SliceTask) -> None:
        self._ready.appendleft(self._states[task.unit.id])

    def _died(self, task: SliceTask) -> None:
        """A worker died while this slice was in flight, perhaps because of it."""
        state = self._states[task.unit.id]
        state = self._states[task.unit.id] = evolve(state, strikes=state.strikes + 1)
        self.journal.strike(self.phase, task.unit.id, state.strikes, "its worker died")
        self._tell("worker_died", unit=task.unit.id, strikes=state.strikes)
        if not self.care.takes(state, task, alone=not self._flights):
            self._ready.appendleft(state)

    def _failed(self, task: SliceTask, error: BaseException) -> None:
        """A slice could not be done: tried again where that may help."""
        if not is_passing(error):
            raise error
        message = error.message if isinstance(error, IsthmusError) else str(error)
        self.journal.strike(self.phase, task.unit.id, self._states[task.unit.id].strikes, message)
        self._tell("waiting", unit=task.unit.id, reason=message)
        self._waiting.add(self._states[task.unit.id], message)

    def _rebuild(self) -> None:
        for future, task in list(self._flights.items()):
            future.cancel()
            self._died(task)
        self._flights.clear()
        self.engine.rebuild()
