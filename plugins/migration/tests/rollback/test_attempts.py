"""Slices that ran more than once, of which the journal knows one: what stood there before all of them counts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.journal.journal import Journal
from isthmus_migration.migration import Migration
from isthmus_migration.tasks import SliceResult
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, expected, fill, held, numbered, run, sqlite

ATTEMPTS = {"now": 0}


def stamped(item: dict[str, Any]) -> dict[str, Any]:
    """The item with the number of the attempt: each one writes something else."""
    return {**item, "attempt": ATTEMPTS["now"]}


def _migration(folder: Path, **options: Any) -> Migration:
    fill(sqlite(folder, "a"), numbered(0, 100, of="source"))
    fill(sqlite(folder, "b"), numbered(50, 150, of="target"))
    return Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=1, into_existing="upsert", **options
    )


def _written_and_not_journaled(migration: Migration, monkeypatch: pytest.MonkeyPatch, items: int = 100) -> None:
    """A run that is killed after its first slice was written."""

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    ATTEMPTS["now"] += 1
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "settle", _settling("copy", killed))
        with pytest.raises(KeyboardInterrupt):
            migration.run(engine="inline", options=RunOptions(slice_items=items))


def _settling(phase: str, instead: Callable[..., None]) -> Callable[..., None]:
    """What journals slices, but for those of one phase."""
    settle = Journal.settle

    def chosen(journal: Journal, result: SliceResult) -> None:
        (instead if result.task.phase == phase else settle)(journal, result)

    return chosen


@pytest.mark.parametrize("again", [30, 100])
@pytest.mark.parametrize("stamp", [False, True])
def test_what_was_there_first_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: int, stamp: bool
) -> None:
    """After three runs of one slice, the last one in shorter slices, each writing the same or something else."""
    transform = Transform(function=f"{__name__}:stamped") if stamp else Transform(compute={"x": {"value": "y"}})
    migration = _migration(tmp_path, transforms={"things": transform})
    before = digest(sqlite(tmp_path, "b"))
    _written_and_not_journaled(migration, monkeypatch, 150)  # more than there is, so a rest stays unsettled
    _written_and_not_journaled(migration, monkeypatch)
    ATTEMPTS["now"] += 1
    assert migration.run(engine="inline", options=RunOptions(slice_items=again)).finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_what_others_wrote_between_two_runs_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run overwrites it, the rollback puts it back and tells of it."""
    migration = _migration(tmp_path)
    _written_and_not_journaled(migration, monkeypatch)
    fill(sqlite(tmp_path, "b"), [{"id": "k00001", "of": "somebody"}, {"id": "k00060", "of": "somebody"}])
    assert run(migration).finished
    assert held(sqlite(tmp_path, "b"))["k00060"]["of"] == "source"
    result = migration.rollback(engine="inline")
    assert (result.conflicts, result.tables[0].equal) == (2, True)
    assert {held(sqlite(tmp_path, "b"))[key]["of"] for key in ("k00001", "k00060")} == {"somebody"}


@pytest.mark.parametrize("damage", ["short", "flipped", "empty"])
def test_a_damaged_image_is_told(tmp_path: Path, damage: str) -> None:
    """Nothing is put back from it, and mended it is used."""
    migration = _migration(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    path = next((tmp_path / "work" / "images").rglob("*.zst"))
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    path.write_bytes({"short": data[:-20], "flipped": flipped, "empty": b""}[damage])
    with pytest.raises(WorkDirectoryDamaged, match="is damaged"):
        migration.rollback(engine="inline")
    path.write_bytes(data)
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_the_deepest_and_longest_values_are_put_back(tmp_path: Path) -> None:
    """An image holds what a backend can hold at most."""
    deep: Any = "leaf"
    for _level in range(31):
        deep = [deep]
    extreme = {"id": "k00060", "deep": deep, "long": Decimal("1." + "2" * 37), "set": frozenset({b"\x00", b"\xff"})}
    fill(sqlite(tmp_path, "b"), [extreme])
    fill(sqlite(tmp_path, "a"), numbered(0, 100, of="source"))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert"
    )
    assert run(migration).finished
    assert migration.rollback(engine="inline").clean
    assert held(sqlite(tmp_path, "b")) == {"k00060": extreme}


def test_what_was_put_back_by_hand_is_no_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first run's image says what was there before the migration."""
    migration = _migration(tmp_path, transforms={"things": Transform(function=f"{__name__}:stamped")})
    before = digest(sqlite(tmp_path, "b"))
    _written_and_not_journaled(migration, monkeypatch)
    ATTEMPTS["now"] += 1
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), numbered(60, 61, of="target"))
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_repairs_are_undone_before_the_copy(tmp_path: Path) -> None:
    """What a repair replaced comes back, and as it is somebody else's the copy's image doesn't replace it."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "k00060", "of": "somebody"}])
    assert not migration.verify(engine="inline").equal
    assert migration.repair(engine="inline").finished
    assert held(sqlite(tmp_path, "b"))["k00060"]["of"] == "source"
    result = migration.rollback(engine="inline")
    assert [(one.key, one.reason) for one in migration.conflicts()] == [('{"id":"k00060"}', "changed")]
    assert (result.finished, result.tables[0].equal) == (True, True)
    assert held(sqlite(tmp_path, "b"))["k00060"] == {"id": "k00060", "of": "somebody"}
