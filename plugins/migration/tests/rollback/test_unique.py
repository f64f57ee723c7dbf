"""Tables whose items stand in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import isthmus
from isthmus.schema import Table, Unique
from isthmus.values import Item
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import digest, fill, held, sqlite
from plugins.mongodb.tests.servers import fresh_name, in_database

PEOPLE = Table("things", "id", unique=[Unique("email")])


@pytest.fixture
def target(mongodb_url: str) -> Iterator[str]:
    """A database of its own, on a server that keeps values unique."""
    url = in_database(mongodb_url, database=f"unique-{fresh_name()}")
    yield url
    with isthmus.connect(url) as database:
        for name in database.tables.list():
            database.tables.drop(name)


def _people(letter: str, email: str, count: int = 20) -> list[Item]:
    return [{"id": f"{letter}{number:02}", "email": f"{email}{number}"} for number in range(count)]


@pytest.mark.parametrize("changed", [[], ["x03"]])
def test_unique_values_that_moved_to_other_items_come_back(tmp_path: Path, target: str, changed: list[str]) -> None:
    """Whoever has them by now is removed later than they are wanted; what others have changed stays a conflict."""
    fill(target, _people("x", "old"), PEOPLE)
    fill(sqlite(tmp_path, "a"), [*_people("x", "new"), *_people("y", "old")])
    before = digest(target)
    migration = Migration.plan(
        sqlite(tmp_path, "a"), target, workdir=tmp_path / "work", units=2, into_existing="upsert"
    )
    assert migration.run(engine="inline", options=RunOptions(slice_items=7)).finished
    assert migration.status().found.dead == 0
    fill(target, [{"id": key, "email": f"{key} himself"} for key in changed], PEOPLE)
    result = migration.rollback(engine="inline", options=RunOptions(slice_items=7))
    assert [one.key for one in migration.conflicts()] == [f'{{"id":"{key}"}}' for key in changed]
    assert (result.clean, result.tables[0].restored, result.tables[0].equal) == (not changed, 40 - len(changed), True)
    assert (digest(target) == before, len(held(target))) == (not changed, 20)
