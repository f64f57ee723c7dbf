"""Pre-images that are gone, that lie among other files, or whose items have expired by now."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

import isthmus
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.digests import bucket_of
from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.journal.journal import JournalUnwritable
from isthmus_migration.migration import Migration
from plugins.migration.tests.dead.helpers import digest, fill, held, numbered, run, sqlite
from plugins.migration.tests.rollback.test_restoring import into_existing
from plugins.migration.tests.verification.test_excuses import HOUR, an_hour_later

__all__ = ["an_hour_later"]


@pytest.mark.parametrize("which", ["", "copy/things-00000", "file"])
def test_lost_images_are_noticed_before_anything_is_put_back(tmp_path: Path, which: str) -> None:
    """A rollback is refused, and done once they are there again; force puts back what is left."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    copied, images = digest(sqlite(tmp_path, "b")), tmp_path / "work" / "images"
    lost = next(images.rglob("*.zst")) if which == "file" else images / which
    shutil.move(lost, tmp_path / "elsewhere")
    with pytest.raises(WorkDirectoryDamaged, match=r"lacks pre-images of \d+ items of table 'things': restore it"):
        migration.rollback(engine="inline")
    assert digest(sqlite(tmp_path, "b")) == copied
    shutil.move(tmp_path / "elsewhere", lost)
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_force_puts_back_what_is_left_of_the_images(tmp_path: Path) -> None:
    """The digest says that it is not all."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    shutil.rmtree(tmp_path / "work" / "images" / "copy" / "things-00000")
    result = migration.rollback(engine="inline", force=True)
    assert (result.finished, result.clean, result.tables[0].equal) == (True, False, False)


def test_other_files_among_the_images_are_left_alone(tmp_path: Path) -> None:
    """A file manager's, or a copy that somebody made."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    images = tmp_path / "work" / "images"
    (images / ".DS_Store").write_text("")
    shutil.copy(next(images.rglob("*.zst")), images / "copy" / "things-00000" / "copy of 7.images.zst")
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_what_has_expired_meanwhile_is_not_put_back(tmp_path: Path, an_hour_later: Callable[[], None]) -> None:
    """Neither it nor what the migration put in its place is left, and that others expired is no difference."""
    table, until = Table("things", "id", ttl="until"), int(time.time()) + HOUR
    fill(sqlite(tmp_path, "a"), numbered(0, 30), table)
    fill(sqlite(tmp_path, "b"), [*numbered(10, 20, of="target"), *numbered(20, 40, until=until)], table)
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert"
    )
    assert run(migration).finished
    an_hour_later()
    result = migration.rollback(engine="inline")
    assert (result.clean, result.conflicts, result.tables[0].equal) == (True, 0, None)
    assert result.tables[0].fewer_buckets == 20
    assert set(held(sqlite(tmp_path, "b"), table)) == {f"k{number:05d}" for number in range(10, 20)}


@pytest.mark.parametrize("deleted", [[], ["k00050"]])
def test_what_never_expires_is_not_taken_for_expired(
    tmp_path: Path, an_hour_later: Callable[[], None], deleted: list[str]
) -> None:
    """Of an item without an expiry time it is told that others deleted it; conflicts count as they were left."""
    table, until = Table("things", "id", ttl="until"), int(time.time()) + HOUR
    beside = next(f"e{number}" for number in count() if bucket_of([f"e{number}"]) == bucket_of(["k00012"]))
    expiring: list[Item] = [*numbered(60, 70, until=until), {"id": beside, "until": until}]
    fill(sqlite(tmp_path, "a"), numbered(0, 30), table)
    fill(sqlite(tmp_path, "b"), [*numbered(10, 20, of="target"), *numbered(40, 60), *expiring], table)
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert"
    )
    assert run(migration).finished
    later: dict[str, Item] = {"k00012": {"until": until + 2 * HOUR}, "k00013": {}, "k00002": {}}
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        database.table(table).put_many([{"id": key, **more, "of": "somebody"} for key, more in later.items()])
        for key in ("k00014", *deleted):
            database.table(table).delete(id=key)
    an_hour_later()
    result = migration.rollback(engine="inline").tables[0]
    assert (result.conflicts, result.fewer_buckets) == (4, 11)
    assert (result.equal, result.differing_buckets) == ((False, 1) if deleted else (None, 0))


@pytest.mark.parametrize("existing", [False, True])
def test_the_source_may_be_gone(tmp_path: Path, existing: bool) -> None:
    """What only concerns the target needs no source."""
    if existing:
        migration = into_existing(tmp_path)
    else:
        fill(sqlite(tmp_path, "a"), numbered(0, 60))
        migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    (tmp_path / "a.db").unlink()
    assert migration.rollback(engine="inline").clean


def test_a_full_disk_while_items_of_others_are_looked_for(tmp_path: Path) -> None:
    """The file that can't be written is named, and the rollback can be called again."""
    fill(sqlite(tmp_path, "a"), numbered(0, 60))
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "new"}])
    (tmp_path / "work" / "rollback.db").mkdir()
    with pytest.raises(JournalUnwritable, match=r"rollback\.db can't be written .* then roll back again"):
        migration.rollback(engine="inline")
    (tmp_path / "work" / "rollback.db").rmdir()
    assert migration.rollback(engine="inline").conflicts == 1
