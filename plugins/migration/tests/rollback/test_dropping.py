"""Rollbacks of migrations that created their tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.errors import AlreadyExists
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import THINGS, fill, held, numbered, run, sqlite


def _migration(folder: Path, **options: object) -> Migration:
    fill(sqlite(folder, "a"), numbered(0, 200))
    return Migration.plan(sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=3, **options)  # type: ignore[arg-type]


def _tables(folder: Path) -> list[str]:
    with isthmus.connect(sqlite(folder, "b")) as database:
        return list(database.tables.list())


def test_a_table_of_ours_is_dropped(tmp_path: Path) -> None:
    """And the migration can't be resumed."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    assert _tables(tmp_path) == ["things"]
    result = migration.rollback(engine="inline")
    assert (result.clean, [table.action for table in result]) == (True, ["dropped"])
    assert _tables(tmp_path) == []


def test_a_half_copied_table_of_ours_is_dropped(tmp_path: Path) -> None:
    """What a slice wrote that was never journaled is known by the source."""
    migration = _migration(tmp_path)
    told: list[str] = []

    def killed(code: str, _data: object) -> None:
        told.append(code)
        if told.count("slice") == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(migration, listener=killed)
    with migration.work.journal(writable=True) as journal, journal.transaction() as connection:
        connection.execute("DELETE FROM digest")
    assert 0 < len(held(sqlite(tmp_path, "b"))) < 200
    assert migration.rollback(engine="inline").clean
    assert _tables(tmp_path) == []


def test_a_table_that_others_wrote_into_is_kept(tmp_path: Path) -> None:
    """With all items; those of others are listed, and force drops it nevertheless."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "k00001", "of": "somebody"}, {"id": "new"}])
    result = migration.rollback(engine="inline")
    assert (result.clean, result.conflicts, [table.action for table in result]) == (False, 2, ["kept"])
    assert [(one.key, one.reason) for one in migration.conflicts()] == [
        ('{"id":"k00001"}', "not_ours"), ('{"id":"new"}', "not_ours"),
    ]  # fmt: skip
    assert len(held(sqlite(tmp_path, "b"))) == 201
    assert migration.rollback(engine="inline", force=True).clean
    assert _tables(tmp_path) == []


def test_a_table_that_somebody_else_created_is_never_dropped(tmp_path: Path) -> None:
    """It came after the plan was made: the run refuses it, the rollback leaves it."""
    migration = _migration(tmp_path)
    fill(sqlite(tmp_path, "b"), [{"id": "theirs"}])
    with pytest.raises(AlreadyExists):
        run(migration)
    result = migration.rollback(engine="inline")
    assert [table.action for table in result] == ["absent"]
    assert set(held(sqlite(tmp_path, "b"), THINGS)) == {"theirs"}


def test_an_export_is_removed(tmp_path: Path) -> None:
    """Nothing of it stays, and what else is in the folder does."""
    fill(sqlite(tmp_path, "a"), numbered(0, 200))
    folder = tmp_path / "export"
    migration = Migration.plan(sqlite(tmp_path, "a"), str(folder), workdir=tmp_path / "work", units=3)
    assert run(migration).finished
    assert list(folder.rglob("*.zst"))
    result = migration.rollback(engine="inline")
    assert (result.clean, [table.action for table in result]) == (True, ["dropped"])
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_an_interrupted_rollback_looks_again_before_it_drops(tmp_path: Path) -> None:
    """What others wrote while it stood still is not lost."""
    migration = _migration(tmp_path)
    assert run(migration).finished

    def killed(code: str, data: dict[str, Any]) -> None:
        if (code, data.get("phase")) == ("ended", "rollback_check"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migration.rollback(engine="inline", options=RunOptions(listener=killed))
    fill(sqlite(tmp_path, "b"), [{"id": "new"}])
    result = migration.rollback(engine="inline")
    assert ([table.action for table in result], result.conflicts) == (["kept"], 1)
    assert "new" in held(sqlite(tmp_path, "b"))
