"""Items at the borders arrive whole, or become dead letters with the reason."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from isthmus_migration.transforms import Transform
from tests.migration.datasets import CITIES, names_as_set, with_set
from tests.migration.edge_cases import EDGES, ITEM_BYTES, edge_cities, portable_edges, sized, wide_edges
from tests.migration.moving import DataSet, Stores, content, load, move, sqlite


def test_portable_edges_travel_through_all_stores(stores: Stores, tmp_path: Path) -> None:
    """Empty containers, null and missing, binary, 34 digits, the smallest and the largest number, 400 KiB."""
    table, items = stores.named(EDGES), portable_edges()
    stations = [sqlite(tmp_path / "first.db"), stores.dynamodb, stores.mongodb, sqlite(tmp_path / "last.db")]
    load(stations[0], table, items.values())
    for number, (source, target) in enumerate(pairwise(stations)):
        moved = move(source, target, tmp_path / f"work{number}", table.name, engine="inline")
        assert (moved.dead, moved.counts.written) == ((), len(items))
    assert content(stations[-1], table) == DataSet(table, items.values).digest()


def test_edge_cities_travel_through_all_stores(stores: Stores, tmp_path: Path) -> None:
    """An empty name in a set, a set of 267 members; a name that comes twice is dropped as is declared."""
    table, found = stores.named(CITIES), edge_cities()
    stations = [sqlite(tmp_path / "first.db"), stores.dynamodb, stores.mongodb, sqlite(tmp_path / "last.db")]
    load(stations[0], table, found.values())
    for number, (source, target) in enumerate(pairwise(stations)):
        transform = Transform() if number else names_as_set(duplicates="drop")
        moved = move(source, target, tmp_path / f"work{number}", table.name, transform, "inline")
        assert (moved.dead, moved.counts.written) == ((), 3)
    assert content(stations[-1], table) == DataSet(table, found.values, with_set).digest()


def test_numbers_of_more_digits_than_the_target_keeps_are_dead_letters(stores: Stores, tmp_path: Path) -> None:
    """MongoDB keeps 34 digits and DynamoDB 38; nothing is rounded."""
    table, items = stores.named(EDGES), wide_edges()
    source = sqlite(tmp_path / "source.db")
    load(source, table, [*items.values(), {"id": "fits", "value": 1}])
    through = move(source, stores.dynamodb, tmp_path / "work1", table.name, engine="inline")
    assert (through.dead, through.counts.written) == ((), 4)
    moved = move(stores.dynamodb, stores.mongodb, tmp_path / "work2", table.name, engine="inline")
    assert {dead.key["id"]: dead.original for dead in moved.dead} == items
    assert {(dead.phase, dead.code) for dead in moved.dead} == {("encode", "invalid_value")}
    assert all("34" in dead.reason for dead in moved.dead)
    assert content(stores.mongodb, table).items == 1


def test_an_item_that_becomes_too_large_is_a_dead_letter(tmp_path: Path) -> None:
    """One byte decides; the others of its batch arrive."""
    source, target = sqlite(tmp_path / "source.db"), sqlite(tmp_path / "target.db")
    growth = len("more") + 1
    items = [sized("fits", ITEM_BYTES - growth), sized("grows", ITEM_BYTES - growth + 1), sized("small", 100)]
    load(source, EDGES, items)
    grown = Transform(compute={"more": "x"})
    moved = move(source, target, tmp_path / "work", EDGES.name, grown, "inline")
    assert [(dead.key["id"], dead.phase, dead.code) for dead in moved.dead] == [("grows", "encode", "item_too_large")]
    assert moved.dead[0].original == items[1]
    kept = [{**item, "more": "x"} for item in items if item["id"] != "grows"]
    assert content(target, EDGES) == DataSet(EDGES, lambda: kept).digest()
