"""What looks like a mismatch and is none, for a reason that is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.schema import Table
from isthmus.values import Item
from isthmus.writes import expired
from isthmus_migration.cli.checking import _named
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from isthmus_migration.verification import reading
from isthmus_migration.verification.standalone import verify_places
from plugins.migration.tests.dead.helpers import fill, numbered, run, sqlite
from plugins.migration.tests.verification.helpers import change, copied, named, repaired, verified


def refusing(item: dict[str, Any]) -> dict[str, Any]:
    """A transform that can't handle some items."""
    if item["n"] % 100 == 0:
        raise ValueError("no hundreds")
    return {**item, "moved": True}


FOLDED = {"id": {"template": "{name}", "replace": True}}
TRANSFORM = Transform(function=f"{__name__}:refusing")


def occupied(folder: Path, how: Any, **options: Any) -> Migration:
    """200 items into a table that has 150 others, 50 of them with the same keys."""
    fill(sqlite(folder, "a"), numbered(0, 200, of="source"))
    fill(sqlite(folder, "b"), numbered(150, 300, of="target"))
    migration = Migration.plan(
        sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=3, into_existing=how, **options
    )
    assert run(migration).finished
    return migration


@pytest.mark.parametrize("level", ["count", "sample", "digest", "full"])
def test_dead_letters_are_no_mismatches(tmp_path: Path, level: str) -> None:
    """They are counted beside; the rest is compared with what the transform makes of the source."""
    result = verified(copied(tmp_path, transforms={"things": TRANSFORM}), level)
    assert (result.equal, result.tables[0].dead, named(result)) == (True, 3, [])


def _undated(folder: Path) -> Migration:
    """A copy with three dead letters, whose keys in the target are known."""
    undated: list[Item] = [{"id": f"k00{number}00", "when": "no date"} for number in range(3)]
    return copied(folder, [*undated, *numbered(1, 99)], transforms={"things": Transform(types={"when": "date"})})


@pytest.mark.parametrize("level", ["sample", "full"])
def test_what_has_changed_since_it_became_a_dead_letter_is_told(tmp_path: Path, level: str) -> None:
    """Nobody has decided on that: a repair copies it, or makes another letter of it. Others are excused."""
    migration = _undated(tmp_path)
    migration.dead.acknowledge(note="never mind")
    change(tmp_path, put=[{"id": "k00100"}, {"id": "k00200", "when": "no date either"}], where="a")
    result = verified(migration, level)
    assert [(one.key["id"], one.kind, one.since_dead, one.unreadable) for one in result.mismatches] == [
        ("k00100", "missing", True, False), ("k00200", "missing", True, True)
    ]  # fmt: skip
    assert 'k00100"}: changed since it became a dead letter' in _named(result.mismatches[0])
    assert repaired(migration).verification.equal
    assert (verified(migration, level).equal, migration.status().found.dead) == (True, 1)


def test_a_letter_holds_the_item_that_was_tried_last(tmp_path: Path) -> None:
    """A replay reads it again: where that fails too, it is what the source has by now that is excused."""
    migration = _undated(tmp_path)
    change(tmp_path, put=[{"id": "k00100", "when": "no date either"}], where="a")
    assert migration.dead.replay().failed == 3
    assert verified(migration, "full").equal
    items = [migration.dead.show(letter.id)[1].item for letter in migration.dead.list()]
    assert [item and item["when"] for item in items] == ["no date", "no date either", "no date"]


def test_what_can_be_read_since_it_became_a_dead_letter_is_told(tmp_path: Path) -> None:
    """It was mended in the source; what still can't be read is excused."""
    fill(sqlite(tmp_path, "a"), numbered(0, 20))
    with isthmus.connect(sqlite(tmp_path, "a")) as database:
        for number in (3, 4):
            database.native().execute(f"""UPDATE "things:1" SET item = '{{bad' WHERE item LIKE '%"n":{number}}}%'""")
    migration = copied(tmp_path, [])
    assert migration.status().found.dead == 2
    assert verified(migration, "full").equal
    change(tmp_path, put=[{"id": "k00003", "n": 3}], where="a")
    assert named(verified(migration, "full")) == [("k00003", "missing")]


def test_what_another_item_kept_out_is_excused_although_it_has_changed(tmp_path: Path) -> None:
    """The target's item stays, whatever the source's is by now."""
    migration = occupied(tmp_path, "fail")
    change(tmp_path, put=[{"id": "k00160", "of": "somebody"}], where="a")
    result = verified(migration, "full")
    assert (result.equal, named(result), result.tables[0].dead) == (True, [], 50)


def test_damage_beside_dead_letters_is_found(tmp_path: Path) -> None:
    """Looking again at the source meets the items that can't be transformed, and passes them by."""
    migration = copied(tmp_path, transforms={"things": TRANSFORM})
    change(tmp_path, put=[{"id": "k00001", "n": 1}], delete=["k00002"])
    result = verified(migration)
    assert named(result) == [("k00001", "changed"), ("k00002", "missing")]
    assert result.tables[0].dead == 3


