"""What a slice leaves behind in memory is gone soon, also in threads that are at work without a pause."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.slices import existing
from isthmus_migration.slices.collector import collector_paused
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import fill, held, numbered, run, sqlite


class _Cycle:
    """Something that only the collector can remove."""

    def __init__(self) -> None:
        self.itself = self


def test_a_slice_that_ends_beside_another_leaves_no_garbage() -> None:
    """The collector is paused as long as any slice is at work, so this is the time for it."""
    with collector_paused():
        with collector_paused():
            left = weakref.ref(_Cycle())
            before = left() is None
        assert (before, left(), gc.isenabled()) == (False, None, False)
    assert gc.isenabled()


def noting(item: dict[str, Any]) -> dict[str, Any]:
    """The item, with a note whether the collector is at work."""
    return {**item, "collector": gc.isenabled()}


def test_the_collector_is_at_work_where_functions_are_called(tmp_path: Path) -> None:
    """A parser say leaves trees full of cycles behind: thousands of them in a slice would fill the memory."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    transforms = {"things": Transform(function=f"{__name__}:noting")}
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", transforms=transforms
    )
    assert run(migration).finished
    assert [item["collector"] for item in held(sqlite(tmp_path, "b")).values()] == [True] * 20


@pytest.mark.parametrize(("size", "runs"), [(1, [20, 100, 80]), (4_000, [20, *[4] * 45]), (30_000, [20, *[1] * 180])])
def test_few_large_items_of_the_target_are_looked_up_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, runs: list[int]
) -> None:
    """However small the items are that come: what is there may be far larger, and more so as values."""
    monkeypatch.setattr(existing, "_RUN", 100)
    monkeypatch.setattr(existing, "_RUN_BYTES", 20_000)
    fill(sqlite(tmp_path, "a"), numbered(0, 200))
    fill(sqlite(tmp_path, "b"), numbered(0, 200, old="x" * size))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert", units=1
    )
    asked, get_many = list[int](), DatabasePlace.get_many

    def counted(place: DatabasePlace, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        asked.append(len(keys))
        return get_many(place, table, keys)

    monkeypatch.setattr(DatabasePlace, "get_many", counted)
    assert migration.run(engine="inline", options=RunOptions(slice_items=200)).finished
    assert asked == runs
