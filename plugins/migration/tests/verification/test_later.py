"""Verifications of targets to which something happened after the copy, or between two verifications."""

from __future__ import annotations

from pathlib import Path

import pytest

import isthmus
from isthmus.errors import InvalidArgument
from isthmus.schema import Table
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import fill, held, numbered, sqlite
from plugins.migration.tests.verification.helpers import Slices, change, compared, copied, named, repaired, verified
from plugins.migration.tests.verification.test_excuses import TRANSFORM, occupied

PLAIN = Transform(drop=("n",))


def replayed(folder: Path, transform: Transform = PLAIN) -> Migration:
    """A migration with three dead letters that were replayed with another transform."""
    migration = copied(folder, transforms={"things": TRANSFORM})
    assert migration.dead.replay(transform=transform).replayed == 3
    return migration


@pytest.mark.parametrize("level", ["count", "sample", "digest", "full"])
def test_what_another_transform_made_of_dead_letters_is_no_mismatch(tmp_path: Path, level: str) -> None:
    """Neither where the digest tells, nor where source and target are compared."""
    migration = replayed(tmp_path)
    change(tmp_path, put=[{"id": "k00001", "n": "one"}])
    found = verified(migration, level, sample=1_000)
    assert named(found) == ([] if level == "count" else [("k00001", "changed")])
    change(tmp_path, put=[{"id": "k00001", "n": 1, "moved": True}])
    assert verified(migration, level).equal


@pytest.mark.parametrize("level", ["digest", "full"])
def test_damage_to_what_another_transform_made_is_found(tmp_path: Path, level: str) -> None:
    """An item that is lost is missing, also though the plan's transform makes none of it."""
    migration = replayed(tmp_path)
    change(tmp_path, put=[{"id": "k00100", "n": "else"}], delete=["k00200"])
    assert named(verified(migration, level)) == [("k00100", "changed"), ("k00200", "missing")]


@pytest.mark.parametrize("level", ["digest", "full"])
def test_other_keys_of_another_transform(tmp_path: Path, level: str) -> None:
    """Items are looked for where the replay has put them."""
    migration = replayed(tmp_path, Transform(compute={"id": {"template": "late-{id}", "replace": True}}))
    assert verified(migration, level).equal
    change(tmp_path, delete=["late-k00100"])
    assert named(verified(migration, level)) == [("late-k00100", "missing")]


def test_a_replay_ends_a_verification_that_was_interrupted(tmp_path: Path) -> None:
    """What it had read of the target is not what stands there now."""
    migration = copied(tmp_path, transforms={"things": TRANSFORM})
    slices = Slices(tmp_path, 2)
    assert not migration.verify(engine="inline", options=slices.options).finished
    migration.dead.replay(transform=PLAIN)
    whole = Slices(tmp_path)
    assert migration.verify(engine="inline", options=whole.options).equal
    assert len(whole.done) == 6


def test_a_repair_after_an_interrupted_one_and_a_verification(tmp_path: Path) -> None:
    """It mends what the last verification found."""
    migration = copied(tmp_path)
    change(tmp_path, delete=[f"k{number:05d}" for number in range(0, 300, 2)])
    verified(migration)
    assert not migration.repair(engine="inline", options=Slices(tmp_path, 1).options).finished
    verified(migration)
    assert repaired(migration).verification.equal
    assert verified(migration, "full").equal


def test_a_count_leaves_items_of_others_alone(tmp_path: Path) -> None:
    """In a table that held items before, more may have come; fewer may not."""
    migration = occupied(tmp_path, "upsert")
    change(tmp_path, put=[{"id": "stranger"}])
    assert verified(migration, "count").equal
    assert not verified(migration, "count", extra=True).equal
    change(tmp_path, delete=["k00001", "k00002"])
    assert not verified(migration, "count").equal


def test_a_folder_of_other_tables_or_transforms_is_refused(tmp_path: Path) -> None:
    """What was interrupted there was another question."""
    for name in ("a", "b"):
        fill(sqlite(tmp_path, name), numbered(0, 200))
        fill(sqlite(tmp_path, name), numbered(0, 10), Table("more", "id"))
    compared(tmp_path, workdir=tmp_path / "work", tables=["things"])
    assert compared(tmp_path, workdir=tmp_path / "work", tables=["things"]).equal
    with pytest.raises(InvalidArgument, match="other tables"):
        compared(tmp_path, workdir=tmp_path / "work")
    with pytest.raises(InvalidArgument, match="other transforms"):
        compared(tmp_path, workdir=tmp_path / "work", tables=["things"], transforms={"things": PLAIN})


def test_a_repair_shows_what_is_left(tmp_path: Path) -> None:
    """Not what it has mended."""
    migration = copied(tmp_path)
    change(tmp_path, put=[{"id": "stranger"}], delete=["k00042"])
    verified(migration)
    left = repaired(migration).verification.mismatches
    assert [(one.key["id"], one.kind) for one in left] == [("stranger", "extra")]


def test_items_that_can_t_be_read_in_the_target_are_named_by_a_full_comparison(tmp_path: Path) -> None:
    """One of them is no reason to end before all others are compared."""
    migration = copied(tmp_path)
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        database.native().execute("""UPDATE "things:1" SET item = '{bad' WHERE item LIKE '%"n":42}%'""")
    change(tmp_path, delete=["k00043"])
    assert named(verified(migration, "full")) == [("k00042", "changed"), ("k00043", "missing")]
    assert repaired(migration).verification.equal
    assert len(held(sqlite(tmp_path, "b"))) == 300
