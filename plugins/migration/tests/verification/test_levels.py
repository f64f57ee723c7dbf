"""What each level of a verification finds."""

from __future__ import annotations

from pathlib import Path

import pytest

import isthmus
from isthmus.errors import InvalidArgument, ItemNotFound
from isthmus.values import Item
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from isthmus_migration.verification.results import Mismatch
from plugins.migration.tests.dead.helpers import fill, numbered, sqlite
from plugins.migration.tests.verification.helpers import DAMAGE, change, copied, damage, named, verified

LEVELS = ("count", "sample", "digest", "full")


@pytest.mark.parametrize("level", LEVELS)
def test_a_true_copy_is_equal(tmp_path: Path, level: str) -> None:
    """Every level says so, and the migration is ready."""
    migration = copied(tmp_path)
    result = verified(migration, level)
    assert (result.equal, result.level, named(result)) == (True, level, [])
    assert migration.status().state == State.READY


@pytest.mark.parametrize("level", ["digest", "full"])
def test_missing_changed_and_extra_items_are_named(tmp_path: Path, level: str) -> None:
    """One of each among three hundred, and nothing else."""
    migration = copied(tmp_path)
    damage(tmp_path)
    result = verified(migration, level)
    assert named(result) == DAMAGE
    assert (result.total.missing, result.total.changed, result.total.extra, result.equal) == (1, 1, 1, False)
    assert migration.status().state == State.DIFFERENT
    assert [one.key["id"] for one in migration.mismatches()] == [key for key, _kind in DAMAGE]


def test_equal_counts_prove_little(tmp_path: Path) -> None:
    """The same number of items with other contents: a count sees nothing, a digest does."""
    migration = copied(tmp_path)
    damage(tmp_path)
    assert verified(migration, "count").equal
    assert not verified(migration, "digest").equal


def test_a_count_finds_what_is_lost(tmp_path: Path) -> None:
    """Without naming it."""
    migration = copied(tmp_path)
    change(tmp_path, delete=["k00001", "k00002"])
    (table,) = verified(migration, "count").tables
    assert (table.source_items, table.target_items, table.equal) == (300, 298, False)


@pytest.mark.parametrize("level", ["digest", "full"])
def test_items_that_only_the_target_has_are_found(tmp_path: Path, level: str) -> None:
    """S6: nothing is missing and nothing is changed, so whoever goes through the source alone finds nothing."""
    migration = copied(tmp_path)
    change(tmp_path, put=[{"id": "stranger"}])
    assert named(verified(migration, level)) == [("stranger", "extra")]


def test_full_says_where_items_differ(tmp_path: Path) -> None:
    """Paths, kinds and types of fields; values stay where they are."""
    item: Item = {"id": "a", "same": 1, "gone": 1, "other": {"deep": [1, 2]}, "kind": "1"}
    migration = copied(tmp_path, [item])
    change(tmp_path, put=[{"id": "a", "same": 1, "new": 7, "other": {"deep": [1, 3]}, "kind": 1}])
    (mismatch,) = verified(migration, "full").mismatches
    assert {field["path"]: field["kind"] for field in mismatch.fields} == {
        "gone": "removed", "new": "added", "other.deep[1]": "changed", "kind": "type",
    }  # fmt: skip
    assert set(mismatch.fields[0]) == {"path", "kind", "types"}


def test_no_values_are_written_down(tmp_path: Path) -> None:
    """Neither the work directory nor the result holds a value of an item that differs, only its key."""
    migration = copied(tmp_path, [{"id": "a", "word": "plantagenet"}])
    change(tmp_path, put=[{"id": "a", "word": "lancaster"}])
    result = verified(migration, "full")
    assert named(result) == [("a", "changed")]
    written = b"".join(path.read_bytes() for path in (tmp_path / "work").rglob("*") if path.is_file())
    assert b"plantagenet" not in written
    assert b"lancaster" not in written
    assert "lancaster" not in str(result.to_dict())


