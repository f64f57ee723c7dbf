"""Verifying two places that no migration connects."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.errors import InvalidArgument, IsthmusError, TableNotFound
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.errors import WrongState
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import Transform
from isthmus_migration.verification.standalone import verify_places
from plugins.migration.tests.dead.helpers import fill, held, numbered, run, sqlite
from plugins.migration.tests.verification.helpers import DAMAGE, Slices, compared, damage, named


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """Two files with the same items."""
    for name in ("a", "b"):
        fill(sqlite(tmp_path, name), numbered(0, 300))
    return tmp_path


@pytest.mark.parametrize("level", ["count", "sample", "digest", "full"])
def test_equal_places(both: Path, level: str) -> None:
    """Whoever filled them."""
    result = compared(both, level=level)
    assert result.equal
    if level != "sample":
        assert (result.tables[0].source_items, result.tables[0].target_items) == (300, 300)


@pytest.mark.parametrize("level", ["digest", "full"])
def test_differences_are_named_and_nothing_is_written(both: Path, level: str) -> None:
    """One missing, one changed, one extra; both sides stay as they are, and no folder is left."""
    damage(both)
    before = held(sqlite(both, "a")), held(sqlite(both, "b"))
    assert named(compared(both, level=level)) == DAMAGE
    assert (held(sqlite(both, "a")), held(sqlite(both, "b"))) == before
    assert {path.suffix.split("-")[0] for path in both.iterdir()} == {".db"}


def test_extra_items_can_be_left_out(both: Path) -> None:
    """Then they are only counted."""
    damage(both)
    result = compared(both, extra=False)
    assert (named(result), result.total.others) == (DAMAGE[:2], 1)


def test_a_transform_says_what_should_be_there(tmp_path: Path) -> None:
    """The target holds what it makes of the source."""
    fill(sqlite(tmp_path, "a"), numbered(0, 60))
    fill(sqlite(tmp_path, "b"), [{"id": item["id"], "number": item["n"]} for item in numbered(0, 60)])
    transforms = {"things": Transform(rename={"n": "number"})}
    assert compared(tmp_path, transforms=transforms).equal
    assert compared(tmp_path).total.changed == 60


def test_an_export_and_a_database(both: Path) -> None:
    """Either may be the source."""
    export = str(both / "export")
    assert run(Migration.plan(sqlite(both, "a"), export, workdir=both / "work")).finished
    damage(both)
    ends = ((export, sqlite(both, "b")), (sqlite(both, "b"), export))
    forth, back = (verify_places(*end, engine="inline", level="full") for end in ends)
    assert named(forth) == DAMAGE
    assert named(back) == [("k00007", "changed"), ("k00042", "extra"), ("stranger", "missing")]


def test_an_interrupted_one_goes_on_in_its_folder(both: Path) -> None:
    """With the slices that are left, and the same result."""
    damage(both)
    first, rest, whole = Slices(both, 3), Slices(both), Slices(both)
    work = {"workdir": both / "work"}
    assert not compared(both, options=first.options, **work).finished
    assert named(compared(both, options=rest.options, **work)) == DAMAGE
    assert named(compared(both, options=whole.options, **work)) == DAMAGE
    assert len(first.done) + len(rest.done) == len(whole.done)


def test_its_folder_holds_no_migration(both: Path) -> None:
    """Nothing can be copied from it, and nothing can be repaired."""
    damage(both)
    compared(both, workdir=both / "work")
    migration = Migration.open(both / "work")
    with pytest.raises(WrongState):
        run(migration)
    with pytest.raises(WrongState, match="plan a migration"):
        migration.repair(engine="inline")


def test_a_folder_of_other_places_is_refused(both: Path) -> None:
    """It would go on with another question."""
    compared(both, workdir=both / "work")
    with pytest.raises(InvalidArgument, match="another work directory"):
        verify_places(sqlite(both, "b"), sqlite(both, "a"), workdir=both / "work", engine="inline")


def test_its_folder_does_not_lie_in_an_export(both: Path) -> None:
    """Nothing is written to either place."""
    assert run(Migration.plan(sqlite(both, "a"), str(both / "export"), workdir=both / "work")).finished
    with pytest.raises(InvalidArgument, match="lie in each other"):
        verify_places(sqlite(both, "a"), str(both / "export"), workdir=both / "export" / "here", engine="inline")
    assert not (both / "export" / "here").exists()


def test_a_place_is_not_compared_with_itself(both: Path) -> None:
    """That would prove nothing."""
    with pytest.raises(InvalidArgument, match="same"):
        verify_places(sqlite(both, "a"), sqlite(both, "a"), engine="inline")


def test_a_mistyped_target_is_not_created(both: Path) -> None:
    """Neither a file nor a table."""
    with pytest.raises(IsthmusError):
        verify_places(sqlite(both, "a"), sqlite(both, "c"), engine="inline")
    assert not (both / "c.db").exists()


def test_a_table_that_the_source_lacks(both: Path) -> None:
    """The name is wrong."""
    with pytest.raises(TableNotFound, match="nothing"):
        compared(both, tables=["nothing"])


def test_worker_processes_do_the_same(both: Path) -> None:
    """The default engine finds what the others find."""
    damage(both)
    result = verify_places(
        sqlite(both, "a"), sqlite(both, "b"), workers=2, level="full", options=RunOptions(slice_items=100)
    )
    assert named(result) == DAMAGE
