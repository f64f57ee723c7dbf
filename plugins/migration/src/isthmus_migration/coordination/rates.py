"""Dividing the allowed rates among slices, and slowing down where the store turns requests away.

The rule is additive increase, multiplicative decrease: a slice with throttling takes a third off the speed, each one
without gives a little back. It needs no lock that workers share, so it is the same on every engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from math import ceil
from typing import Final

from attrs import define, evolve, field

from isthmus_migration.coordination.control import Rates
from isthmus_migration.slices.pace import READ_UNIT, WRITE_UNIT
from isthmus_migration.tasks import Budget, SliceResult, SliceTask

_DECREASE: Final = 0.67
_INCREASE: Final = 0.03
_SLOWEST: Final = 0.02
_TOLERATED: Final = 0.01
"""Share of throttled items that is no reason to slow down."""
_SLICE_SECONDS: Final = 5.0
"""A slice that is held back should not take much longer than this, so that commands are heard."""


@define
class RateControl:
    """The speed of a run.

    :param rates: what the user allows
    :param items: most items of a slice
    :param speed: share of the measured speed that throttling has left, 0 to 1
    """

    rates: Rates
    items: int
    in_flight: int = 1
    speed: float = 1.0
    _clock: Callable[[], float] = time.monotonic
    _rest: float = field(default=0.0, init=False)
    _former: set[str] = field(factory=set, init=False)
    _measured: float = field(default=0.0, init=False)
    _item_size: float = field(default=1_000.0, init=False)

    def allow(self, rates: Rates, at_work: Iterable[SliceTask] = ()) -> None:
        """Keep to these rates from now on; what is owed to others is forgotten.

        :param at_work: slices that were handed out before: what they will owe, they owe to others
        """
        if rates != self.rates:
            self.rates, self._rest = rates, 0.0
            self._former = {task.unit.id for task in at_work}

    @property
    def resting(self) -> bool:
        """Whether nothing may be handed out for now, because slices took more than their rates allowed."""
        return self._clock() < self._rest

    def owe(self, result: SliceResult) -> None:
        """Learn that a slice did not wait as long as its part of the rates wants it; then all rest a part of that."""
        unit = result.task.unit.id
        former = unit in self._former
        if not result.pending:
            self._former.discard(unit)
        if result.owed > 0 and not former:
            self._rest = max(self._rest, self._clock()) + result.owed / max(self.in_flight, 1)

    def learn(self, result: SliceResult) -> None:
        """Adapt to how a slice went."""
        counts, busy = result.counts, max(result.seconds - result.waited, 0.001)
        if not counts.read:
            return
        rate = counts.read / busy
        self._measured = rate if not self._measured else 0.8 * self._measured + 0.2 * rate
        self._item_size = max(counts.size / counts.read, 1.0)
        throttled = counts.throttled / counts.read
        change = self.speed * _DECREASE if throttled > _TOLERATED else self.speed + _INCREASE
        self.speed = min(1.0, max(_SLOWEST, change))

    def budget(self, most: int | None = None) -> Budget:
        """What the next slice may take.

        :param most: items at most, where a unit is handled with care
        """
        share = max(self.in_flight, 1)
        rates = self.rates
        throttled = self._measured * self.speed if self.speed < 1.0 else None
        allowed = [rate for rate in (None if rates.items is None else rates.items / share, throttled) if rate]
        budget = Budget(
            items_per_second=min(allowed, default=None),
            bytes_per_second=None if rates.size is None else rates.size / share,
            read_units=None if rates.read_units is None else rates.read_units / share,
            write_units=None if rates.write_units is None else rates.write_units / share,
        )
        items = min(self.items, max(1, int(self._items_per_second(budget) * _SLICE_SECONDS)))
        return evolve(budget, items=min(items, most) if most else items, size=_size(budget))

    def _items_per_second(self, budget: Budget) -> float:
        """How many items a second a budget allows, about: by the sizes that were measured."""
        size = self._item_size
        speeds = (
            (budget.items_per_second, 1.0), (budget.bytes_per_second, size),
            (budget.read_units, ceil(size / READ_UNIT)), (budget.write_units, ceil(size / WRITE_UNIT)),
        )  # fmt: skip
        return min((rate / cost for rate, cost in speeds if rate), default=float(self.items))


def _size(budget: Budget) -> int:
    """How many bytes a slice may have, whatever the sizes of its items: those of the first one are not known yet."""
    speeds = ((budget.bytes_per_second, 1), (budget.read_units, READ_UNIT), (budget.write_units, WRITE_UNIT))
    return min([budget.size, *(max(1, int(rate * unit * _SLICE_SECONDS)) for rate, unit in speeds if rate)])
