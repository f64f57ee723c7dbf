"""The bar of rollbacks, at reduced size: into a target that holds others, killed again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import isthmus
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import digest, expected, fill, numbered, sqlite
from plugins.migration.tests.rollback.killing import FAST, killed
from plugins.mongodb.tests.servers import fresh_name, in_database

KILLS = 5


@pytest.fixture
def target(mongodb_url: str) -> Iterator[str]:
    """A database of 1,200 items."""
    url = in_database(mongodb_url, database=f"rollback-{fresh_name()}")
    fill(url, numbered(800, 2_000, of="target"))
    yield url
    with isthmus.connect(url) as database:
        database.native().drop_database(database.native().get_default_database().name)


def test_a_killed_copy_and_a_killed_rollback_leave_the_target_as_it_was(tmp_path: Path, target: str) -> None:
    """The copy is killed twice and the rollback five times; what somebody else changed meanwhile stays, and is told."""
    fill(sqlite(tmp_path, "a"), numbered(0, 1_500, of="source"))
    before, work = digest(target), tmp_path / "work"
    migration = Migration.plan(sqlite(tmp_path, "a"), target, workdir=work, units=3, into_existing="upsert")
    for _kill in range(2):
        killed(work, "run", "copy", 6)
    assert migration.run(engine="inline", options=RunOptions(rates=FAST)).finished
    assert digest(target) == expected(migration)
    fill(target, [{"id": "k00001", "of": "somebody"}, {"id": "k01499", "of": "somebody"}])
    for _kill in range(KILLS):
        killed(work, "rollback", "rollback", 4)
    result = migration.rollback(engine="threads", workers=2, options=RunOptions(rates=FAST))
    assert (result.finished, result.tables[0].equal) == (True, True)
    assert [(one.key, one.reason) for one in migration.conflicts()] == [
        (f'{{"id":"{key}"}}', "changed") for key in ("k00001", "k01499")
    ]
    with isthmus.connect(target) as database:
        table = database.table("things", partition_key="id")
        table.delete(id="k00001")
        table.put({"id": "k01499", "n": 1_499, "of": "target"})
    assert digest(target) == before
