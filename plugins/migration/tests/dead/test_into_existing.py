"""Targets that hold some of the keys: replaced, kept, or the new items become dead letters; on each backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import (
    THINGS,
    digest,
    expected,
    fill,
    held,
    letters,
    numbered,
    own_tables,
    run,
    sqlite,
)
from plugins.mongodb.tests.servers import fresh_name, in_database


@pytest.fixture(params=["sqlite", "mongodb", "dynamodb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the items 60 to 119 and one that is equal to the source's."""
    url = _URLS[request.param](request, tmp_path)
    fill(url, [*numbered(60, 120, of="target"), *numbered(59, 60, of="source")])
    yield url
    with isthmus.connect(url) as database:
        database.tables.drop(THINGS.name)


_URLS: dict[str, Callable[[pytest.FixtureRequest, Path], str]] = {
    "sqlite": lambda _request, folder: sqlite(folder, "b"),
    "mongodb": lambda request, _folder: in_database(request.getfixturevalue("mongodb_url"), database=fresh_name()),
    "dynamodb": lambda request, _folder: own_tables(request.getfixturevalue("dynamodb_url")),
}


@pytest.mark.parametrize(("how", "written", "unchanged"), [("upsert", 99, 1), ("skip", 59, 1), ("fail", 59, 1)])
def test_partly_overlapping(tmp_path: Path, target: str, how: Any, written: int, unchanged: int) -> None:
    """Items with other keys always arrive, equal ones are left alone, and rolled back all is as before."""
    before = held(target)
    fill(sqlite(tmp_path, "a"), numbered(0, 100, of="source"))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), target, workdir=tmp_path / "work", units=2, into_existing=how
    )  # fmt: skip
    assert run(migration).finished
    with migration.work.journal(writable=False) as journal:
        counts = journal.counts("copy")
    there = held(target)
    assert (counts.read, counts.written, counts.unchanged) == (100, written, unchanged)
    assert (counts.skipped, counts.dead) == {"upsert": (0, 0), "skip": (40, 0), "fail": (0, 40)}[how]
    assert {there[f"k{number:05d}"]["of"] for number in range(60, 100)} == {"source" if how == "upsert" else "target"}
    assert {there[f"k{number:05d}"]["of"] for number in range(60)} == {"source"}
    assert {(phase, code) for _key, phase, code in letters(migration)} == (
        {("write", "already_exists")} if how == "fail" else set()
    )
    assert digest(target) == expected(migration)
    assert migration.rollback(engine="inline").clean
    assert held(target) == before


def test_a_key_that_collides_is_no_item_of_others(tmp_path: Path) -> None:
    """Of two items of the source with one key the first replaces the target's; the second doesn't replace the first."""
    fill(sqlite(tmp_path, "a"), [{"id": f"k{n:05d}", "n": n, "group": f"g{n % 10}"} for n in range(100)])
    fill(sqlite(tmp_path, "b"), [{"id": f"g{n}", "old": True} for n in range(5)])
    folded = Transform(compute={"id": {"template": "{group}", "replace": True}})
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert",
        transforms={"things": folded}, units=3,
    )  # fmt: skip
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration, engine="threads").finished
    assert len(letters(migration)) == 90
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    assert not any("old" in item for item in held(sqlite(tmp_path, "b")).values())
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before
    assert migration.status().state == State.ROLLED_BACK
