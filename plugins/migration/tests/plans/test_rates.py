"""Rates: adapted to throttling, divided among slices, and kept by a run."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import InvalidArgument
from isthmus_migration.coordination.control import ControlFile, Rates
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.coordination.rates import RateControl
from isthmus_migration.slices import pace
from isthmus_migration.slices.pace import Pace
from isthmus_migration.tasks import Budget, Counts, SliceResult, SliceTask, Unit
from plugins.migration.tests.plans.helpers import filled, numbered, planned, sqlite

_TASK = SliceTask("copy", Unit("things-00000", "things", "{}"), 1, 0, None)


def _result(read: int = 1_000, throttled: int = 0, seconds: float = 1.0, waited: float = 0.0) -> SliceResult:
    counts = Counts(read=read, size=read * 1_000, throttled=throttled)
    return SliceResult(_TASK, "next", counts, seconds=seconds, waited=waited)


def _control(slice_items: int = 2_000, **rates: float) -> RateControl:
    return RateControl(Rates(**rates), slice_items)


def test_without_rates_and_throttling_nothing_is_held_back() -> None:
    """Slices are as large as was asked for."""
    control = _control()
    control.learn(_result())
    assert control.budget() == Budget(items=2_000)


def test_throttling_takes_a_third_of_the_measured_speed() -> None:
    """Each slice with throttling does, and each without gives a little back, up to the whole."""
    control = _control()
    control.learn(_result(throttled=100))
    control.learn(_result(throttled=100))
    assert control.speed == pytest.approx(0.67**2)
    assert control.budget().items_per_second == pytest.approx(1_000 * 0.67**2)
    control.learn(_result())
    assert control.speed == pytest.approx(0.67**2 + 0.03)
    for _slice in range(100):
        control.learn(_result())
    assert (control.speed, control.budget().items_per_second) == (1.0, None)


def test_a_little_throttling_is_tolerated() -> None:
    """One item in a hundred is no reason to slow down."""
    control = _control()
    control.learn(_result(throttled=10))
    assert control.speed == 1.0


def test_the_speed_is_measured_without_the_waits() -> None:
    """Else a run that is held back would seem slow, and be held back more and more."""
    control = _control()
    control.learn(_result(throttled=500, seconds=10.0, waited=9.0))
    assert control.budget().items_per_second == pytest.approx(1_000 * 0.67)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)), max_size=200))
def test_the_speed_stays_within_its_bounds(slices: list[tuple[int, int]]) -> None:
    """However much was throttled, a run goes on, and gets back to its full speed."""
    control = _control()
    for read, throttled in slices:
        control.learn(_result(read, throttled))
        assert 0.02 <= control.speed <= 1.0
        assert control.budget().items >= 1
    for _slice in range(40):
        control.learn(_result())
    assert control.speed == 1.0


@given(st.integers(1, 64), st.floats(1, 1e6), st.floats(1, 1e9), st.floats(1, 1e5), st.floats(1, 1e5))
def test_slices_in_flight_share_the_rates(flying: int, items: float, size: float, reads: float, writes: float) -> None:
    """All of them together have what was allowed, and none more than its part."""
    control = _control(items=items, size=size, read_units=reads, write_units=writes)
    control.in_flight = flying
    budget = control.budget()
    shares = (budget.items_per_second, budget.bytes_per_second, budget.read_units, budget.write_units)
    assert [share and share * flying for share in shares] == pytest.approx([items, size, reads, writes])


def test_a_slice_that_is_held_back_is_small() -> None:
    """So that pause and stop are heard within seconds; by items, bytes and units alike."""
    assert _control(items=100).budget().items == 500
    assert _control(size=10_000).budget().items == 50
    assert _control(write_units=10).budget().items == 50
    assert _control(items=0.01).budget().items == 1
    assert _control().budget(most=3).items == 3


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        (Budget(items_per_second=50), 2.0), (Budget(bytes_per_second=100_000), 2.5), (Budget(read_units=20), 5.0),
        (Budget(write_units=100), 3.0), (Budget(items_per_second=50, write_units=100), 3.0), (Budget(), 0.0),
    ],
)  # fmt: skip
def test_a_slice_waits_until_all_rates_allow_it(budget: Budget, seconds: float) -> None:
    """100 items of 2,500 bytes: one read unit and three write units each."""
    now, slept = [10.0], list[float]()
    held = Pace(budget, clock=lambda: now[0], sleep=slept.append)
    now[0] += 0.5
    held.keep(100, 250_000)
    assert sum(slept) == held.waited == pytest.approx(max(seconds - 0.5, 0.0))


def test_a_slice_does_not_wait_for_longer_than_a_few_seconds() -> None:
    """An item that is worth hours of its rate would make it seem to hang, and its worker would be ended for it."""
    slept = list[float]()
    held = Pace(Budget(write_units=0.1), clock=lambda: 0.0, sleep=slept.append)
    held.keep(1, 400_000)
    assert slept == [10.0]
    assert held.owed == pytest.approx(391 / 0.1 - 10)


def test_what_a_slice_owes_all_of_them_rest_for() -> None:
    """Each had a part of the rates, so its debt is worth that part of a rest; debts add up, and other rates end it."""
    now = [100.0]
    control = RateControl(Rates(items=1), 1_000, clock=lambda: now[0])
    control.in_flight = 4
    seen = [control.resting]
    for _slice in range(2):
        control.owe(evolve(_result(), owed=40.0))
    control.allow(Rates(items=1))
    for now[0] in (119.9, 120.1):
        seen.append(control.resting)
    control.owe(evolve(_result(), owed=4_000.0))
    seen.append(control.resting)
    control.allow(Rates(items=2))
    assert [*seen, control.resting] == [False, True, False, True, False]


def test_a_slice_that_began_before_the_rates_changed_owes_nothing() -> None:
    """It ends after the change, and its debt is one to the rates of before; what it does next counts."""
    now = [100.0]
    control = RateControl(Rates(items=0.01), 1_000, clock=lambda: now[0])
    control.allow(Rates(), [_TASK])
    for pending in (True, False):
        control.owe(evolve(_result(), owed=4_000.0, pending=pending))
    seen = [control.resting]
    control.owe(evolve(_result(), owed=40.0))
    assert [*seen, control.resting] == [False, True]


def test_a_run_whose_rates_are_lifted_does_not_rest_for_what_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slices at work when that is said still keep to the former rates, and owe hours to them perhaps."""
    keep, allow, owe = Pace.keep, RateControl.allow, RateControl.owe
    heard, rested = threading.Event(), list[bool]()

    def allowed(control: RateControl, rates: Rates, *at_work: Any) -> None:
        allow(control, rates, *at_work)
        if rates == Rates(items=1e6):
            heard.set()

    def kept(held: Pace, items: int, size: int) -> None:
        ControlFile(tmp_path / "work").say(rates=Rates(items=1e6))
        assert heard.wait(60)
        keep(held, items, size)

    def owed(control: RateControl, result: SliceResult) -> None:
        owe(control, result)
        rested.append(control.resting)

    monkeypatch.setattr(pace, "_LONGEST", 0.0)
    monkeypatch.setattr(Pace, "keep", kept)
    monkeypatch.setattr(RateControl, "allow", allowed)
    monkeypatch.setattr(RateControl, "owe", owed)
    filled(sqlite(tmp_path, "source"), numbered(2))
    migration = planned(tmp_path, units=1)
    assert migration.run(engine="threads", options=RunOptions(slice_items=1, rates=Rates(items=0.5))).finished
    assert rested[0] is False


