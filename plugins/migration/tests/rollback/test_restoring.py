"""Rollbacks of migrations into tables that held items before."""

from __future__ import annotations

from pathlib import Path

import pytest

import isthmus
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import digest, fill, held, numbered, run, sqlite


def into_existing(folder: Path, how: str = "upsert") -> Migration:
    """200 items on their way into a table that has 150 others, 50 of them with the same keys."""
    fill(sqlite(folder, "a"), numbered(0, 200, of="source"))
    fill(sqlite(folder, "b"), numbered(150, 300, of="target"))
    return Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=3, into_existing=how
    )


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