def test_items_that_are_filtered_are_no_mismatches(tmp_path: Path) -> None:
    """What the plan leaves out is not missing; it is counted."""
    migration = copied(tmp_path, transforms={"things": Transform(filter="n < 100")})
    change(tmp_path, delete=["k00042"])
    result = verified(migration)
    assert (named(result), result.tables[0].skipped) == ([("k00042", "missing")], 200)


def test_two_items_for_one_key(tmp_path: Path) -> None:
    """The first has the key and the second is a dead letter: neither is a mismatch, whatever else is looked at."""
    items: list[Item] = [{"id": f"k{number}", "name": f"name {number // 2}"} for number in range(40)]
    migration = copied(tmp_path, items, transforms={"things": Transform(compute=FOLDED)})
    assert migration.status().found.dead == 20
    assert verified(migration).equal
    change(tmp_path, put=[{"id": "name 7", "other": 1}])
    assert named(verified(migration, "full")) == [("name 7", "changed")]


HOUR = 3_600


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts the clock on, also for databases that are opened from then on."""

    def put_on() -> None:
        later, defaults = partial(_later, time.time), isthmus.connect.__kwdefaults__ or {}
        assert "clock" in defaults
        monkeypatch.setattr(time, "time", later)
        monkeypatch.setitem(defaults, "clock", later)
        monkeypatch.setattr(reading, "expired", lambda table, item, now: expired(table, item, now + HOUR))

    return put_on


def _later(clock: Callable[[], float]) -> float:
    return clock() + HOUR


def test_items_that_expire_meanwhile_are_no_mismatches(tmp_path: Path, an_hour_later: Callable[[], None]) -> None:
    """Their time came after they were copied: the target hides them, and so does the source."""
    table, until = Table("things", "id", ttl="until"), int(time.time()) + HOUR
    fill(sqlite(tmp_path, "a"), [*numbered(0, 20), *numbered(20, 25, until=until)], table)
    migration = Migration.plan(sqlite(tmp_path, "a"), sqlite(tmp_path, "b"), workdir=tmp_path / "work")
    assert run(migration).finished
    assert verified(migration, "count").tables[0].target_items == 25
    an_hour_later()
    result = verified(migration)
    assert (result.tables[0].source_items, result.tables[0].target_items) == (25, 20)
    assert (result.tables[0].same_items, named(result)) == (True, [])


@pytest.mark.parametrize("backwards", [False, True])
def test_an_export_keeps_items_that_expire(tmp_path: Path, an_hour_later: Callable[[], None], backwards: bool) -> None:
    """Files don't hide them as databases do: on neither side is one missing or extra."""
    table, until = Table("things", "id", ttl="until"), int(time.time()) + HOUR
    fill(sqlite(tmp_path, "a"), [*numbered(0, 20), *numbered(20, 25, until=until)], table)
    migration = Migration.plan(sqlite(tmp_path, "a"), str(tmp_path / "export"), workdir=tmp_path / "work")
    assert run(migration).finished
    an_hour_later()
    ends = [str(tmp_path / "export"), sqlite(tmp_path, "a")]
    result = verify_places(*(reversed(ends) if backwards else ends), engine="inline", level="digest")
    assert (result.equal, result.tables[0].target_items) == (True, 20)


@pytest.mark.parametrize("how", ["upsert", "skip", "fail"])
@pytest.mark.parametrize("level", ["digest", "full"])
def test_items_of_others_are_no_mismatches(tmp_path: Path, how: str, level: str) -> None:
    """In a table that held items before: those of others are not extra, and kept ones are not changed."""
    result = verified(occupied(tmp_path, how), level)
    assert (result.equal, named(result)) == (True, [])
    if level == "digest":
        assert result.tables[0].source_digest == result.tables[0].target_digest


@pytest.mark.parametrize("how", ["upsert", "skip"])
def test_damage_beside_items_of_others_is_found(tmp_path: Path, how: str) -> None:
    """What the migration wrote and somebody changed; what somebody wrote himself is his."""
    migration = occupied(tmp_path, how)
    change(tmp_path, put=[{"id": "k00007", "n": "seven"}, {"id": "stranger"}], delete=["k00042", "k00250"])
    assert named(verified(migration)) == [("k00007", "changed"), ("k00042", "missing")]


def test_items_of_others_can_be_asked_for(tmp_path: Path) -> None:
    """Then everything that only the target has is extra."""
    migration = occupied(tmp_path, "upsert")
    result = verified(migration, "full", extra=True)
    assert (result.total.extra, {kind for _key, kind in named(result)}) == (100, {"extra"})


def test_items_that_can_t_be_read_in_the_target_are_mismatches(tmp_path: Path) -> None:
    """Their keys are known, so they are named, and a repair mends them: the table is the migration's own."""
    migration = copied(tmp_path)
    change(tmp_path, put=[{"id": "stranger", "n": -1}])
    with isthmus.connect(sqlite(tmp_path, "b")) as database:
        for number in (42, -1):
            database.native().execute(f"""UPDATE "things:1" SET item = '{{bad' WHERE item LIKE '%"n":{number}}}%'""")
    assert named(verified(migration)) == [("k00042", "changed"), ("stranger", "extra")]
    assert repaired(migration, delete_extra=True).verification.equal
    assert verified(migration, "full").equal
