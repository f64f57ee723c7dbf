"""Units whose workers died: alone and with ever smaller slices, until the one item that kills is found.

Others may have killed the worker: the system for lack of memory, a person, another unit's slice. So a unit is suspected
only after several deaths in a row, and an item is given up only after it has killed three workers that handled nothing
else. A worker that dies even while it only reads the item leaves nothing to put into a dead letter: such a unit is
blocked, the others go on.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import define, field

SUSPECT_AFTER: Final = 3
GIVE_UP_AFTER: Final = 3
_SHARE: Final = 8

Course = Literal["narrow", "give_up", "blocked"]


@define
class _Suspect:
    """A unit under suspicion.

    :param most: how many items its next slice may have
    :param deaths: how many workers its next item has killed while they handled nothing else
    :param lost: how many more died when it was to be given up
    """

    most: int
    deaths: int = 0
    lost: int = 0


@define
class Care:
    """The suspected units, by name.

    :param full: items of a slice that needs no care
    """

    full: int
    _suspects: dict[str, _Suspect] = field(factory=dict, init=False)

    def __contains__(self, unit: str) -> bool:
        return unit in self._suspects

    def died(self, unit: str, items: int, strikes: int, deaths: int, *, alone: bool) -> None:
        """Learn that workers died over a slice of a unit.

        :param items: how many items the slice might have had
        :param strikes: how many workers have died in a row over this unit
        :param deaths: how many of them died now
        :param alone: whether nothing else was at work
        """
        suspect = self._suspects.get(unit)
        if suspect is None:
            if strikes >= SUSPECT_AFTER:
                self._suspects[unit] = _Suspect(max(1, min(items, self.full) // _SHARE))
        elif suspect.deaths >= GIVE_UP_AFTER:
            suspect.lost += deaths
        elif suspect.most > 1:
            suspect.most = max(1, suspect.most // _SHARE)
        elif alone:
            suspect.deaths += deaths

    def course(self, unit: str) -> tuple[Course, int]:
        """What to do with a suspected unit, and how many items its next slice may have."""
        suspect = self._suspects[unit]
        if suspect.lost >= GIVE_UP_AFTER:
            return "blocked", 0
        return ("give_up", 1) if suspect.deaths >= GIVE_UP_AFTER else ("narrow", suspect.most)

    def settled(self, unit: str, *, finished: bool) -> None:
        """Learn that a slice of a unit was journaled: slices grow again, and at full size the suspicion ends."""
        suspect = self._suspects.get(unit)
        if suspect is None:
            return
        suspect.deaths, suspect.lost, suspect.most = 0, 0, suspect.most * 2
        if finished or suspect.most >= self.full:
            del self._suspects[unit]
