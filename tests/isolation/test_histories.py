"""Concurrent clients, some of whom die, leave histories on each store without anomalies that the docs don't allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from attrs import evolve

from core.tests.fallback.test_interleavings import checks_not_locked, single_collect
from isthmus import Backend
from isthmus.fallback import answers, reads
from isthmus.fallback.backend import needs_fallback
from isthmus.fallback.records import image_after, lock_of, unlocked_image
from tests.isolation.bank import Bank
from tests.isolation.broken import (
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
PERSISTENT: tuple[Store, ...] = ("sqlite", "dynamodb", "mongodb", "mongodb_standalone")
TRIES = 40
"""Histories in which a violation has to show: it needs clients that meet, which is rare where the machine is busy."""


def dirty_read(patch: pytest.MonkeyPatch) -> None:
    """Readers take what a transaction is about to write, whether it is committed or not."""

    def about_to_be(_session: Any, _place: Any, item: Any) -> Any:
        yield from ()
        return unlocked_image(item) if lock_of(item) is None else image_after(item)

    for module in (reads, answers):
        patch.setattr(module, "image_of", about_to_be)
        patch.setattr(module, "chosen", lambda item, _record: image_after(item))


RULES: tuple[tuple[Callable[[pytest.MonkeyPatch], None], type[Workload], Store], ...] = (
    (checks_not_locked, Duty, "mongodb_standalone"),
    (single_collect, Bank, "keyvalue"),
    (single_collect, Bank, "mongodb_standalone"),
    (dirty_read, Lists, "mongodb_standalone"),
)
"""Rules of the transactions that the core does, each left out, and who notices."""
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
SEEDED: tuple[tuple[Store, type[Workload], type[Broken], str], ...] = tuple(
    (store, *violation)
    for number, violation in enumerate(VIOLATIONS)
    for store in ("memory", PERSISTENT[number % len(PERSISTENT)])
)
"""Each violation in memory and on one other store: the checks see histories, and not what wrote them."""


def _name(parameter: Any) -> str:
    return str(getattr(parameter, "__name__", parameter))


def ready(kind: type[Workload], backend: Backend) -> Workload:
    """A workload, where the backend can do what it needs, or the core for it; else the test says why not."""
    lacking = [level for name, level in backend.capabilities.unsupported().items() if name in kind.needs]
    if lacking and not needs_fallback(backend):
        backend.close()
        pytest.skip(lacking[0].reason)
    return kind()


@pytest.mark.parametrize("surface", get_args(Surface))
@pytest.mark.parametrize("kind", WORKLOADS, ids=lambda kind: str(kind.name))
def test_concurrent_clients_see_no_anomaly(
    opened: Callable[[], Backend], store: Store, lost: Any, kind: type[Workload], surface: Surface, seeds: range
) -> None:
    """With conflicts, losses and pauses, and two of eight clients killed in the middle of a call."""
    for seed in seeds:
        backend = opened()
        workload = Run(surface, seed).of(ready(kind, backend), disturb(backend, Trouble(lost=lost)))
        problems = workload.problems(strict=store not in SERIALIZABLE)
        assert not problems, f"--isolation-seed {seed}: {problems[0]}"
        assert len(workload.history.done()) >= kind.least


@pytest.mark.parametrize(("store", "kind", "broken", "expected"), SEEDED, indirect=["store"], ids=_name)
def test_each_violation_is_caught(
    opened: Callable[[], Backend], store: Store, kind: type[Workload], broken: type[Broken], expected: str, seeds: range
) -> None:
    """The real store behind a layer that does one thing wrong: the checks say so, and say what."""
    surface = get_args(Surface)[VIOLATIONS.index((kind, broken, expected)) % 2]
    run = Run(surface, calls=20, killed=0, layers=[broken])
    shown = _shown(run, Trouble(conflicts=0, losses=0), opened, store, kind, seeds, expected)
    assert shown is None, shown


@pytest.mark.parametrize(("left_out", "kind", "store"), RULES, indirect=["store"], ids=_name)
def test_each_rule_of_the_fallback_is_needed(
    opened: Callable[[], Backend], store: Store, lost: Any, left_out: Callable[[pytest.MonkeyPatch], None],
    kind: type[Workload], seeds: range, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Without it, the same histories show anomalies."""
    left_out(monkeypatch)
    trouble = Trouble(pauses=0.6, longest=0.004, losses=0.1, lost=lost)
    shown = _shown(Run("threads", killed=0), trouble, opened, store, kind, seeds, "")
    assert shown is None, shown


def _shown(
    run: Run, trouble: Trouble, opened: Callable[[], Backend], store: Store, kind: type[Workload], seeds: range,
    expected: str,
) -> str | None:  # fmt: skip
    """``None`` where one of some histories shows the expected problem, else what was seen instead."""
    problems: list[str] = []
    for seed in range(seeds.start, seeds.start + TRIES):
        backend = opened()
        workload = evolve(run, seed=seed).of(ready(kind, backend), disturb(backend, trouble))
        problems = workload.problems(strict=store not in SERIALIZABLE)
        if any(expected in problem for problem in problems):
            return None
    return f"not in {TRIES} histories; the last one shows {problems[:3]}"
