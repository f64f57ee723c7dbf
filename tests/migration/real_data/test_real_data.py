"""Real data goes from SQLite to DynamoDB Local, to MongoDB and back to SQLite, and arrives item by item."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migration.datasets import CITIES, TWICE, cities, names_as_set, with_set
from tests.migration.moving import DataSet, Stores, content, load, move, sqlite


def _there_and_back(data: DataSet, stores: Stores, folder: Path) -> None:
    """Each store's content is what the next migration reads, so every digest but the last one is journaled."""
    table, wanted = stores.named(data.table), data.digest()
    first, last = sqlite(folder / "first.db"), sqlite(folder / "last.db")
    load(first, table, data.items())
    stations = ((first, stores.dynamodb), (stores.dynamodb, stores.mongodb), (stores.mongodb, last))
    for number, (source, target) in enumerate(stations):
        moved = move(source, target, folder / f"work{number}", table.name, data.transform if not number else None)
        assert moved.dead == ()
        assert (moved.counts.read, moved.counts.written) == (wanted.items, wanted.items)
        assert moved.expected == wanted
        assert number == 0 or moved.source == wanted
    assert content(last, table) == wanted


@pytest.mark.slow
def test_cities_travel_through_all_stores(all_cities: DataSet, stores: Stores, tmp_path: Path) -> None:
    """Exact decimals, and sets of names made of lists; of names that come twice one is dropped, as is declared."""
    _there_and_back(all_cities, stores, tmp_path)


@pytest.mark.slow
def test_nodes_travel_through_all_stores(all_nodes: DataSet, stores: Stores, tmp_path: Path) -> None:
    """Six levels deep, with values of many types under one name."""
    _there_and_back(all_nodes, stores, tmp_path)


def test_names_that_come_twice_are_dead_letters_where_that_is_declared(tmp_path: Path) -> None:
    """All others arrive, and each dead letter holds its whole item."""
    source, target = sqlite(tmp_path / "source.db"), sqlite(tmp_path / "target.db")
    numbered = enumerate(cities("cities500"))
    found = {city["id"]: city for number, city in numbered if number < 2_000 or city["id"] in TWICE}
    load(source, CITIES, found.values())
    moved = move(source, target, tmp_path / "work", CITIES.name, names_as_set(duplicates="refuse"), "inline")
    assert {dead.key["id"] for dead in moved.dead} == TWICE
    assert {(dead.phase, dead.code) for dead in moved.dead} == {("transform", "duplicate_members")}
    assert all(dead.original == found[dead.key["id"]] for dead in moved.dead)
    assert moved.counts.written == len(found) - len(TWICE)
    others = {key: with_set(city) for key, city in found.items() if key not in TWICE}
    assert content(target, CITIES) == DataSet(CITIES, others.values).digest() == moved.expected
