"""Tables in which items of others stay: what the migration wrote itself is never excused as one of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import fill, numbered, run, sqlite
from plugins.migration.tests.verification.helpers import change, named, verified


def _skipping(folder: Path, *, keep_images: bool) -> Migration:
    """150 items in several slices of one unit, the last ten of which the target had."""
    fill(sqlite(folder, "a"), numbered(0, 150))
    fill(sqlite(folder, "b"), numbered(140, 160, of="target"))
    migration = Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=1, into_existing="skip",
        keep_images=keep_images,
    )  # fmt: skip
    assert run(migration).finished
    change(folder, put=[{"id": "k00001", "n": -1}])
    return migration


@pytest.mark.parametrize("keep_images", [False, True])
@pytest.mark.parametrize("level", ["digest", "full"])
def test_what_the_migration_wrote_is_no_kept_item(tmp_path: Path, keep_images: bool, level: str) -> None:
    """Whether a rollback was wanted or not, it is known what was written, from the first slice to the last."""
    result = verified(_skipping(tmp_path, keep_images=keep_images), level)
    assert named(result) == [("k00001", "changed")]
    assert result.tables[0].kept == (10 if level == "full" else 0)


def test_nothing_is_excused_once_it_is_unknown_what_was_written(tmp_path: Path) -> None:
    """The folder that told is named."""
    migration = _skipping(tmp_path, keep_images=True)
    shutil.rmtree(tmp_path / "work" / "images")
    with pytest.raises(WorkDirectoryDamaged, match=r"which 140 items of table 'things' .* use `isthmus verify`"):
        verified(migration)
