"""Units whose workers died: alone and with ever smaller slices, until the one item that kills is found.

Others may have killed the worker: the system for lack of memory, a person, another unit's slice. So a unit is suspected
only after several deaths in a row, and an item is given up only after it has killed three workers that handled nothing
else.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field

from isthmus_migration.journal.journal import UnitState
from isthmus_migration.tasks import SliceTask

_SUSPECT_AFTER: Final = 3
_GIVE_UP_AFTER: Final = 3


@define
class _Suspect:
    state: UnitState
    most: int
    deaths: int = 0


@define
class Care:
    """The units that run alone; the coordinator asks it first."""

    units: dict[str, _Suspect] = field(factory=dict)

    def has(self, state: UnitState) -> bool:
        """Whether this unit is handled with care."""
        return state.unit.id in self.units

    def takes(self, state: UnitState, task: SliceTask, *, alone: bool) -> bool:
        """Learn that a unit's worker died; whether the unit is from now on handled with care."""
        suspect = self.units.get(state.unit.id)
        if suspect is None:
            if state.strikes < _SUSPECT_AFTER:
                return False
            self.units[state.unit.id] = _Suspect(state, max(1, task.budget.items // 8))
            return True
        suspect.state = state
        if suspect.most > 1:
            suspect.most = max(1, suspect.most // 8)
        elif alone:
            suspect.deaths += 1
        return True

    def next(self) -> tuple[UnitState, bool, int]:
        """The unit to run alone, whether its next item shall be given up, and else how many items it may take."""
        suspect = next(iter(self.units.values()))
        return suspect.state, suspect.deaths >= _GIVE_UP_AFTER, suspect.most

    def settled(self, state: UnitState, task: SliceTask) -> None:
        """Learn that a slice was journaled: an item that was given up, or a run that went well, ends the care."""
        suspect = self.units.get(state.unit.id)
        if suspect is None:
            return
        suspect.state, suspect.deaths = state, 0
        suspect.most *= 2
        if state.finished or task.phase == "poison" or suspect.most > 4 * 2_000:
            del self.units[state.unit.id]
