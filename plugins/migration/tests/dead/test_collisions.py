"""Items of the source that have one key in the target: the first one stays, the others become dead letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, expected, fill, held, letters, numbered, run, sqlite

FOLDED = Transform(compute={"id": {"template": "{group}", "replace": True}})


def _folded(folder: Path, groups: int) -> Migration:
    fill(sqlite(folder, "a"), ({"id": f"k{n:03d}", "group": f"g{n % groups:03d}"} for n in range(400)))
    return Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=4, transforms={"things": FOLDED}
    )


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_one_item_of_each_key_stays(tmp_path: Path, engine: str) -> None:
    """Within a slice, across slices and across units that race: the target holds what the journal expects of it."""
    migration = _folded(tmp_path, 30)
    assert run(migration, engine=engine).finished
    assert len(held(sqlite(tmp_path, "b"))) == 30
    assert {(phase, code) for _key, phase, code in letters(migration)} == {("transform", "key_collision")}
    assert len(letters(migration)) == 370
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
