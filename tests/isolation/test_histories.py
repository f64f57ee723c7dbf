"""Concurrent clients, some of whom die, leave histories on each store without anomalies that the docs don't allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from isthmus import Backend
from tests.isolation.bank import Bank
from tests.isolation.broken import (
    Breaking,
    Broken,
    DeniedWrites,
    DoubledWrites,
    DroppedWrites,
    HalfTransactions,
    LostUpdates,
    StaleReads,
    TornItems,
    TornReads,
    UncheckedWrites,
)
from tests.isolation.conftest import Store
from tests.isolation.duty import Duty
from tests.isolation.faults import Trouble, disturb
from tests.isolation.lists import Lists
from tests.isolation.registers import Registers
from tests.isolation.scans import Scans
from tests.isolation.workload import Run, Surface, Workload

WORKLOADS: tuple[type[Workload], ...] = (Registers, Lists, Bank, Duty, Scans)
SERIALIZABLE: frozenset[Store] = frozenset({"dynamodb"})
"""Whose transactions are serializable, but need not see what ended before they began."""
TRIES = 5
"""Histories in which a violation has to show: it needs clients that meet, and in one of twenty histories none do."""
VIOLATIONS: tuple[tuple[type[Workload], type[Broken], str], ...] = (
    (Registers, LostUpdates, "no order explains"),
    (Registers, StaleReads, "no order explains"),
    (Registers, DroppedWrites, "no order explains"),
    (Lists, TornReads, "G-single"),
    (Lists, UncheckedWrites, "G2"),
    (Lists, HalfTransactions, "G1a"),
    (Lists, DroppedWrites, "lost"),
    (Lists, DoubledWrites, "duplicate"),
    (Bank, LostUpdates, "the sum is"),
    (Bank, TornReads, "the sum is"),
    (Duty, UncheckedWrites, "both are gone"),
    (Scans, DroppedWrites, "misses an item"),
    (Scans, DeniedWrites, "not committed"),
    (Scans, TornItems, "a torn item"),
)


def ready(kind: type[Workload], backend: Backend) -> Workload:
    """A workload, where the backend can do what it needs; else the test is skipped with the backend's reason."""
    lacking = [level for name, level in backend.capabilities.unsupported().items() if name in kind.needs]
    if lacking:
        backend.close()
        pytest.skip(lacking[0].reason)
    return kind()


@pytest.mark.parametrize("surface", get_args(Surface))
@pytest.mark.parametrize("kind", WORKLOADS, ids=lambda kind: str(kind.name))
def test_concurrent_clients_see_no_anomaly(
    opened: Callable[[], Backend], store: Store, kind: type[Workload], surface: Surface, seeds: range
) -> None:
    """With conflicts, lost answers and pauses, and two of eight clients killed in the middle of a call."""
    for seed in seeds:
        backend = opened()
        workload = Run(surface, seed).of(ready(kind, backend), disturb(backend, Trouble()))
        problems = workload.problems(strict=store not in SERIALIZABLE)
        assert not problems, f"--isolation-seed {seed}: {problems[0]}"
        assert len(workload.history.done()) >= kind.least


@pytest.mark.parametrize(("kind", "broken", "expected"), VIOLATIONS, ids=lambda one: getattr(one, "__name__", ""))
def test_each_violation_is_caught(
    opened: Callable[[], Backend], store: Store, kind: type[Workload], broken: type[Broken], expected: str, seeds: range
) -> None:
    """The real store behind a layer that does one thing wrong: the checks say so, and say what."""
    surface = get_args(Surface)[VIOLATIONS.index((kind, broken, expected)) % 2]
    problems: list[str] = []
    for seed in range(seeds.start, seeds.start + TRIES):
        backend = opened()
        run = Run(surface, seed, killed=0, plugins=[Breaking(broken)])
        workload = run.of(ready(kind, backend), disturb(backend, Trouble(conflicts=0, lost_answers=0)))
        problems = workload.problems(strict=store not in SERIALIZABLE)
        if any(expected in problem for problem in problems):
            return
    pytest.fail(f"not in {TRIES} histories; the last one shows {problems[:3]}")
