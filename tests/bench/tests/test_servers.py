"""The machinery of the benchmarks on servers: processes, rounds, checks and bars."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tests.bench.measure import Measurement
from tests.bench.servers import comparing, scaling
from tests.bench.servers.blocks import Block, run_tasks, run_threads
from tests.bench.servers.checking import WrongResult, check
from tests.bench.servers.comparing import DYNAMODB, MONGODB, Bar, Comparison
from tests.bench.servers.items import Item, sample
from tests.bench.servers.peer import Peer
from tests.bench.servers.processes import PeerFailed, Process, Start, started
from tests.bench.servers.rounds import Case, Series, Settings, measured
from tests.bench.servers.work import OPERATIONS, Work


class Stored(Peer):
    """A peer over a dict, whose reads can be spoilt."""

    def __init__(self, spoilt: Item) -> None:
        super().__init__("", "")
        self._spoilt = spoilt
        self._items: dict[tuple[str, str], Item] = {}

    def open(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def get(self, shop: str, order: str) -> Item:
        return {**self._items[shop, order], **self._spoilt}

    def put(self, item: Item) -> None:
        self._items[item["shop"], item["order"]] = dict(item)

    def update(self, shop: str, order: str, amount: Decimal) -> None:
        item = self._items[shop, order]
        self._items[shop, order] = {**item, "amount": amount, "visits": item["visits"] + 1}

    def query(self, shop: str) -> list[Item]:
        return [self.get(*key) for key in sorted(self._items) if key[0] == shop]

    def batch(self, items: list[Item]) -> None:
        for item in items:
            self.put(item)

    def transaction(self, item: Item, shop: str, order: str, amount: Decimal) -> None:
        self.put(item)
        self.update(shop, order, amount)


def checked(spoilt: Item) -> None:
    """Fill and check a peer."""
    peer = Stored(spoilt)
    work = Work(peer)
    peer.batch(work.stored_before())
    asyncio.run(check(peer, work))


def test_a_peer_that_does_its_work_is_accepted() -> None:
    """All operations of a right peer pass the check."""
    checked({})


@pytest.mark.parametrize("spoilt", [{"visits": 7}, {"tax": 20.6374}, {"note": ""}])
def test_a_peer_that_reads_something_else_is_refused(spoilt: Item) -> None:
    """Another value, or a float where a Decimal was written, is no result to measure."""
    with pytest.raises(WrongResult):
        checked(spoilt)


def test_the_item_is_as_the_page_says() -> None:
    """16 attributes, six decimals, about 1 KB."""
    item = sample("shop", "order", 1)
    assert (len(item), str(item).count("Decimal(")) == (16, 6)
    assert 900 < len(str(item)) < 1_300


@pytest.fixture
def processes() -> Iterator[dict[str, Process]]:
    """A sync and an async peer in memory."""
    with started({module: Start(module, "memory://") for module in ("isthmus_sync", "isthmus_async")}) as running:
        yield running


def test_each_round_measures_every_case(processes: dict[str, Process]) -> None:
    """A series has one block for each round that counts."""
    cases = [Case(label, operation, 2) for label in processes for operation in OPERATIONS]
    found = measured(processes, cases, Settings(rounds=1, seconds=0.001))
    assert {case: len(series.blocks) for case, series in found.items()} == dict.fromkeys(cases, 1)
    assert all(block.calls > 0 for series in found.values() for block in series.blocks)


def test_a_peer_that_can_not_start_is_named() -> None:
    """The error says whose process ended."""
    with (
        pytest.raises(PeerFailed, match="the process of broken ended"),
        started({"broken": Start("isthmus_sync", "nothing://")}),
    ):
        pass


def test_all_threads_of_a_block_work() -> None:
    """No caller is idle, and no number is used twice."""
    used: list[int] = []
    block = run_threads(used.append, count(), callers=4, seconds=0.01)
    assert sorted(used) == list(range(block.calls))
    assert block.calls >= 4


def test_all_tasks_of_a_block_work() -> None:
    """No caller is idle, and no number is used twice."""
    used: list[int] = []

    async def call(number: int) -> None:
        used.append(number)
        await asyncio.sleep(0)

    block = asyncio.run(run_tasks(call, count(), callers=4, seconds=0.01))
    assert sorted(used) == list(range(block.calls))
    assert block.calls >= 4


@pytest.mark.parametrize("comparison", [DYNAMODB, MONGODB], ids=lambda comparison: comparison.engine)
def test_bars_name_peers_that_are_measured(comparison: Comparison) -> None:
    """A run of minutes does not end with an unknown label."""
    labels = {label for bar in comparison.bars for label in (bar.ours, bar.reference)} | {comparison.reference}
    assert labels <= set(comparison.modules)
    assert {bar.operation for bar in comparison.bars} <= set(OPERATIONS)


def series(*seconds: float) -> Series:
    """Blocks of one call with these times."""
    return Series([Block(1, second, second / 2) for second in seconds])


def test_a_bar_compares_within_rounds() -> None:
    """The ratio is the median of the rounds' ratios, not the ratio of medians."""
    found = {Case("a", "get", 1): series(1, 2, 30), Case("b", "get", 1): series(10, 4, 10)}
    row = comparing.row("engine", Bar("a", "b", "get", 0.4), found)
    assert (row.ratio, row.spread, row.met) == (0.5, (0.1, 3.0), False)


def scaled(**times: Any) -> Measurement:
    """The row for one series of scaling: ``c4=(1, 1)`` gives the times with 4 callers."""
    found = {Case("x sync", "get", int(callers[1:])): series(*seconds) for callers, seconds in times.items()}
    return scaling.row("x sync", "get", found)


def test_scaling_reports_the_worst_point() -> None:
    """The point that falls most below the best rate of fewer callers is reported."""
    found = scaled(c1=(2, 2), c4=(1, 1), c16=(1.25, 1.25), c64=(1.1, 1.1))
    assert (found.name, found.ratio, found.met) == ("x sync get: 16 callers / 4", 0.8, False)


def test_scaling_that_only_grows_is_met() -> None:
    """More callers that give more are never below the best."""
    found = scaled(c1=(4, 4), c4=(3, 3), c16=(2, 2), c64=(1, 1))
    assert found.met
