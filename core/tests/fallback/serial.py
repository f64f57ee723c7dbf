"""Whether some serial order, in real time, explains every answer that concurrent clients got, and the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from attrs import define

State = Mapping[str, tuple[str, ...] | None]
Fate = Literal["must", "may", "never"]


@define(eq=False)
class Call:
    """One call of a client, or one part of it that is judged by itself.

    :param effect: the state after it, or ``None`` where its answer can't come out of that state
    :param fate: whether it is part of the order: an unknown outcome may be, a conflict is never
    """

    name: str
    effect: Callable[[State], State | None]
    called: int
    answered: float = float("inf")
    fate: Fate = "may"


def explained(calls: Sequence[Call], start: State, end: State) -> bool:
    """Whether an order exists: each call that must be in it once, those that may be perhaps.

    A call that was answered before another was called comes before it.
    """
    part = [call for call in calls if call.fate != "never"]
    seen: set[tuple[int, Any]] = set()

    def search(done: int, state: State) -> bool:
        mark = (done, tuple(sorted(state.items())))
        if mark in seen:
            return False
        seen.add(mark)
        left = [number for number in range(len(part)) if not done & 1 << number]
        if state == end and all(part[number].fate == "may" for number in left):
            return True
        # Whoever must come may not be called after the answer of another that must come and is still left.
        bound = min((part[number].answered for number in left if part[number].fate == "must"), default=float("inf"))
        for number in left:
            if part[number].called > bound:
                continue
            after = part[number].effect(state)
            if after is not None and search(done | 1 << number, after):
                return True
        return False

    return search(0, start)
