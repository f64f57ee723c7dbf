"""Which unit is handed out next.

A unit is in exactly one place: ready, under suspicion, waiting for its time, out with a worker, blocked, or finished.
So none is lost, and none is handed out twice at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, evolve, field, frozen

from isthmus_migration.coordination.care import Care, Course
from isthmus_migration.coordination.waiting import Waiting
from isthmus_migration.journal.units import UnitState
from isthmus_migration.tasks import SliceResult, SliceTask


@frozen
class Turn:
    """A unit whose next slice shall be handed out.

    :param most: items at most, for a unit under suspicion
    """

    state: UnitState
    course: Course = "narrow"
    most: int | None = None


@define
class Schedule:
    """All units of a phase.

    :param blocked: units that nobody can read on, with the reason
    """

    care: Care
    waiting: Waiting
    blocked: dict[str, str] = field(factory=dict, init=False)
    _states: dict[str, UnitState] = field(factory=dict, init=False)
    _ready: deque[str] = field(factory=deque, init=False)
    _suspected: deque[str] = field(factory=deque, init=False)
    _out: set[str] = field(factory=set, init=False)

    def fill(self, states: Iterable[UnitState]) -> None:
        """Take the units as the journal has them."""
        for state in states:
            self._states[state.unit.id] = state
            if not state.finished:
                self._ready.append(state.unit.id)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def done(self) -> bool:
        """Whether nothing is left to hand out."""
        return not (self._ready or self._suspected or self.waiting or self._out)

    @property
    def pending(self) -> int:
        """How many units could be handed out now."""
        return len(self._ready) + len(self._suspected)

    def next(self, window: int) -> Turn | None:
        """The next turn; ``None`` while there is none, or so many are out already.

        A unit under suspicion runs alone, so that nobody else is blamed for it, nor it for others.
        """
        for unit in self.waiting.due():
            self._give_back(unit)
        if any(unit in self.care for unit in self._out) or len(self._out) >= window:
            return None
        if self._suspected:
            return None if self._out else self._suspect()
        if not self._ready:
            return None
        unit = self._ready.popleft()
        self._out.add(unit)
        return Turn(self._states[unit])

    def _suspect(self) -> Turn | None:
        unit = self._suspected.popleft()
        course, most = self.care.course(unit)
        if course == "blocked":
            self.block(unit)
            return None
        self._out.add(unit)
        return Turn(self._states[unit], course, most)

    # ---- what became of a turn ----

    def block(self, unit: str) -> None:
        """Nobody can go on with this unit: its next item kills whoever touches it."""
        self._out.discard(unit)
        self.blocked[unit] = f"workers die whenever they touch the next item of unit {unit}"

    def again(self, unit: str) -> None:
        """A slice was not done, and nobody is to blame: it is the unit's turn again."""
        self._out.discard(unit)
        self._give_back(unit)

    def wait(self, unit: str, reason: str) -> UnitState:
        """A slice could not be done for now; where the unit stands."""
        self._out.discard(unit)
        self.waiting.add(unit, reason)
        return self._states[unit]

    def died(self, task: SliceTask, deaths: int) -> UnitState:
        """Workers died over a slice; where the unit stands now."""
        unit = task.unit.id
        state = self._states[unit]
        state = self._states[unit] = evolve(state, strikes=state.strikes + deaths)
        self._out.discard(unit)
        self.care.died(unit, task.budget.items, state.strikes, deaths, alone=not self._out)
        self._give_back(unit)
        return state

    def settled(self, task: SliceTask, result: SliceResult) -> None:
        """A slice was journaled."""
        unit, finished = task.unit.id, result.cursor is None
        self._states[unit] = evolve(
            self._states[unit], cursor=result.cursor, sequence=task.sequence + 1, finished=finished, strikes=0
        )
        self._out.discard(unit)
        self.waiting.succeeded(unit)
        self.care.settled(unit, finished=finished)
        if not finished:
            self._give_back(unit, last=True)

    def _give_back(self, unit: str, *, last: bool = False) -> None:
        queue = self._suspected if unit in self.care else self._ready
        if last:
            queue.append(unit)
        else:
            queue.appendleft(unit)