def test_a_run_rests_for_what_its_slices_owe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it keeps to its rate although no slice waits; the last one owes nothing that anybody would wait for."""
    monkeypatch.setattr(pace, "_LONGEST", 0.0)
    filled(sqlite(tmp_path, "source"), numbered(5))
    migration = planned(tmp_path, units=1)
    begun = time.monotonic()
    assert migration.run(engine="inline", options=RunOptions(slice_items=1, rates=Rates(items=10))).finished
    assert time.monotonic() - begun >= 0.4


@pytest.mark.parametrize("rates", [Rates(items=1), Rates(read_units=1)])
def test_counting_keeps_to_the_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: Rates) -> None:
    """What a place counts at once may be worth more than a slice waits for: then the others rest."""
    owed, owe = list[float](), RateControl.owe

    def noted(control: RateControl, result: SliceResult) -> None:
        owed.append(result.owed)
        owe(control, evolve(result, owed=0.0))

    monkeypatch.setattr(pace, "_LONGEST", 0.0)
    filled(sqlite(tmp_path, "source"), numbered(20))
    migration = planned(tmp_path, units=1)
    assert migration.run(engine="inline").finished
    monkeypatch.setattr(RateControl, "owe", noted)
    options = RunOptions(slice_items=4, rates=rates)
    assert migration.verify("count", engine="inline", options=options).equal
    assert len(owed) == 6
    assert 0.1 < max(owed) <= 4


def test_a_run_is_held_to_the_items_a_second_that_were_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By two workers together; neither much faster, nor by waits that are much longer than it needs."""
    waited, keep = list[float](), Pace.keep

    def noted(held: Pace, items: int, size: int) -> None:
        keep(held, items, size)
        waited.append(held.waited)

    monkeypatch.setattr(Pace, "keep", noted)
    filled(sqlite(tmp_path, "source"), numbered(1_000))
    migration = planned(tmp_path, units=8)
    options = RunOptions(slice_items=100, rates=Rates(items=1_000))
    begun = time.monotonic()
    assert migration.run(engine="threads", workers=2, options=options).finished
    assert time.monotonic() - begun >= 0.8
    assert sum(waited) <= 2 * 1.2


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_not_positive_is_refused(rate: float) -> None:
    """It would have meant no limit at all."""
    with pytest.raises(InvalidArgument, match="rate of items"):
        Rates(items=rate)


@pytest.mark.parametrize("wrong", [{"slice_items": 0}, {"patience": -1}, {"slice_seconds": float("nan")}])
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    """The one that is wrong is named."""
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        RunOptions(**wrong)


@pytest.mark.parametrize(("rates", "size"), [
    (Rates(size=300_000), 1_500_000), (Rates(write_units=100), 512_000), (Rates(read_units=100), 2_048_000),
    (Rates(items=10), 8_000_000),
])  # fmt: skip
def test_slices_of_large_items_are_bounded_before_their_size_is_known(rates: Rates, size: int) -> None:
    """Else the first slice of a slow run could take longer than a worker may."""
    assert RateControl(rates, 2_000).budget().size == size
