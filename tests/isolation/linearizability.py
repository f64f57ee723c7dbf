"""Whether a history of one register can be put in one order that each call agrees with (Wing and Gong, Lowe).

The history is followed from its beginning. At each moment all possible worlds are known: what the register may hold,
and which calls that are under way have had their effect. When a call ends, the worlds in which it has had none are
given up; the history is refused where no world is left. Each world is kept once, however many ways lead to it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from attrs import frozen

from tests.isolation.history import Call

State = Hashable
World = tuple[State, frozenset[int]]
"""What is stored, and which of the calls that are under way have had their effect."""
Step = Callable[[State, Call], State]
"""What is stored after a call; ``IMPOSSIBLE`` where the call can't have been answered so."""

IMPOSSIBLE: Any = object()
_SHOWN = 12


@frozen
class Violation:
    """The shortest beginning of a history that no order explains.

    :param calls: the calls that had begun, the last one is that whose answer no order explains
    :param before: what the register may have held until then
    """

    calls: tuple[Call, ...]
    before: tuple[State, ...]

    def __str__(self) -> str:
        lines = [f"    {call}" for call in self.calls[-_SHOWN:]]
        held = ", ".join(map(repr, self.before))
        return "\n".join(["no order explains the last answer; the register may have held " + held, *lines])


def violation(calls: Sequence[Call], step: Step, initial: State = None) -> Violation | None:
    """The first contradiction, or ``None`` where the history is linearizable.

    :param calls: those that were answered, and those of which nobody knows whether they had an effect
    """
    worlds: set[World] = {(initial, frozenset())}
    under_way: dict[int, Call] = {}
    for _, ends, number in _moments(calls):
        if not ends:
            under_way[number] = calls[number]
            continue
        before = worlds
        worlds = {
            (state, had - {number}) for state, had in _reachable(worlds, under_way, step) if number in had
        }  # fmt: skip
        if not worlds:
            return _violation(calls, number, before)
        del under_way[number]
    return None


def _moments(calls: Sequence[Call]) -> list[tuple[int, bool, int]]:
    """Each beginning and each end, in order, with the number of its call."""
    begun = [(call.begun, False, number) for number, call in enumerate(calls)]
    return sorted(begun + [(call.ended, True, number) for number, call in enumerate(calls) if call.ended is not None])


def _reachable(worlds: set[World], under_way: dict[int, Call], step: Step) -> set[World]:
    """All worlds that these become when calls under way have their effect, in any order."""
    found, waiting = set(worlds), list(worlds)
    while waiting:
        state, had = waiting.pop()
        for number in under_way.keys() - had:
            after = step(state, under_way[number])
            world = (after, had | {number})
            if after is not IMPOSSIBLE and world not in found:
                found.add(world)
                waiting.append(world)
    return found


def _violation(calls: Sequence[Call], last: int, worlds: set[World]) -> Violation:
    end = calls[last].ended
    assert end is not None
    begun = sorted((call for call in calls if call.begun < end and call is not calls[last]), key=lambda one: one.begun)
    return Violation((*begun, calls[last]), tuple(sorted({state for state, _ in worlds}, key=repr)))
