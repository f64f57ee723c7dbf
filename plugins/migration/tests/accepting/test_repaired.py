"""Another plan where repairs alone have written items, because the table was empty while it was copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus import Database
from isthmus_migration import Migration, Transform
from isthmus_migration.errors import PlanRefused
from isthmus_migration.journal.journal import Journal
from plugins.migration.tests.accepting.helpers import NEW, OLD, accept, copied, planned, refused, things_of
from plugins.migration.tests.plans.helpers import numbered

MOVED = Transform(compute={"id": {"template": "x{n}", "replace": True}})


@pytest.fixture
def late(source: Database, target: Database, tmp_path: Path) -> Migration:
    """A migration whose source got its items after the copy, verified."""
    things = source.tables.open("things")
    for id_ in things_of(source):
        things.delete(id=id_)
    migration = planned(source, target, tmp_path, OLD)
    assert copied(migration)
    things.put_many(numbered(3)).raise_for_failures()
    assert migration.verify("full", engine="inline").total.missing == 3
    return migration


def test_other_keys_are_refused_once_a_repair_has_written_items(late: Migration) -> None:
    """What it wrote would stay under the former ones; also when the repair was forgotten for a new verification."""
    late.repair(engine="inline")
    refused(late, "would get, other keys", MOVED)
    assert late.verify("full", engine="inline").equal
    refused(late, "would get, other keys", MOVED)


def test_what_repairs_wrote_is_told_and_brought_to_the_new_plan(late: Migration, target: Database) -> None:
    """The acceptance has no units of it."""
    late.repair(engine="inline")
    assert [one.text for one in accept(late, NEW).tables] == ["things: what repairs wrote"]
    assert late.verify("full", engine="inline").total.changed == 3
    assert late.repair(engine="inline").verification.equal
    assert {item["kind"] for item in things_of(target).values()} == {"new"}
    assert late.rollback(engine="inline").clean
    assert target.tables.list() == []


class _Killed(BaseException):
    pass


def _killed_once(work: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it die after a slice was written and before it was journaled."""

    def die(*_given: object) -> None:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "settle", die)
        with pytest.raises(_Killed):
            work(engine="inline")


def test_slices_of_a_repair_that_were_cut_off_are_done_under_the_former_plan(
    late: Migration, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have written items; a new verification forgets them, and not that."""
    _killed_once(late.repair, monkeypatch)
    assert len(things_of(target)) == 3
    refused(late, r"things-repair-00000 were cut off .* \(resume or repair\)", NEW)
    assert late.verify("full", engine="inline").equal
    with pytest.raises(PlanRefused, match="would get, other keys"):
        accept(late, MOVED)
    assert accept(late, NEW).tables


def test_slices_of_a_repair_that_were_done_again_hinder_no_new_plan(
    late: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their unit is finished, though with fewer items than were handed out."""
    _killed_once(late.repair, monkeypatch)
    assert late.repair(engine="inline").finished
    assert accept(late, NEW).tables


def test_slices_of_a_copy_that_were_done_again_hinder_no_new_plan(
    source: Database, target: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same."""
    migration = planned(source, target, tmp_path, OLD)
    _killed_once(migration.run, monkeypatch)
    assert migration.run(engine="inline").finished
    assert accept(migration, NEW).tables