def test_both_items_are_read_when_somebody_asks(tmp_path: Path) -> None:
    """As they are now, with the transform's work done; what nobody found to differ is refused."""
    migration = copied(tmp_path, transforms={"things": Transform(rename={"n": "number"})})
    change(tmp_path, put=[{"id": "k00007", "number": "seven"}, {"id": "stranger"}], delete=["k00042"])
    verified(migration)
    items = [migration.items_of(one) for one in migration.mismatches()]
    assert [(one.expected, one.found) for one in items] == [
        ({"id": "k00007", "number": 7}, {"id": "k00007", "number": "seven"}),
        ({"id": "k00042", "number": 42}, None),
        (None, {"id": "stranger"}),
    ]
    with pytest.raises(ItemNotFound):
        migration.items_of(Mismatch("things", {"id": "k00001"}, "changed"))


def test_a_sample_gives_a_bound(tmp_path: Path) -> None:
    """No mismatch in 100 keys: at most 3 % of the items differ, at 95 % confidence."""
    (table,) = verified(copied(tmp_path), "sample", sample=100).tables
    assert (table.sampled, table.bound) == (100, 0.03)


def test_a_sample_finds_what_is_common(tmp_path: Path) -> None:
    """A third of all items is changed; with a mismatch there is no bound."""
    migration = copied(tmp_path)
    change(tmp_path, put=[{**item, "n": -1} for item in numbered(0, 100)])
    (table,) = verified(migration, "sample", sample=60).tables
    assert 5 < table.changed < 40
    assert table.bound is None


def test_the_seed_decides_what_is_sampled(tmp_path: Path) -> None:
    """The same keys with the same seed, whatever the slices; others with another one."""
    migration = copied(tmp_path)
    change(tmp_path, delete=[f"k{number:05d}" for number in range(300)])
    first = named(verified(migration, "sample", sample=20, seed=1))
    assert len(first) == 20
    assert named(verified(migration, "sample", sample=20, seed=1, slice_items=7)) == first
    assert named(verified(migration, "sample", sample=20, seed=2)) != first


def test_a_sample_larger_than_the_table_is_all_of_it(tmp_path: Path) -> None:
    """Every key is looked up once."""
    migration = copied(tmp_path)
    change(tmp_path, delete=["k00042"])
    result = verified(migration, "sample", sample=1_000)
    assert (result.tables[0].sampled, named(result)) == (300, [("k00042", "missing")])


def test_definitions_are_compared(tmp_path: Path) -> None:
    """A table made anew with other keys of expiry is no true copy, even with the same items."""
    migration = copied(tmp_path)
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        database.tables.drop("things")
        table = database.table("things", partition_key="id", ttl="until").ensure()
        table.put_many(numbered(0, 300)).raise_for_failures()
    result = verified(migration)
    assert result.total.mismatches == 0
    assert [fact.split()[0] for fact in result.tables[0].facts] == ["ttl"]
    assert not result.equal


@pytest.mark.parametrize("level", ["count", "digest", "full"])
def test_a_table_of_other_keys_is_told(tmp_path: Path, level: str) -> None:
    """Its items can't be compared; that is a finding and not an error."""
    migration = copied(tmp_path, numbered(0, 20))
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        database.tables.drop("things")
        database.table("things", partition_key="n").ensure()
    result = verified(migration, level)
    assert [fact.split()[0] for fact in result.tables[0].facts] == ["partition_key"]
    assert not result.equal


def test_a_table_that_is_gone_is_told(tmp_path: Path) -> None:
    """It is a finding and not an error."""
    migration = copied(tmp_path)
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        database.tables.drop("things")
    result = verified(migration)
    assert result.tables[0].facts == ("the target has no table 'things'",)
    assert not result.equal


def test_nothing_is_verified_before_it_is_copied(tmp_path: Path) -> None:
    """The state says so."""
    fill(sqlite(tmp_path, "a"), numbered(0, 3))
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    with pytest.raises(WrongState, match="planned"):
        verified(migration)


@pytest.mark.parametrize("wrong", [{"level": "deep"}, {"level": "sample", "sample": 0}])
def test_unknown_levels_and_empty_samples_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    """Before anything is read."""
    migration = copied(tmp_path, [])
    with pytest.raises(InvalidArgument):
        verified(migration, **wrong)  # type: ignore[arg-type]
    assert migration.status().state == State.COPIED
