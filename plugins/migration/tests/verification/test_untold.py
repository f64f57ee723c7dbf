"""Items of which nobody can tell what the target should hold: unreadable ones, and those that no transform takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.values import Item
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from plugins.migration.tests.dead.helpers import fill, held, numbered, run, sqlite
from plugins.migration.tests.rollback.test_hindered import damage
from plugins.migration.tests.verification.helpers import change, compared, copied, named, repaired, verified


def _unreadable_copied(folder: Path) -> Migration:
    """A copy of 60 items, one of which became a dead letter as it could not be read."""
    fill(sqlite(folder, "a"), numbered(0, 60))
    damage(sqlite(folder, "a"), "k00007")
    migration = Migration.plan(sqlite(folder, "a"), sqlite(folder, "b"), workdir=folder / "work", units=2)
    assert run(migration).finished
    return migration


@pytest.mark.parametrize("level", ["digest", "full"])
def test_what_stands_for_a_dead_letter_is_not_extra(tmp_path: Path, level: str) -> None:
    """Somebody put by hand what could not be read: the source has the item, so nothing is there for deleting."""
    migration = _unreadable_copied(tmp_path)
    change(tmp_path, put=[{"id": "k00007", "n": 7}])
    result = verified(migration, level)
    assert (named(result), result.tables[0].dead) == ([], 1)
    assert repaired(migration, delete_extra=True).written == 0


def test_a_loss_is_found_though_the_source_can_t_be_read_any_more(tmp_path: Path) -> None:
    """What the copy has read is missing in the target, and stays so until the source is mended."""
    migration = copied(tmp_path)
    change(tmp_path, delete=["k00007"])
    damage(sqlite(tmp_path, "a"), "k00007")
    assert named(verified(migration)) == [("k00007", "missing")]
    assert named(repaired(migration).verification) == [("k00007", "missing")]


@pytest.mark.parametrize("level", ["digest", "full", "sample"])
def test_two_unreadable_items_are_not_equal(tmp_path: Path, level: str) -> None:
    """Nobody has compared them, on whichever side they are; one that only the source has is counted beside."""
    for name in ("a", "b"):
        fill(sqlite(tmp_path, name), numbered(0, 60))
        damage(sqlite(tmp_path, name), "k00007")
    damage(sqlite(tmp_path, "a"), "k00008", "k00009")
    change(tmp_path, delete=["k00009"])
    result = compared(tmp_path, level=level)
    assert named(result) == [("k00007", "changed"), ("k00008", "changed")]
    assert [one.to_dict()["unreadable"] for one in result.mismatches] == [True, True]
    assert result.tables[0].dead == 3


def test_an_image_that_has_moved_on_is_not_put_over_another(tmp_path: Path) -> None:
    """The source's item got another key in the target after the verification: whose item is there now stays."""
    compute = {"id": {"template": "{name}", "replace": True}}
    items: list[Item] = [{"id": f"k{number}", "name": f"name {number}"} for number in range(40)]
    migration = copied(tmp_path, items, transforms={"things": Transform(compute=compute)})
    change(tmp_path, delete=["name 7"])
    assert named(verified(migration)) == [("name 7", "missing")]
    change(tmp_path, put=[{"id": "k7", "name": "name 8"}], where="a")
    result = repaired(migration)
    assert (result.written, named(result.verification)) == (0, [])
    assert held(sqlite(tmp_path, "b"))["name 8"] == {"id": "name 8", "name": "name 8"}
