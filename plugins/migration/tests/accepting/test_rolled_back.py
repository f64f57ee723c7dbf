"""A rollback after a new plan was accepted, and a kill while it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus import Database
from isthmus_migration import Migration
from isthmus_migration.digests import bucket_of
from isthmus_migration.errors import PlanChanged
from isthmus_migration.journal import workdir
from plugins.migration.tests.accepting.helpers import (
    CHANGE,
    NEW,
    OLD,
    accept,
    copied,
    cut_off,
    planned,
    things_of,
    write_code,
)
from plugins.migration.tests.plans.helpers import THINGS


def test_a_rollback_drops_what_either_plan_wrote(source: Database, target: Database, tmp_path: Path) -> None:
    """Also where slices of the new plan were cut off, so that digests do not tell what is ours."""
    migration = planned(source, target, tmp_path, OLD)
    copied(migration, 4)
    accept(migration, NEW)
    cut_off(migration)
    rolled = migration.rollback(engine="inline")
    assert (rolled.clean, target.tables.list()) == (True, [])


def _neighbour(id_: str) -> str:
    """Another key in the same bucket, so that the digests of both are in one sum."""
    return next(f"x{n}" for n in range(10**7) if bucket_of((f"x{n}",)) == bucket_of((id_,)))


def test_a_rollback_tells_what_a_former_plan_wrote_from_what_others_did(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """Both are in one bucket, whose digest does not fit."""
    migration = planned(source, target, tmp_path, OLD)
    copied(migration, 4)
    accept(migration, NEW)
    assert copied(migration)
    theirs = _neighbour(next(id_ for id_, item in things_of(target).items() if item["kind"] == "old"))
    target.tables.open("things").put({"id": theirs})
    assert not migration.rollback(engine="inline").clean
    assert [(one.key, one.reason) for one in migration.conflicts()] == [(f'{{"id":"{theirs}"}}', "not_ours")]


def test_a_rollback_leaves_what_it_can_not_tell_and_says_why(
    source: Database, target: Database, tmp_path: Path, module: Path
) -> None:
    """The code of the former plan is gone, so nobody knows whether it wrote what does not fit: that takes force."""
    migration = planned(source, target, tmp_path, CHANGE)
    assert copied(migration)
    write_code(module, "return item | {'kind': 'new'}")
    accept(migration)
    theirs = _neighbour("k00001")
    target.tables.open("things").put({"id": theirs})
    assert not migration.rollback(engine="inline").clean
    assert [(one.key, one.reason) for one in migration.conflicts()] == [
        ('{"id":"k00001"}', "former_plan"), (f'{{"id":"{theirs}"}}', "former_plan"),
    ]  # fmt: skip
    assert migration.rollback(force=True, engine="inline").finished
    assert target.tables.list() == []


@pytest.mark.parametrize("occupied", [False, True])
def test_a_rollback_needs_no_code(
    source: Database, target: Database, tmp_path: Path, module: Path, occupied: bool
) -> None:
    """So there is a way back where a transform has changed and its new plan is refused."""
    before = {"id": "k00001", "n": "theirs"}
    if occupied:
        target.tables.create(THINGS).put(before)
    migration = planned(source, target, tmp_path, CHANGE, into_existing="upsert")
    copied(migration, 10)
    write_code(module, "raise ValueError")
    rolled = migration.rollback(engine="inline")
    assert rolled.clean
    assert (things_of(target) if occupied else target.tables.list()) == ({"k00001": before} if occupied else [])


# ---- killed in between ----


class _Killed(BaseException):
    pass


def _die(*_given: object) -> None:
    raise _Killed


def test_killed_before_the_journal_has_it_the_former_plan_is_in_force(
    source: Database, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction was not written."""
    migration = planned(source, target, tmp_path, OLD)
    copied(migration, 4)
    monkeypatch.setattr("isthmus_migration.journal.acceptances.insert_event", _die)
    with pytest.raises(_Killed):
        accept(migration, NEW)
    monkeypatch.undo()
    again = Migration.open(tmp_path / "work", source=source, target=target)
    assert again.the_plan == migration.the_plan
    assert again.status().accepted == ()
    assert copied(again)
    assert again.verify("full", engine="inline").equal


def test_killed_after_it_the_new_plan_is_in_force_and_its_file_is_written_by_the_next_run(
    source: Database, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the journal's text counts; an edit by hand is refused as ever."""
    migration = planned(source, target, tmp_path, OLD)
    copied(migration, 4)
    before = migration.the_plan
    monkeypatch.setattr(workdir, "write_whole", _die)
    with pytest.raises(_Killed):
        accept(migration, NEW)
    monkeypatch.undo()
    again = Migration.open(tmp_path / "work", source=source, target=target)
    assert again.the_plan != before
    assert again.work.plan_file.read_text() == before.to_json()
    assert copied(again)
    assert again.work.plan_file.read_text() == again.the_plan.to_json()
    again.work.plan_file.write_text(before.to_json())
    with pytest.raises(PlanChanged):
        Migration.open(tmp_path / "work")
