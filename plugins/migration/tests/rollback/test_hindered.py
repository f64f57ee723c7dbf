"""Rollbacks that meet what nobody can read, that are killed while they begin anew, or that have much to tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.errors import BackendError
from isthmus.values import Item
from isthmus_migration.digests import item_digest
from isthmus_migration.journal.journal import Journal
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.places.base import Seen
from isthmus_migration.places.databases import DatabasePlace
from isthmus_migration.slices.images import Image, keep_images
from isthmus_migration.tasks import SliceTask, Unit
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, fill, held, numbered, run, sqlite
from plugins.migration.tests.rollback.test_restoring import changed_by_others, into_existing


def damage(url: str, *keys: str) -> None:
    """Make stored items unreadable."""
    with isthmus.connect(url) as database:
        for key in keys:
            database.native().execute("""UPDATE "things:1" SET item = '{bad' WHERE item LIKE ?""", (f'%"{key}"%',))


@pytest.mark.parametrize(("guarded", "write"), [(False, "INSERT"), (True, "INSERT"), (True, "DELETE")])
def test_a_target_that_fails_over_everything_is_to_blame_and_not_its_items(
    tmp_path: Path, guarded: bool, write: str
) -> None:
    """It ends the rollback, which makes no conflicts of a whole table, and goes on when the target is mended."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    _execute(tmp_path, f'CREATE TRIGGER broken BEFORE {write} ON "things:1" BEGIN SELECT no_such_function(); END')
    with pytest.raises(BackendError, match="SQLite refused the statement"):
        migration.rollback(engine="inline", guarded=guarded)
    assert (list(migration.conflicts()), migration.status().state) == ([], State.ROLLING_BACK)
    _execute(tmp_path, "DROP TRIGGER broken")
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("refused", [("k00160",), ("k00160", "k00170")])
def test_items_that_the_target_refuses_by_themselves_are_conflicts(
    tmp_path: Path, refused: tuple[str, ...], guarded: bool
) -> None:
    """However many they are: the target takes others, and the rollback ends."""
    migration = into_existing(tmp_path)
    assert run(migration).finished
    poison = " OR ".join(f"""(NEW.item LIKE '%"{key}"%' AND NEW.item LIKE '%target%')""" for key in refused)
    _execute(
        tmp_path,
        f"""CREATE TRIGGER poison BEFORE INSERT ON "things:1" WHEN {poison} BEGIN SELECT RAISE(ABORT, 'no'); END""",
    )
    result = migration.rollback(engine="inline", guarded=guarded)
    assert result.finished
    assert [one.key for one in migration.conflicts()] == [f'{{"id":"{key}"}}' for key in refused]


