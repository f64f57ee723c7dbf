"""What goes wrong in the middle of a run is an error of ours, and the journal says what it was."""

from __future__ import annotations

import pickle
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import (
    BackendError,
    DeadlineExceeded,
    IsthmusError,
    ItemChanged,
    OutcomeUnknown,
    PermissionDenied,
    Unavailable,
)  # fmt: skip
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.coordination.waiting import Waiting
from isthmus_migration.engines.members import portable
from isthmus_migration.engines.origins import origin_of
from isthmus_migration.errors import MigrationError, WorkDirectoryDamaged
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.places.base import Part, Receipt
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.slices import existing
from isthmus_migration.slices.images import Image, forget_images, image_files, keep_images, number_of
from isthmus_migration.tasks import SliceTask, Unit
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, expected, fill, letters, numbered, run, sqlite

_SAME_KEYS = Transform(compute={"id": {"template": "{id}", "replace": True}})
"""Keys could collide, for all that can be told, so slices claim them."""


def _planned(folder: Path, count: int = 200, **options: object) -> Migration:
    fill(sqlite(folder, "a"), numbered(0, count))
    return Migration.plan(sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=2, **options)  # type: ignore[arg-type]


def _failing(patch: pytest.MonkeyPatch, error: Exception, *, after: bool = False) -> None:
    """Let the next write fail, before or after it was done; those after it succeed."""
    real, left = DatabasePlace.put_many, [error]

    def put_many(
        self: DatabasePlace, table: Table, items: Sequence[Item], part: Part, *, normal: bool = False, new: bool = False
    ) -> Receipt:
        if left and not after:
            raise left.pop()
        receipt = real(self, table, items, part, normal=normal, new=new)
        if left:
            raise left.pop()
        return receipt

    patch.setattr(DatabasePlace, "put_many", put_many)


def test_a_journal_that_is_damaged_is_named(tmp_path: Path) -> None:
    """Whatever is asked of it."""
    migration = _planned(tmp_path)
    assert run(migration).finished
    path = migration.work.journal_file
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = path.read_bytes()
    path.write_bytes(data[:12_288] + bytes(byte ^ 0xFF for byte in data[12_288:]))
    with pytest.raises(WorkDirectoryDamaged, match=r"journal\.db can't be read"):
        Migration.open(tmp_path / "work").status()


def test_a_success_ends_the_trouble_although_patience_was_at_its_end() -> None:
    """A slice that was still at work shows that the place is back."""
    waiting = Waiting(patience=0)
    waiting.add("first", "away")
    waiting.failed("away")
    before = (waiting.exhausted, waiting.troubled)
    waiting.succeeded("second")
    assert (before, (waiting.exhausted, waiting.troubled)) == ((True, True), (False, False))


def test_an_error_that_is_not_ours_becomes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by its type, because its words may be values; the run has failed, and can be resumed."""
    migration = _planned(tmp_path)
    _failing(monkeypatch, ValueError("words of a value"))
    with pytest.raises(MigrationError, match=r"failed with ValueError at runs/test_failing\.py:\d+: mend") as caught:
        run(migration)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "words" not in str(caught.value)
    assert migration.status().state == State.FAILED
    with migration.work.journal(writable=False) as journal:
        assert [event["unit"] for event in journal.events() if event["code"] == "slice_failed"] == ["things-00000"]
    assert run(migration).finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def test_an_error_of_a_worker_process_says_where_it_began() -> None:
    """Its traceback stays in that process."""
    try:
        raise KeyError("words of a value")
    except KeyError as error:
        sent = pickle.loads(portable(error))
    assert re.fullmatch(r"runs/test_failing\.py:\d+", origin_of(sent))


def test_a_store_that_refuses_everything_is_to_blame_and_not_its_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk makes no dead letters of a whole table: the run fails, and can be resumed."""
    migration = _planned(tmp_path)
    assert migration.the_plan.tables[0].created
    with monkeypatch.context() as full:
        _fill_the_disk(full)
        with pytest.raises(BackendError, match="disk is full"):
            run(migration)
    assert (letters(migration), migration.status().state) == ([], State.FAILED)
    assert run(migration).finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def _fill_the_disk(patch: pytest.MonkeyPatch) -> None:
    from isthmus.bound_table import BoundTable

    def put_many(_self: BoundTable, _items: Sequence[Item], **_options: object) -> None:
        raise BackendError("the disk is full")

    patch.setattr(DatabasePlace, "_put_normal", lambda _self, _bound, members, _refusals, **_new: members)
    patch.setattr(BoundTable, "put_many", put_many)


@pytest.mark.parametrize("kind", [OutcomeUnknown, DeadlineExceeded, ItemChanged, PermissionDenied])
def test_slices_are_done_again_where_nobody_knows_what_became_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[IsthmusError]
) -> None:
    """Doing one twice does no harm, so none of these ends a run."""
    migration = _planned(tmp_path)
    _failing(monkeypatch, kind("for now"), after=True)
    assert run(migration).finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


@pytest.mark.parametrize("transforms", [{}, {"things": _SAME_KEYS}])
def test_what_is_there_already_is_held_in_memory_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transforms: dict[str, Transform]
) -> None:
    """Slices are cut where it is too large; nothing is left out, and a rollback brings all of it back."""
    monkeypatch.setattr(existing, "_MOST_BYTES", 20_000)
    monkeypatch.setattr(existing, "_RUN", 7)
    fill(sqlite(tmp_path, "b"), numbered(50, 150, old="x" * 3_000))
    before = digest(sqlite(tmp_path, "b"))
    migration = _planned(tmp_path, into_existing="upsert", transforms=transforms)
    assert run(migration).finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    with migration.work.journal(writable=False) as journal:
        counts, slices = journal.counts("copy"), sum(state.sequence for state in journal.units("copy"))
    assert (counts.read, counts.written) == (200, 200)
    assert slices > 15
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


@pytest.mark.parametrize(("there", "options"), [
    (0, {}), (30, {"into_existing": "upsert"}), (30, {"into_existing": "skip"}), (30, {"into_existing": "fail"}),
])  # fmt: skip
def test_slices_that_are_redone_without_images_count_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, options: dict[str, Any]
) -> None:
    """What their first run wrote is not taken for something that was there before."""
    fill(sqlite(tmp_path, "b"), numbered(0, there, old=1))
    migration = _planned(tmp_path, keep_images=False, **options)
    _failing(monkeypatch, Unavailable("gone"), after=True)
    assert run(migration).finished
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    dead = there if options.get("into_existing") == "fail" else 0
    assert len(letters(migration)) == dead
    # Where items of others stay, all images are kept: a verification asks them what is ours.
    kept = {"upsert": 2, "fail": 2, "skip": 4}.get(options.get("into_existing", ""), 0)
    assert len(list((tmp_path / "work" / "images").rglob("*.zst"))) == kept


def test_images_that_nobody_needs_any_more_are_removed(tmp_path: Path) -> None:
    """Those of slices that were not journaled stay, and those of the slice itself, by which a second run is known."""
    unit = Unit("things-00000", "things", "{}")
    image = Image({"id": "k1"}, None, "00")
    for number in (1, 2, 3):
        keep_images(tmp_path, SliceTask("copy", unit, number, 0, None), [image])
    forget_images(tmp_path, SliceTask("copy", unit, 3, 0, None, unsettled=(2,)))
    assert [number_of(path) for path in image_files(tmp_path / "copy" / unit.id)] == [3, 2]
