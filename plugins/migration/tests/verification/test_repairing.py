"""Repairs: exactly what differs is mended, and nothing else is touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, fill, held, numbered, run, sqlite
from plugins.migration.tests.dead.test_collisions import export_with_a_key_thrice
from plugins.migration.tests.rollback.test_hindered import damage as unreadable
from plugins.migration.tests.verification.helpers import (
    DAMAGE,
    change,
    compared,
    copied,
    damage,
    named,
    repaired,
    verified,
)


def watch_writes(folder: Path) -> None:
    """Let the target's file itself note each row that is written."""
    with closing(sqlite3.connect(folder / "b.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE noted (what TEXT)")
        for event in ("INSERT", "UPDATE", "DELETE"):
            note = f"INSERT INTO noted VALUES ('{event}')"
            connection.execute(f'CREATE TRIGGER noting_{event} AFTER {event} ON "things:1" BEGIN {note}; END')


def writes(folder: Path) -> list[str]:
    """What was noted."""
    with closing(sqlite3.connect(folder / "b.db")) as connection:
        return sorted(what for (what,) in connection.execute("SELECT what FROM noted"))


def test_exactly_what_differs_is_written(tmp_path: Path) -> None:
    """Two rows are written for one missing and one changed item; the extra one stays, and the state says so."""
    migration = copied(tmp_path)
    damage(tmp_path)
    assert named(verified(migration)) == DAMAGE
    watch_writes(tmp_path)
    result = repaired(migration)
    assert writes(tmp_path) == ["INSERT", "INSERT"]
    assert (result.written, named(result.verification)) == (2, [("stranger", "extra")])
    assert migration.status().state == State.DIFFERENT


def test_extra_items_are_deleted_only_when_asked(tmp_path: Path) -> None:
    """Then both sides are equal, and the migration is ready."""
    migration = copied(tmp_path)
    damage(tmp_path)
    verified(migration)
    watch_writes(tmp_path)
    assert repaired(migration, delete_extra=True).written == 3
    assert writes(tmp_path) == ["DELETE", "INSERT", "INSERT"]
    assert migration.status().state == State.READY
    assert verified(migration, "full").equal
    assert digest(sqlite(tmp_path, "b")) == digest(sqlite(tmp_path, "a"))


def test_a_second_repair_has_nothing_to_do(tmp_path: Path) -> None:
    """What was mended is not written again."""
    migration = copied(tmp_path)
    damage(tmp_path)
    verified(migration)
    repaired(migration, delete_extra=True)
    watch_writes(tmp_path)
    assert repaired(migration, delete_extra=True).written == 0
    assert writes(tmp_path) == []


def test_what_was_mended_meanwhile_is_not_written(tmp_path: Path) -> None:
    """An item that somebody put back by hand counts as mended; one that the source has by now is not deleted."""
    migration = copied(tmp_path)
    damage(tmp_path)
    verified(migration)
    change(tmp_path, put=[{"id": "k00007", "n": 7}])
    change(tmp_path, put=[{"id": "stranger"}], where="a")
    result = repaired(migration, delete_extra=True)
    assert (result.written, named(result.verification)) == (1, [])
    assert held(sqlite(tmp_path, "b"))["stranger"] == {"id": "stranger"}


def test_a_repair_goes_through_the_transform(tmp_path: Path) -> None:
    """Keys are renamed and items are changed on their way, as by the copy."""
    compute = {"id": {"template": "x-{id}", "replace": True}}
    migration = copied(tmp_path, transforms={"things": Transform(compute=compute)})
    change(tmp_path, put=[{"id": "x-k00007"}], delete=["x-k00042"])
    assert named(verified(migration)) == [("x-k00007", "changed"), ("x-k00042", "missing")]
    assert repaired(migration).written == 2
    assert held(sqlite(tmp_path, "b"))["x-k00042"] == {"id": "x-k00042", "n": 42}
    assert verified(migration).equal


def test_what_can_t_be_transformed_any_more_is_not_deleted(tmp_path: Path) -> None:
    """The source's item has become one that the transform refuses: it is a dead letter now, and the target's stays."""
    migration = copied(tmp_path, transforms={"things": Transform(types={"n": "number"})})
    change(tmp_path, put=[{"id": "k00007", "n": 8}])
    change(tmp_path, put=[{"id": "k00007", "n": "seven"}], where="a")
    assert named(verified(migration)) == [("k00007", "changed")]
    result = repaired(migration, delete_extra=True)
    assert (result.written, result.dead, named(result.verification)) == (0, 1, [])
    assert held(sqlite(tmp_path, "b"))["k00007"] == {"id": "k00007", "n": 8}


def test_what_can_t_be_repaired_becomes_a_dead_letter(tmp_path: Path) -> None:
    """The source's item is one that the transform refuses by the time of the repair; what the target had stays."""
    migration = copied(tmp_path, transforms={"things": Transform(types={"n": "number"})})
    change(tmp_path, put=[{"id": "k00007", "n": 8}])
    assert named(verified(migration)) == [("k00007", "changed")]
    change(tmp_path, put=[{"id": "k00007", "n": "seven"}], where="a")
    result = repaired(migration)
    assert (result.written, result.dead, named(result.verification)) == (0, 1, [])
    assert [one.status for one in migration.mismatches(status=None)] == ["dead"]
    assert migration.status().found.dead == 1
    assert held(sqlite(tmp_path, "b"))["k00007"] == {"id": "k00007", "n": 8}


def test_a_rollback_undoes_the_repair_too(tmp_path: Path) -> None:
    """Back to what others had made of the items that were repaired, which are then listed; the rest is as before."""
    fill(sqlite(tmp_path, "a"), numbered(0, 200, of="source"))
    fill(sqlite(tmp_path, "b"), numbered(150, 300, of="target"))
    before = held(sqlite(tmp_path, "b"))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert"
    )
    assert run(migration).finished
    change(tmp_path, put=[{"id": "k00007", "n": "seven"}], delete=["k00160"])
    assert named(verified(migration)) == [("k00007", "changed"), ("k00160", "missing")]
    assert repaired(migration).verification.equal
    assert len(held(sqlite(tmp_path, "b"))) == 300
    migration.rollback(engine="inline")
    assert [one.key for one in migration.conflicts()] == ['{"id":"k00007"}', '{"id":"k00160"}']
    del before["k00160"]
    assert held(sqlite(tmp_path, "b")) == {**before, "k00007": {"id": "k00007", "n": "seven"}}