@pytest.mark.parametrize("guarded", [False, True])
def test_a_target_that_reads_nothing_is_to_blame_and_not_its_items(
    tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the rollback, which makes no conflicts, and goes on when the target is mended."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished

    def broken(*_given: Any) -> Any:
        raise BackendError("reading failed: check the disk")

    monkeypatch.setattr(DatabasePlace, "get_many", broken)
    monkeypatch.setattr("isthmus_migration.places.databases.look", lambda *_given: Seen(BackendError("reading failed")))
    with pytest.raises(BackendError, match="reading failed"):
        migration.rollback(engine="inline", guarded=guarded)
    assert (list(migration.conflicts()), migration.status().state) == ([], State.ROLLING_BACK)
    monkeypatch.undo()
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def _execute(folder: Path, statement: str) -> None:
    with isthmus.connect(sqlite(folder, "b")) as database:
        database.native().execute(statement)


def _rolled_back(migration: Migration, *, force: bool = False) -> list[tuple[str, str]]:
    migration.rollback(engine="inline", force=force)
    return [(one.key, one.reason) for one in migration.conflicts()]


def test_what_others_made_unreadable_is_left_and_listed(tmp_path: Path) -> None:
    """It is a conflict like any other change, force overrides it, and the rest is put back."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    damage(sqlite(tmp_path, "b"), "k00007", "k00160")
    assert _rolled_back(migration) == [('{"id":"k00007"}', "changed"), ('{"id":"k00160"}', "changed")]
    assert _rolled_back(migration, force=True) == []
    assert digest(sqlite(tmp_path, "b")) == before


@pytest.mark.parametrize("how", ["upsert", "fail", "skip"])
def test_what_can_t_be_read_in_the_target_is_never_overwritten(tmp_path: Path, how: Any) -> None:
    """It could not be put back: the item that would replace it is a dead letter, or skipped; the others are copied."""
    fill(sqlite(tmp_path, "a"), numbered(0, 200, of="source"))
    fill(sqlite(tmp_path, "b"), numbered(150, 300, of="target"))
    damage(sqlite(tmp_path, "b"), "k00160")
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", units=3, into_existing=how
    )  # fmt: skip
    assert run(migration).finished
    letters = [one for one in migration.dead.list() if "k00160" in one.key]
    assert [(one.phase, one.code) for one in letters] == ([] if how == "skip" else [("write", "already_exists")])
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        rows = database.native().execute("""SELECT count(*) FROM "things:1" WHERE item = '{bad'""").fetchall()
    assert rows[0][0] == 1
    done = migration.dead.replay()
    assert done.failed == {"upsert": 1, "fail": 50, "skip": 0}[how]
    assert migration.rollback(engine="inline").clean


def test_an_unreadable_item_of_others_keeps_a_table(tmp_path: Path) -> None:
    """Dropping the table would lose it."""
    fill(sqlite(tmp_path, "a"), numbered(0, 200))
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    fill(sqlite(tmp_path, "b"), [{"id": "new"}])
    damage(sqlite(tmp_path, "b"), "new")
    result = migration.rollback(engine="inline")
    assert [table.action for table in result] == ["kept"]
    assert [one.key for one in migration.conflicts()] == ['{"id":"new"}']


def test_force_survives_a_kill_at_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided without force is forgotten together with the decision to force: calling it again goes on."""
    migration = into_existing(tmp_path)
    before = digest(sqlite(tmp_path, "b"))
    assert run(migration).finished
    changed_by_others(tmp_path)
    assert migration.rollback(engine="inline").conflicts == 3
    for _time in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "enter", _killed)
            with pytest.raises(KeyboardInterrupt):
                migration.rollback(engine="inline", force=True)
    assert migration.rollback(engine="inline", force=True).clean
    assert digest(sqlite(tmp_path, "b")) == before


def _killed(*_args: object, **_more: object) -> None:
    raise KeyboardInterrupt


def test_items_deleted_and_not_journaled_are_no_conflicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback that died between the target and the journal goes on, however often."""
    migration = into_existing(tmp_path)
    before = held(sqlite(tmp_path, "b"))
    assert run(migration).finished
    for _time in range(5):
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "settle", _killed)
            with pytest.raises(KeyboardInterrupt):
                migration.rollback(engine="inline")
    assert migration.rollback(engine="inline").clean
    assert held(sqlite(tmp_path, "b")) == before


def test_units_that_wrote_one_key_are_undone_in_the_order_of_their_slices(tmp_path: Path) -> None:
    """The first one's slice died, and lost the key to the second one's: what stood there before them comes back."""
    items: list[Item] = [{"id": "x", "of": name} for name in ("target", "first", "second")]
    old, first, second = items
    fill(sqlite(tmp_path, "a"), numbered(0, 2))
    fill(sqlite(tmp_path, "b"), [old])
    fold = Transform(compute={"id": {"template": "x", "replace": True}})
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert",
        transforms={"things": fold},
    )  # fmt: skip
    before = digest(sqlite(tmp_path, "b"))
    for number, stood, written in ((901, old, first), (902, first, second)):
        task = SliceTask("copy", Unit(f"things-{number}", "things", ""), number, 0, None)
        image = Image({"id": "x"}, stood, f"{item_digest(written):032x}")
        keep_images(tmp_path / "work" / "images", task, [image])
    fill(sqlite(tmp_path, "b"), [second])
    assert migration.rollback(engine="inline").conflicts == 0
    assert digest(sqlite(tmp_path, "b")) == before
