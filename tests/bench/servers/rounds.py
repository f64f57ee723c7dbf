"""Blocks of all peers, round by round, in random order, so that a drift of the machine hits all alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from statistics import median

from attrs import define, field, frozen

from tests.bench.servers.blocks import Block
from tests.bench.servers.processes import Process

ROUNDS = 5


@frozen
class Settings:
    """How much is measured.

    :param rounds: rounds that count; one more before them does not
    :param seconds: shortest duration of a block
    """

    rounds: int = ROUNDS
    seconds: float = 0.25


@frozen(order=True)
class Case:
    """What one series of blocks measures."""

    label: str
    operation: str
    callers: int


@define
class Series:
    """The blocks of a case, one for each round."""

    blocks: list[Block] = field(factory=list)

    @property
    def wall(self) -> list[float]:
        """Seconds between the ends of two operations."""
        return [block.wall / block.calls for block in self.blocks]

    @property
    def cpu(self) -> list[float]:
        """Seconds of the client's processor for one operation."""
        return [block.cpu / block.calls for block in self.blocks]


Found = dict[Case, Series]


def measured(processes: Mapping[str, Process], cases: Iterable[Case], settings: Settings) -> Found:
    """All series. Cases of one operation are measured together, so their ratios are taken within moments."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.operation, []).append(case)
    found = {case: Series() for group in groups.values() for case in group}
    for number in range(settings.rounds + 1):
        for group in groups.values():
            for case, block in _round(processes, group, settings.seconds):
                if number:
                    found[case].blocks.append(block)
    return found


def _round(processes: Mapping[str, Process], group: list[Case], seconds: float) -> Iterable[tuple[Case, Block]]:
    # The order is no secret; it only has to differ from round to round.
    for case in random.sample(group, len(group)):
        yield case, processes[case.label].run(case.operation, case.callers, seconds)


def ratios(ours: list[float], reference: list[float]) -> list[float]:
    """Ours through the reference's, round by round."""
    return [own / other for own, other in zip(ours, reference, strict=True)]


Reading = Callable[[Series], list[float]]


def middle(series: Series, reading: Reading) -> float:
    """The median of what is read from a series."""
    return median(reading(series))
