"""Units of work and estimates."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

import isthmus
from isthmus import Index, Table
from isthmus.slices import Slice
from isthmus.values import Item, item_size
from isthmus_migration.migration import Migration
from isthmus_migration.places.base import TableFacts
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.plans.estimates import Prices, Sampled, estimate
from isthmus_migration.plans.findings import Estimate, Preflight, TablePreflight
from isthmus_migration.plans.sampling import take_sample
from isthmus_migration.plans.table_plans import TablePlanner, Wish
from plugins.migration.tests.plans.helpers import THINGS, contents, filled, numbered, planned, sqlite


@contextmanager
def _dynamodb(url: str, table: Table) -> Iterator[str]:
    """A DynamoDB with a table of this test's own, dropped at its end."""
    with isthmus.connect(url) as database:
        made = database.tables.ensure(table)
        try:
            yield url
        finally:
            made.drop()


def _guess(facts: TableFacts, sample: Sampled, form: str = "sqlite") -> Estimate:
    with isthmus.connect("memory://") as database:
        here, there = DatabasePlace(database, borrowed=True), DatabasePlace(database, borrowed=True)
        here.form = there.form = form
        return estimate(here, there, facts, sample, workers=2, prices=Prices(1.0, 10.0), looks=False)


def test_a_sample_of_everything_is_counted() -> None:
    """What the store says may be hours old."""
    found = _guess(TableFacts(7, 70), Sampled(items=10, size=100, whole=True))
    assert (found.items, found.size) == (10, 100)
    assert _guess(TableFacts(0, 0), Sampled(items=10, size=100)).size == 100


def test_a_sample_that_was_not_tried_means_no_guess() -> None:
    """Where items could not be tried, a table of millions does not take no time."""
    assert _guess(TableFacts(1_000_000, 90_000), Sampled(items=5, tried=False)) == Estimate(1_000_000, 90_000)
    assert _guess(TableFacts(1_000_000, 90_000), Sampled()) == Estimate(1_000_000, 90_000)
    assert _guess(TableFacts(0, 0), Sampled(whole=True)) == Estimate(0, 0, 0.0, 0, 0, 0.0)


def test_counts_come_from_the_store_or_from_its_size() -> None:
    """Or they are unknown, and so is all that follows from them."""
    sample = Sampled(items=10, size=1_000, seconds=0.5)
    assert _guess(TableFacts(1_000, 90_000), sample) == Estimate(1_000, 90_000, 50.0, 0, 0, 0.0)
    assert _guess(TableFacts(None, 50_000), sample).items == 500
    assert _guess(TableFacts(200), sample).size == 20_000
    assert _guess(TableFacts(), sample) == Estimate()
    assert _guess(TableFacts(5), sample).items == 10


