"""The file of candidates: each slice counts once, however often it ran."""

from __future__ import annotations

from pathlib import Path

from isthmus_migration.tasks import SliceResult, SliceTask, Unit
from isthmus_migration.verification.buckets import pack_buckets, unpack_buckets
from isthmus_migration.verification.candidates import Differences


def slice_with(*keys: str, side: str = "source", sequence: int = 0, phase: str = "recheck") -> SliceResult:
    """A slice of one unit that found some keys, each with the digest 1."""
    found = tuple(
        {"kind": "candidate", "side": side, "key": key, "source_key": key, "digest": f"{1:032x}"} for key in keys
    )
    task = SliceTask(phase, Unit(f"{side}-things-00000", "things", ""), 1, sequence, None)
    return SliceResult(task, None, found=found)


def test_a_slice_that_ran_twice_counts_once(tmp_path: Path) -> None:
    """Its second run replaces the first one, which the journal has never heard of; other slices stay."""
    with Differences(tmp_path) as differences:
        differences.take(slice_with("a", "b"))
        differences.take(slice_with("c", sequence=1))
        assert differences.take(slice_with("b", "d")).found == ()
        found = list(differences.candidates("things"))
    assert [(one.key, one.sources) for one in found] == [(key, ((key, 1),)) for key in ("b", "c", "d")]


def test_two_items_under_one_key_are_two(tmp_path: Path) -> None:
    """A file may hold an item twice; a side that has it once differs."""
    with Differences(tmp_path) as differences:
        differences.take(slice_with("a", "a", "b"))
        differences.take(slice_with("a", "b", side="target"))
        assert [one.key for one in differences.candidates("things") if one.differs] == ["a"]


def test_candidates_are_gone_on_from_a_key(tmp_path: Path) -> None:
    """In the order of their text, in whatever order they came; those of another table are not among them."""
    with Differences(tmp_path) as differences:
        differences.take(slice_with("c", "a", "b"))
        assert [one.key for one in differences.candidates("things", "a")] == ["b", "c"]
        assert list(differences.candidates("others")) == []


def test_sets_of_buckets_become_text() -> None:
    """A few buckets are a short text; all of them are a bounded one."""
    assert unpack_buckets(pack_buckets([0, 7, 8, 65_535])) == {0, 7, 8, 65_535}
    assert len(pack_buckets([5])) < 150
    assert unpack_buckets(pack_buckets(range(0, 65_536, 2))) == set(range(0, 65_536, 2))
    assert max(len(pack_buckets(range(0, 65_536, step))) for step in (1, 2, 3, 7)) < 12_000
