"""The guard of a rollback: it holds until the end, and is refused before anything is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import Capability
from isthmus.capabilities import Unsupported
from isthmus.errors import UnsupportedOperation
from isthmus.memory import MemoryBackend
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import fill, numbered, run, sqlite
from plugins.migration.tests.rollback.test_restoring import into_existing


def test_a_guard_is_kept_when_a_killed_rollback_goes_on(tmp_path: Path) -> None:
    """It was said once, and what it guards was not even divided yet."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    told: list[dict[str, Any]] = []

    def killed(code: str, data: dict[str, Any]) -> None:
        if (code, data.get("state")) == ("state", "rolling_back"):
            told.append(data)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migration.rollback(engine="inline", guarded=True, options=RunOptions(listener=killed))
    assert told == [{"state": "rolling_back", "force": False, "guarded": True}]
    assert migration.rollback(engine="inline").clean
    with migration.work.journal(writable=False) as journal:
        specs = [json.loads(state.unit.spec) for state in journal.units("rollback")]
    assert {spec["guarded"] for spec in specs} == {True}


def test_a_guard_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    """A table that the migration created is still there, and the migration is not being rolled back."""
    backend = MemoryBackend()
    backend.capabilities = backend.capabilities.replace({Capability.REVISION: Unsupported("this store has none")})
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    fill(sqlite(tmp_path, "a"), numbered(0, 20), isthmus.Table("others", "id"))
    with isthmus.connect(backend) as target:
        target.table("things", partition_key="id").ensure().put({"id": "k00007", "of": "target"})
        migration = Migration.plan(sqlite(tmp_path, "a"), target, workdir=tmp_path / "work", into_existing="upsert")
        assert migration.run(engine="inline").finished
        with pytest.raises(UnsupportedOperation, match="can't be guarded: roll back without"):
            migration.rollback(engine="inline", guarded=True)
        assert (list(target.tables.list()), migration.status().state) == (["others", "things"], State.COPIED)
        assert migration.rollback(engine="inline").clean
        assert list(target.tables.list()) == ["things"]
