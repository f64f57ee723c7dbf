"""Dead letters are tried again through the whole path, and counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

import isthmus
from isthmus.cli.exit_codes import ExitCode
from isthmus.errors import InvalidArgument, ItemNotFound
from isthmus_migration.cli.dead import list_letters
from isthmus_migration.cli.running import copy_exit_code
from isthmus_migration.coordination.options import DeadLimit
from isthmus_migration.errors import WrongState
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import digest, expected, fill, held, numbered, run, sqlite

WORDS = "secret words"
DATED = Transform(types={"when": "date"})


def _migration(folder: Path, bad: int = 3, **options: object) -> Migration:
    """200 items, some of which have no date where one is declared."""
    items = numbered(0, 200, when="2026-11-22T10:00:00Z")
    for item in items[:bad]:
        item["when"] = WORDS
    fill(sqlite(folder, "a"), items)
    given = {"transforms": {"things": DATED}, **options}
    return Migration.plan(sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=2, **given)  # type: ignore[arg-type]


def test_letters_say_what_is_wrong_and_hold_the_item(tmp_path: Path) -> None:
    """Key, phase, code and reason, without any value; the original is the item as it was read."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    found = list(migration.dead.list())
    assert [(one.key, one.phase, one.table) for one in found] == [
        (f'{{"id":"k{number:05d}"}}', "transform", "things") for number in range(3)
    ]
    assert "when" in found[0].reason
    assert "secret" not in found[0].reason
    letter, original = migration.dead.show(found[1].id)
    assert letter == found[1]
    assert original.item == {"id": "k00001", "n": 1, "when": WORDS}


def test_a_letter_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Its number is named."""
    with pytest.raises(ItemNotFound, match="no dead letter 7"):
        _migration(tmp_path).dead.show(7)


def test_a_replay_with_another_transform_completes_the_target(tmp_path: Path) -> None:
    """The target and what the journal expects of it grow by the same items; the transform is recorded."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    plain = Transform(drop=("when",))
    done = migration.dead.replay(transform=plain)
    assert (done.tried, done.replayed, done.failed) == (3, 3, 0)
    assert held(sqlite(tmp_path, "b"))["k00001"] == {"id": "k00001", "n": 1}
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    assert not list(migration.dead.list())
    with migration.work.journal(writable=False) as journal:
        recorded = [event["transform"] for event in journal.events() if event["code"] == "replay_transform"]
    assert recorded == [plain.sealed().to_dict()]


def test_what_was_mended_in_the_source_is_copied_as_it_is_now(tmp_path: Path) -> None:
    """What the source has not any more is taken as it was read."""
    migration = _migration(tmp_path, bad=2)
    run(migration)
    mended = {"id": "k00000", "n": -1, "when": "2026-11-23T10:00:00Z"}
    with isthmus.connect(sqlite(tmp_path, "a")) as source:
        source.table("things", partition_key="id").put(mended)
        source.table("things", partition_key="id").delete(id="k00001")
    assert migration.dead.replay().replayed == 1
    assert held(sqlite(tmp_path, "b"))["k00000"]["n"] == -1
    assert migration.verify(engine="inline").equal
    assert migration.dead.replay(transform=Transform()).replayed == 1
    assert held(sqlite(tmp_path, "b"))["k00001"]["when"] == WORDS


