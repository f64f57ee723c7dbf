"""Plans that are refused in the middle: what the former one wrote would be left over, and nobody could tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus import Database
from isthmus_migration import Migration, Transform
from isthmus_migration.errors import PlanChanged, PlanRefused, WorkDirectoryInUse, WrongState
from isthmus_migration.journal.keys import NOTED
from isthmus_migration.journal.lock import WorkLock
from plugins.migration.tests.accepting.helpers import ITEMS, NEW, OLD, accept, copied, cut_off, planned, refused
from plugins.migration.tests.plans.helpers import THINGS


def test_other_definitions_of_the_target_are_refused(source: Database, target: Database, tmp_path: Path) -> None:
    """Also before anything was copied: they are another plan."""
    migration = planned(source, target, tmp_path, Transform())
    refused(migration, "name is 'others'", Transform(into="others"))
    refused(migration, "would be another one", Transform(keys=["text"]))


def test_plans_that_change_keys_are_refused_once_items_were_copied(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """What was written under former keys would stay; before anything was copied, they are accepted."""
    moved = Transform(compute={"id": {"template": "x{n}", "replace": True}})
    migration = planned(source, target, tmp_path, Transform())
    copied(migration, 1)
    refused(migration, "would get, other keys", moved)
    migration = planned(source, target, tmp_path / "second", Transform(into="others"))
    accepted = migration.accept_new_plan(transforms={"things": Transform(into="others", compute=moved.compute)})
    assert accepted is not None
    copied(migration, 1)
    with pytest.raises(PlanRefused, match="would get, other keys"):
        migration.accept_new_plan(transforms={"things": Transform(into="others")})


def test_a_work_directory_that_does_not_note_changes_of_keys_is_refused_for_that(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """A former version made it; the new plan changes none itself."""
    migration = planned(source, target, tmp_path, OLD)
    copied(migration, 1)
    with migration.work.journal(writable=True) as journal, journal.transaction() as connection:
        connection.execute("DELETE FROM meta WHERE name = ?", (NOTED,))
    refused(migration, "does not note whether keys were changed", NEW)


def test_a_table_that_held_items_is_refused_once_items_were_copied(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """Nobody could tell what the former plan left there from what others have."""
    target.tables.create(THINGS).put({"id": "theirs", "n": 1})
    migration = planned(source, target, tmp_path, OLD, into_existing="upsert")
    assert accept(migration, Transform()).tables == ()
    copied(migration, 8)
    before = migration.the_plan
    with pytest.raises(PlanRefused, match="held items of others"):
        accept(migration, NEW)
    assert migration.the_plan == before


def test_an_export_is_refused_once_items_were_copied(source: Database, tmp_path: Path) -> None:
    """Its files are written once."""
    migration = Migration.plan(source, str(tmp_path / "export"), workdir=tmp_path / "work", units=3)
    copied(migration, 1)
    refused(migration, "written once", NEW)


def test_slices_that_were_cut_off_are_done_under_the_former_plan(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """They may have written items that nobody has counted; once they are done, the new plan is accepted."""
    migration = planned(source, target, tmp_path, OLD)
    cut_off(migration)
    refused(migration, "were cut off", NEW)
    assert not copied(migration, 9)
    assert accept(migration, NEW).tables[0].items < ITEMS


def test_a_migration_that_runs_or_was_rolled_back_accepts_none(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """The first would go on with the former plan."""
    migration = planned(source, target, tmp_path, OLD)
    with WorkLock(tmp_path / "work"), pytest.raises(WorkDirectoryInUse):
        accept(migration, NEW)
    assert copied(migration)
    assert migration.rollback(engine="inline").finished
    with pytest.raises(WrongState, match="rolled_back"):
        accept(migration, NEW)


def test_whoever_has_read_the_former_plan_is_refused(source: Database, target: Database, tmp_path: Path) -> None:
    """It would copy as that one says."""
    migration = planned(source, target, tmp_path, OLD)
    stale = Migration.open(tmp_path / "work", source=source, target=target)
    accept(migration, NEW)
    with pytest.raises(PlanChanged, match="open the migration anew"):
        copied(stale)
    with pytest.raises(PlanChanged, match="open the migration anew"):
        accept(stale, Transform())
