"""Paired measurement: ours and the reference in turn, in random order, so that drift hits both alike."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from statistics import median
from time import perf_counter

from attrs import frozen

ROUNDS = 9


@frozen
class Measurement:
    """One line of the report.

    :param ours: median over the rounds, in ``unit``
    :param reference: the same for the reference, or ``None`` where there is only a bar
    :param ratio: median of the rounds' ratios ours / reference; for an overhead, ours itself
    :param bar: the bound that the project promises
    :param at_least: whether the ratio must reach the bar, rather than stay below it
    """

    name: str
    ours: float
    reference: float | None
    ratio: float
    unit: str
    rounds: int
    bar: float
    at_least: bool = False
    spread: tuple[float, float] = (0.0, 0.0)

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar


Block = Callable[[], float]


def timed(call: Callable[[], object], times: int) -> Block:
    """A block that makes a call so many times and gives seconds for each call."""

    def block() -> float:
        started = perf_counter()
        for _ in range(times):
            call()
        return (perf_counter() - started) / times

    return block


def paired(ours: Block, reference: Block, rounds: int = ROUNDS) -> list[tuple[float, float]]:
    """What both blocks give, round by round; one round before that is not counted."""
    gc.collect()
    gc.freeze()
    found = [_round(ours, reference) for _ in range(rounds + 1)]
    return found[1:]


def _round(ours: Block, reference: Block) -> tuple[float, float]:
    # The order is no secret; it only has to differ from round to round.
    if random.random() < 0.5:
        first = ours()
        return first, reference()
    second = reference()
    return ours(), second


def compared(name: str, rounds: list[tuple[float, float]], bar: float, *, unit: str, scale: float = 1.0) -> Measurement:
    """A time against a reference's time: the ratio must stay below the bar."""
    ratios = sorted(ours / reference for ours, reference in rounds)
    ours, reference = (median(column) * scale for column in zip(*rounds, strict=True))
    return Measurement(name, ours, reference, median(ratios), unit, len(rounds), bar, spread=(ratios[0], ratios[-1]))


def rate(name: str, rounds: list[tuple[float, float]], count: int, bar: float) -> Measurement:
    """A rate against a reference's rate, from times for the same work: the ratio must reach the bar."""
    ratios = sorted(reference / ours for ours, reference in rounds)
    ours, reference = (count / median(column) for column in zip(*rounds, strict=True))
    return Measurement(
        name,
        ours,
        reference,
        median(ratios),
        "items/s",
        len(rounds),
        bar,
        at_least=True,
        spread=(ratios[0], ratios[-1]),
    )


def overhead(name: str, rounds: list[tuple[float, float]], bar: float) -> Measurement:
    """What ours costs above the reference, in microseconds for each call."""
    differences = sorted((ours - reference) * 1e6 for ours, reference in rounds)
    ours, reference = (median(column) * 1e6 for column in zip(*rounds, strict=True))
    middle = median(differences)
    return Measurement(name, ours, reference, middle, "µs", len(rounds), bar, spread=(differences[0], differences[-1]))