def test_what_fails_again_stays_open(tmp_path: Path) -> None:
    """Nothing is written, the attempt is counted."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    done = migration.dead.replay()
    assert (done.tried, done.replayed, done.failed) == (3, 0, 3)
    assert [(one.attempts, one.status) for one in migration.dead.list()] == [(2, "open")] * 3
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def test_a_replay_killed_before_it_was_journaled_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The item is in the target already: the next replay finds its own, with what stood there before."""
    fill(sqlite(tmp_path, "b"), [{"id": "k00001", "old": True}])
    migration = _migration(tmp_path, into_existing="upsert")
    assert run(migration).finished
    (letter,) = migration.dead.list(key='{"id":"k00001"}')
    undated = Transform(drop=("when",))

    class Killed(BaseException):
        pass

    def killed(*_arguments: object) -> None:
        raise Killed

    monkeypatch.setattr("isthmus_migration.dead.dead_letters.settle", killed)
    with pytest.raises(Killed):
        migration.dead.replay([letter.id], transform=undated)
    monkeypatch.undo()
    assert held(sqlite(tmp_path, "b"))["k00001"] == {"id": "k00001", "n": 1}
    assert digest(sqlite(tmp_path, "b")) != expected(migration)
    assert migration.dead.replay(transform=undated).replayed == 3
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def test_another_table_is_refused(tmp_path: Path) -> None:
    """A replay goes where the plan goes."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    with pytest.raises(InvalidArgument, match="lead to table"):
        migration.dead.replay(transform=Transform(into="others"))


@pytest.mark.parametrize("key", ["k00100", "k00199"])
def test_a_replay_replaces_no_copied_item(tmp_path: Path, key: str) -> None:
    """Its transform gives it the key of another item, copied before or still to be copied: it stays a dead letter."""
    migration = _migration(tmp_path, bad=1)
    moved = Transform(compute={"id": {"value": key, "replace": True}}, drop=("when",))
    outcome = run(migration, max_dead=DeadLimit.parse("0"))
    assert outcome.ending == "dead_limit"
    assert migration.dead.replay(transform=moved).failed == 1
    assert [one.code for one in migration.dead.list()] == ["key_collision"]
    assert run(migration).finished
    assert held(sqlite(tmp_path, "b"))[key]["n"] == int(key[1:])
    assert digest(sqlite(tmp_path, "b")) == expected(migration)


def test_a_migration_with_replays_is_rolled_back_whole(tmp_path: Path) -> None:
    """Items that a replay wrote or replaced are undone like others."""
    fill(sqlite(tmp_path, "b"), numbered(150, 250))
    before = digest(sqlite(tmp_path, "b"))
    migration = _migration(tmp_path, into_existing="upsert")
    run(migration)
    assert migration.dead.replay(transform=Transform(drop=("when",))).replayed == 3
    assert migration.rollback(engine="inline").clean
    assert digest(sqlite(tmp_path, "b")) == before


def test_acknowledged_letters_count_no_more(tmp_path: Path) -> None:
    """The run ends at the limit and is paused; when the letters are acknowledged it goes on to its end."""
    migration = _migration(tmp_path, bad=20)
    outcome = run(migration, max_dead=DeadLimit.parse("10"))
    assert outcome.ending == "dead_limit"
    assert migration.status().state == State.PAUSED
    assert migration.dead.acknowledge(note="known") == 20
    assert run(migration, max_dead=DeadLimit.parse("10")).finished
    assert {one.note for one in migration.dead.list(status="acknowledged")} == {"known"}
    assert len(held(sqlite(tmp_path, "b"))) == 180


def test_a_share_of_dead_letters_ends_a_run(tmp_path: Path) -> None:
    """0.1 % of what was read so far, judged from 1,000 items on; everything that was done is kept."""
    items = numbered(0, 1_500, when="2026-11-22T10:00:00Z")
    for item in items[1_100:1_103]:
        item["when"] = WORDS
    fill(sqlite(tmp_path, "a"), items)
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", transforms={"things": DATED}, units=1
    )
    outcome = run(migration, max_dead=DeadLimit.parse("0.1%"))
    assert (outcome.ending, migration.status().state) == ("dead_limit", State.PAUSED)
    assert 1_000 < len(held(sqlite(tmp_path, "b"))) < 1_400
    assert digest(sqlite(tmp_path, "b")) == expected(migration)
    assert len(list(migration.dead.list())) == 3


def test_nothing_is_replayed_into_what_was_rolled_back(tmp_path: Path) -> None:
    """The letters can still be read."""
    migration = _migration(tmp_path)
    assert run(migration).finished
    assert migration.rollback(engine="inline").clean
    with pytest.raises(WrongState, match="rolled_back"):
        migration.dead.replay()
    assert len(list(migration.dead.list())) == 3


def test_a_letter_says_where_it_failed_last(tmp_path: Path) -> None:
    """Phase, code and reason belong together."""
    fill(sqlite(tmp_path, "b"), [{"id": "k00001", "of": "somebody"}])
    migration = _migration(tmp_path, into_existing="fail")
    assert run(migration).finished
    migration.dead.replay(transform=Transform(drop=("when",)))
    (left,) = migration.dead.list()
    assert (left.key, left.phase, left.code) == ('{"id":"k00001"}', "write", "already_exists")


def test_a_limit_that_the_last_slice_passes_stops_nothing(tmp_path: Path) -> None:
    """Nothing is left to copy then; the letters are open, which the exit code tells."""
    items = numbered(0, 200, when="2026-11-22T10:00:00Z")
    items[-1]["when"] = WORDS
    fill(sqlite(tmp_path, "a"), items)
    migration = Migration.plan(
        sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work", units=1, transforms={"things": DATED}
    )  # fmt: skip
    outcome = run(migration, max_dead=DeadLimit(count=0))
    assert (outcome.finished, migration.status().state) == (True, State.COPIED)
    assert copy_exit_code(outcome, migration.status().found.dead) == ExitCode.DEAD_LETTERS


def test_many_letters_are_listed_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get a grid that fits into memory, and are told how to see the rest."""
    migration = _migration(tmp_path, bad=5)
    assert run(migration).finished
    monkeypatch.setattr("isthmus_migration.cli.dead._SHOWN", 3)
    list_letters.main([str(migration.work.path)], standalone_mode=False)
    shown = capsys.readouterr().out
    assert shown.count("transform") == 3
    assert "and more than these 3" in shown