def test_a_deletion_is_undone_by_a_rollback(tmp_path: Path) -> None:
    """An extra item of somebody else, deleted because it was asked for, comes back."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    fill(sqlite(tmp_path, "b"), numbered(15, 40, of="target"))
    before = digest(sqlite(tmp_path, "b"))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="upsert"
    )
    assert run(migration).finished
    assert verified(migration, extra=True).total.extra == 20
    assert repaired(migration, delete_extra=True).written == 20
    assert digest(sqlite(tmp_path, "b")) == digest(sqlite(tmp_path, "a"))
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_an_export_is_scanned_for_what_differs(tmp_path: Path) -> None:
    """A source that can't look keys up is read once more, and only the keys that differ are written."""
    fill(sqlite(tmp_path, "a"), numbered(0, 300))
    exporting = Migration.plan(sqlite(tmp_path, "a"), str(tmp_path / "export"), workdir=tmp_path / "first", units=2)
    assert run(exporting).finished
    assert verified(exporting).equal
    migration = Migration.plan(str(tmp_path / "export"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    damage(tmp_path)
    assert named(verified(migration)) == DAMAGE
    change(tmp_path, put=[{"id": "k00100", "n": "changed after the verification"}])
    watch_writes(tmp_path)
    assert repaired(migration, delete_extra=True).verification.equal
    assert writes(tmp_path) == ["DELETE", "INSERT", "INSERT"]
    assert named(compared(tmp_path)) == [("k00100", "changed")]


def test_an_export_itself_is_not_repaired(tmp_path: Path) -> None:
    """Single items of files can't be replaced."""
    fill(sqlite(tmp_path, "a"), numbered(0, 30))
    migration = Migration.plan(sqlite(tmp_path, "a"), str(tmp_path / "export"), workdir=tmp_path / "work")
    assert run(migration).finished
    change(tmp_path, put=[{"id": "k00007"}], where="a")
    assert named(verified(migration, "full")) == [("k00007", "changed")]
    with pytest.raises(WrongState, match="export"):
        repaired(migration)


def test_nothing_is_repaired_before_it_is_verified(tmp_path: Path) -> None:
    """Nobody knows what differs."""
    with pytest.raises(WrongState, match="verify"):
        repaired(copied(tmp_path, []))


def test_a_count_names_nothing_to_repair(tmp_path: Path) -> None:
    """The refusal says which level does."""
    migration = copied(tmp_path, numbered(0, 20))
    change(tmp_path, delete=["k00007"])
    assert not verified(migration, "count").equal
    with pytest.raises(WrongState, match="has only counted: verify with the level digest"):
        repaired(migration)


@pytest.mark.parametrize("how", ["upsert", "skip"])
def test_what_has_come_since_the_verification_stays(tmp_path: Path, how: Any) -> None:
    """Somebody put another item where one was missing: it is named as what it is now, and a second repair is asked."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    fill(sqlite(tmp_path, "b"), numbered(15, 40, of="target"))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing=how
    )
    assert run(migration).finished
    change(tmp_path, delete=["k00007", "k00008"])
    assert named(verified(migration)) == [("k00007", "missing"), ("k00008", "missing")]
    change(tmp_path, put=[{"id": "k00007", "by": "somebody"}])
    result = repaired(migration)
    assert (result.written, named(result.verification)) == (1, [("k00007", "changed")])
    assert held(sqlite(tmp_path, "b"))["k00007"] == {"id": "k00007", "by": "somebody"}


def test_what_a_repair_could_not_mend_stays_open_among_kept_items(tmp_path: Path) -> None:
    """Where items of others are kept, what is still wrong is not taken for one of them."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    fill(sqlite(tmp_path, "b"), numbered(15, 40, of="target"))
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", into_existing="skip"
    )
    assert run(migration).finished
    change(tmp_path, put=[{"id": "k00007", "n": "seven"}])
    assert named(verified(migration)) == [("k00007", "changed")]
    unreadable(sqlite(tmp_path, "a"), "k00007")
    assert named(repaired(migration).verification) == [("k00007", "changed")]


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("level", ["digest", "full"])
def test_a_key_that_an_export_has_thrice(tmp_path: Path, level: str, same: bool) -> None:
    """Two of its items are dead letters; the third is missed where it is lost or changed, and is the one put back."""
    export = export_with_a_key_thrice(tmp_path / "export", same=same)
    migration = Migration.plan(str(export), sqlite(tmp_path, "b"), workdir=tmp_path / "work", units=2)
    assert run(migration).finished
    stayed = held(sqlite(tmp_path, "b"))["k00007"]
    assert verified(migration, level).equal
    change(tmp_path, put=[{"id": "k00007", "n": 99}])
    assert named(verified(migration, level)) == [("k00007", "changed")]
    change(tmp_path, delete=["k00007"])
    assert named(verified(migration, level)) == [("k00007", "missing")]
    result = migration.repair(engine="inline", options=RunOptions(slice_items=7))
    assert (result.written, result.dead, named(result.verification)) == (1, 0, [])
    assert held(sqlite(tmp_path, "b"))["k00007"] == stayed
