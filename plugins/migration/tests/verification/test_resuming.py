"""Verifications and repairs that are interrupted go on where they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isthmus_migration.errors import WrongState
from isthmus_migration.journal.journal import JournalUnwritable
from isthmus_migration.journal.states import State
from plugins.migration.tests.verification.helpers import (
    DAMAGE,
    Slices,
    change,
    copied,
    damage,
    named,
    repaired,
    verified,
)


@pytest.mark.parametrize("level", ["digest", "full", "sample", "count"])
def test_an_interrupted_verification_goes_on(tmp_path: Path, level: str) -> None:
    """It is stopped after every second slice, and no slice is done twice."""
    migration = copied(tmp_path)
    damage(tmp_path)
    whole = Slices(tmp_path)
    at_once = migration.verify(level, engine="inline", options=whole.options, sample=1_000, again=True)
    parts, done, result = 0, list[str](), None
    while result is None or not result.finished:
        some = Slices(tmp_path, 2)
        result = migration.verify(level, engine="inline", options=some.options, sample=1_000)
        assert result.finished or (migration.status().state, result.equal) == (State.VERIFYING, False)
        parts, done = parts + 1, done + some.done
    assert parts >= 2
    assert sorted(done) == sorted(whole.done)
    assert (named(result), result.tables) == (named(at_once), at_once.tables)


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    """What was done of the other verification does not count."""
    migration = copied(tmp_path)
    first = Slices(tmp_path, 3)
    assert not migration.verify(engine="inline", options=first.options).finished
    other = Slices(tmp_path)
    assert migration.verify("full", engine="inline", options=other.options).equal
    assert len(other.done) > 2 * len(first.done)


def test_again_begins_anew(tmp_path: Path) -> None:
    """All slices are done once more, and so they are after a verification that came to its end."""
    migration = copied(tmp_path)
    whole, first, again, later = Slices(tmp_path), Slices(tmp_path, 3), Slices(tmp_path), Slices(tmp_path)
    migration.verify(engine="inline", options=whole.options)
    assert not migration.verify(engine="inline", options=first.options).finished
    assert migration.verify(engine="inline", options=again.options, again=True).finished
    assert migration.verify(engine="inline", options=later.options).finished
    assert again.done == later.done == whole.done


def test_a_later_verification_supersedes_what_was_found(tmp_path: Path) -> None:
    """Differences that are gone are not listed any more."""
    migration = copied(tmp_path)
    damage(tmp_path)
    assert named(migration.verify(engine="inline")) == DAMAGE
    change(tmp_path, put=[{"id": "k00007", "n": 7}], delete=["stranger"])
    assert named(migration.verify(engine="inline")) == [("k00042", "missing")]


def test_an_interrupted_repair_goes_on(tmp_path: Path) -> None:
    """Stopped in the middle, it leaves the rest open; the next call does that rest."""
    migration = copied(tmp_path)
    keys = [f"k{number:05d}" for number in range(0, 300, 2)]
    change(tmp_path, delete=keys)
    assert migration.verify(engine="inline").total.missing == 150
    first, rest = Slices(tmp_path, 1), Slices(tmp_path)
    result = migration.repair(engine="inline", options=first.options)
    assert (result.finished, result.written, result.verification.total.missing) == (False, 50, 150)
    assert migration.status().state == State.DIFFERENT
    result = migration.repair(engine="inline", options=rest.options)
    assert (result.finished, result.written, len(rest.done)) == (True, 150, 2)
    assert result.verification.equal


def test_nothing_is_repaired_in_the_middle_of_a_verification(tmp_path: Path) -> None:
    """It does not know yet what differs."""
    migration = copied(tmp_path)
    damage(tmp_path)
    assert not migration.verify(engine="inline", options=Slices(tmp_path, 1).options).finished
    with pytest.raises(WrongState, match="verify"):
        repaired(migration)


def test_a_lost_file_of_differences_is_noticed(tmp_path: Path) -> None:
    """What an interrupted verification had found so far is gone with it, so it begins anew and misses nothing."""
    migration = copied(tmp_path)
    damage(tmp_path)
    slices = Slices(tmp_path, 6, "recheck")
    assert not migration.verify(engine="inline", options=slices.options).finished
    shutil.rmtree(tmp_path / "work" / "verify")
    assert named(verified(migration)) == DAMAGE


@pytest.mark.parametrize("damaged", [b"no database", None])
def test_a_file_of_differences_that_can_t_be_used_is_named(tmp_path: Path, damaged: bytes | None) -> None:
    """Damaged, or in a folder that can't be made: the error says so, and what to do."""
    migration = copied(tmp_path)
    folder = tmp_path / "work" / "verify"
    if damaged is None:
        folder.write_text("in the way")
    else:
        folder.mkdir()
        (folder / "differences.db").write_bytes(damaged)
    with pytest.raises(JournalUnwritable, match=r"differences\.db can't be written .* remove its folder"):
        verified(migration)


def test_the_keys_of_an_interrupted_repair_are_written_anew(tmp_path: Path) -> None:
    """A repair that goes on doesn't rely on its file being there still."""
    migration = copied(tmp_path)
    change(tmp_path, delete=[f"k{number:05d}" for number in range(60)])
    verified(migration)
    assert not migration.repair(engine="inline", options=Slices(tmp_path, 1, "repair").options).finished
    (tmp_path / "work" / "verify" / "repair.keys").unlink()
    assert repaired(migration).verification.equal
