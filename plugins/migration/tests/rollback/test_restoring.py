"""Rollbacks of migrations into tables that held items before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus_migration.coordination.options import DeadLimit
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, fill, held, numbered, run, sqlite


def into_existing(folder: Path, how: Any = "upsert", **options: Any) -> Migration:
    """200 items on their way into a table that has 150 others, 50 of them with the same keys."""
    fill(sqlite(folder, "a"), numbered(0, 200, of="source"))
    fill(sqlite(folder, "b"), numbered(150, 300, of="target"))
    return Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=3, into_existing=how, **options
    )


def changed_by_others(folder: Path) -> None:
    """Three items are changed, deleted and put back to what they were, and a new one comes."""
    with isthmus.connect(sqlite(folder, "b")) as database:
        table = database.table("things", partition_key="id")
        table.put({"id": "k00160", "of": "somebody"})
        table.delete(id="k00161")
        table.put({"id": "k00162", "n": 162, "of": "target"})
        table.put({"id": "k00007", "of": "somebody"})


def test_everything_is_as_before(tmp_path: Path) -> None:
    """Overwritten items are put back, new ones are deleted, and the digest proves it."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    assert digest(sqlite(tmp_path, "b")) != before
    result = migration.rollback(engine="inline")
    assert digest(sqlite(tmp_path, "b")) == before
    assert (result.clean, result.tables[0].restored, result.tables[0].equal) == (True, 200, True)
    assert migration.status().state == State.ROLLED_BACK


def test_what_others_changed_is_left_and_listed(tmp_path: Path) -> None:
    """The rest is as before; what somebody put back by hand is no conflict."""
    migration = into_existing(tmp_path)
    before = held(sqlite(tmp_path, "b"))
    assert run(migration).finished
    changed_by_others(tmp_path)
    result = migration.rollback(engine="inline")
    assert not result.clean
    assert (result.conflicts, result.tables[0].equal) == (3, True)
    assert [(one.table, one.key, one.reason) for one in migration.conflicts()] == [
        ("things", f'{{"id":"{key}"}}', "changed") for key in ("k00007", "k00160", "k00161")
    ]
    del before["k00161"]
    changed = {key: {"id": key, "of": "somebody"} for key in ("k00007", "k00160")}
    assert held(sqlite(tmp_path, "b")) == {**before, **changed}


def test_force_puts_back_what_others_changed(tmp_path: Path) -> None:
    """After a rollback with conflicts as well as at once; then there is nothing left to force."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    changed_by_others(tmp_path)
    assert not migration.rollback(engine="inline").clean
    with pytest.raises(WrongState, match="rolled back before"):
        migration.rollback(engine="inline")
    assert migration.rollback(engine="inline", force=True).clean
    assert digest(sqlite(tmp_path, "b")) == before
    assert not list(migration.conflicts())
    with pytest.raises(WrongState, match="rolled back before"):
        migration.rollback(engine="inline", force=True)


def test_keys_of_others_are_told_by_the_digest(tmp_path: Path) -> None:
    """An item that the migration never wrote is no conflict, but the target is not what it was."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "new"}])
    result = migration.rollback(engine="inline")
    assert (result.clean, result.conflicts, result.tables[0].equal) == (False, 0, False)
    assert result.tables[0].differing_buckets == 1


@pytest.mark.parametrize("how", ["upsert", "fail", "skip"])
def test_a_half_copied_target_is_as_before(tmp_path: Path, how: Any) -> None:
    """Paused by too many dead letters, which are still open; the migration can't be resumed afterwards."""
    fill(sqlite(tmp_path, "a"), numbered(190, 250, of="source", when="no date"))
    dated = Transform(types={"when": "date"})
    migration = into_existing(tmp_path, how, transforms={"things": dated})
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration, max_dead=DeadLimit(count=60 if how == "fail" else 5)).ending == "dead_limit"
    assert len(held(sqlite(tmp_path, "b"))) > 200
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before
    with pytest.raises(WrongState, match="rolled_back"):
        run(migration)


def test_a_table_that_was_empty_is_empty_again(tmp_path: Path) -> None:
    """It was there, so it is not dropped."""
    fill(sqlite(tmp_path, "a"), numbered(0, 60))
    fill(sqlite(tmp_path, "b"), [])
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    assert len(held(sqlite(tmp_path, "b"))) == 60
    assert migration.rollback(engine="inline").clean
    assert held(sqlite(tmp_path, "b")) == {}


def test_without_images_nothing_can_be_put_back(tmp_path: Path) -> None:
    """It is refused before anything is changed."""
    migration = into_existing(tmp_path, keep_images=False)
    assert run(migration).finished
    copied = digest(sqlite(tmp_path, "b"))
    with pytest.raises(WrongState, match="no pre-images were kept"):
        migration.rollback(engine="inline")
    assert digest(sqlite(tmp_path, "b")) == copied
    assert migration.status().state == State.COPIED


def test_what_was_only_planned_is_rolled_back_at_once(tmp_path: Path) -> None:
    """Nothing is there to undo."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert migration.rollback(engine="inline").finished
    assert digest(sqlite(tmp_path, "b")) == before
    assert migration.status().state == State.ROLLED_BACK