class _Empty(DatabasePlace):
    """A place of which every unit is empty."""

    reads = 0

    def read(self, table: Table, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        self.reads += 1
        return Slice([], None, ())


def test_a_sample_is_not_searched_for_in_thousands_of_empty_units() -> None:
    """Each of them is a request; a larger sample may take as many of them as items."""
    for size, reads in ((10, 1_000), (3_000, 3_000)):
        with isthmus.connect("memory://") as database:
            place = _Empty(database, borrowed=True)
            taken = list(take_sample(place, THINGS, list(map(str, range(9_000))), size, random.Random(0)))
        assert (place.reads, len(taken), taken[-1].last) == (reads, reads, False)


def test_dynamodb_units_are_those_of_items_and_of_their_entries_in_indexes() -> None:
    """A write costs a unit for each started KB, in each index that has the item; a scan half a unit for 4 KB."""
    table = Table("things", "id", indexes=[Index("by_n", ("n", int))])
    items: list[Item] = [{"id": "a", "n": 1, "text": "x" * 1_500}, {"id": "b", "text": "x" * 100}]
    sample = Sampled(items=2)
    for item in items:
        sample.add(item)
        sample.add_target(table, item)
    found = _guess(TableFacts(2_000_000), sample, "dynamodb")
    assert found.write_units == (2 * 2 + 1) * 1_000_000
    assert found.read_units == ceil(sum(map(item_size, items)) / 8_192 * 1_000_000)
    assert found.cost == pytest.approx(found.write_units / 1e6 * 10 + (found.read_units or 0) / 1e6)


def test_estimates_add_up_unless_one_is_unknown() -> None:
    """A sum without one of its parts would be a lie."""
    tables = [
        TablePreflight("a", "a", True, 1, 1, True, Estimate(1, 10, 1.0, 2, 3, 0.5)),
        TablePreflight("b", "b", True, 1, 1, True, Estimate(2, None, 1.0, 2, 3, 0.5)),
    ]  # fmt: skip
    assert Preflight(tables).estimate == Estimate(3, None, 2.0, 4, 6, 1.0)


def test_the_plan_says_what_it_takes_to_fill_dynamodb(tmp_path: Path, dynamodb_url: str) -> None:
    """With the price list that was given, named among the assumptions."""
    filled(sqlite(tmp_path, "source"), [{"id": f"k{number}", "text": "x" * 1_500} for number in range(50)])
    migration = planned(tmp_path, target=dynamodb_url, prices=Prices(0.0, 2.0, "EUR"))
    assert migration.preflight is not None
    found = migration.preflight.estimate
    assert (found.items, found.write_units) == (50, 100)
    assert found.cost == pytest.approx(0.0002)
    assert [text for text in migration.preflight.assumptions if "2 EUR" in text]


# ---- units ----


@pytest.mark.parametrize(
    ("size", "workers", "units"), [(None, 2, 8), (1 << 30, 2, 8), (10 << 30, 2, 80), (1 << 50, 2, 4_096), (0, 5, 20)]
)
def test_large_tables_have_more_units(size: int | None, workers: int, units: int) -> None:
    """One for 128 MiB, at least four for each worker, and no more than a service allows."""

    class Sized(DatabasePlace):
        def facts(self, table: Table) -> TableFacts:
            return TableFacts(None, size)

    with isthmus.connect("memory://") as database:
        database.tables.create(THINGS)
        planner = TablePlanner(Sized(database), DatabasePlace(database), Wish(workers=workers))
        assert planner.plan(planner.decide("things")).preflight.units == units


def test_segments_of_dynamodb_are_fixed_in_the_plan_and_come_in_random_order(tmp_path: Path, dynamodb_url: str) -> None:
    """Neighbours may be one partition; the order is the same in each plan."""
    table = Table("plans-segments", "id")
    with _dynamodb(filled(dynamodb_url, numbered(30), table), table):
        plans = [
            Migration.plan(
                dynamodb_url, sqlite(tmp_path, "target"), workdir=tmp_path / name, units=16, tables=[table.name]
            ).the_plan
            for name in ("one", "two")
        ]
        units = [json.loads(unit) for unit in plans[0].tables[0].units]
        assert {unit["segments"] for unit in units} == {16}
        numbers = [unit["segment"] for unit in units]
        assert sorted(numbers) == list(range(16)) != numbers
        assert plans[0].tables[0].units == plans[1].tables[0].units
        assert Migration.open(tmp_path / "one", source=dynamodb_url).run(engine="inline").finished
    assert len(contents(sqlite(tmp_path, "target"), table.name)) == 30


def test_the_size_of_a_table_is_told_without_reading_it(tmp_path: Path, mongodb_url: str) -> None:
    """About right is enough."""
    source = urlunsplit(urlsplit(mongodb_url)._replace(path="/isthmus-plans-facts"))
    with isthmus.connect(source) as database:
        database.tables.ensure(THINGS).drop()
    filled(source, numbered(500))
    table = planned(tmp_path, source=source, sample=10, units=50).the_plan.tables[0]
    assert table.items == 500
    assert 10_000 < (table.size or 0) < 100_000
