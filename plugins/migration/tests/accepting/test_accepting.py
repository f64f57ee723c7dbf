"""Another plan in the middle of a migration: the rest follows it, and a repair brings everything to it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus import Database
from isthmus.errors import InvalidArgument
from isthmus_migration import AsyncMigration, Migration, Transform
from isthmus_migration.errors import PlanRefused
from isthmus_migration.journal.acceptances import unsettled_units
from isthmus_migration.journal.states import State
from plugins.migration.tests.accepting.helpers import (
    ITEMS,
    NEW,
    OLD,
    Items,
    accept,
    copied,
    cut_off,
    given_as,
    planned,
    things_of,
)
from plugins.migration.tests.plans.helpers import THINGS, numbered


def test_the_rest_follows_the_new_plan_and_what_is_done_stays(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """The plan, the report and the status say so; the acceptance names what differs and what was copied before."""
    migration = planned(source, target, tmp_path, OLD)
    former = migration.the_plan
    assert not copied(migration, 4)
    accepted = accept(migration, NEW)
    assert accepted.differences == ('tables[0].transform.compute.kind.value: "old" became "new"',)
    assert (accepted.former, accepted.plan) == (former.hash, migration.the_plan.hash)
    assert [(one.table, one.items, len(one.units) > 0) for one in accepted.tables] == [("things", 8, True)]
    again = Migration.open(tmp_path / "work", source=source, target=target)
    assert again.the_plan == migration.the_plan != former
    assert copied(again)
    kinds = [item["kind"] for item in things_of(target).values()]
    assert (kinds.count("old"), kinds.count("new")) == (8, ITEMS - 8)
    assert again.status().accepted == (accepted,)
    assert json.loads(again.report("json"))["accepted"] == [accepted.to_dict()]
    for form in ("md", "html"):
        assert "things: 8 items of" in again.report(form)
        assert accepted.plan[:16] in again.report(form)


@pytest.mark.parametrize("level", ["count", "sample", "digest", "full"])
def test_a_verification_compares_all_with_the_new_plan_and_names_the_units_of_the_former_one(
    source: Database, target: Database, tmp_path: Path, level: str
) -> None:
    """A level that compares values never says equal; one that counts says which units are of a former plan."""
    migration = planned(source, target, tmp_path, OLD)
    copied(migration, 4)
    accepted = accept(migration, NEW)
    assert copied(migration)
    result = migration.verify(level, engine="inline")
    assert result.table("things").former_units == accepted.tables[0].units
    assert result.total.changed == (0 if level == "count" else 8)
    assert (result.total.missing, result.total.extra) == (0, 0)


@pytest.mark.parametrize("level", ["count", "sample", "digest", "full"])
def test_items_that_the_former_plan_left_out_are_none_that_the_new_one_skips(
    source: Database, target: Database, tmp_path: Path, level: str
) -> None:
    """What the copy has counted under both is not what is told."""
    migration = planned(source, target, tmp_path, Transform(filter="n < 4"))
    assert copied(migration)
    accept(migration, Transform(filter="n < 12"))
    assert migration.verify(level, engine="inline").table("things").skipped == ITEMS - 12


def test_a_repair_brings_all_to_the_new_plan(source: Database, target: Database, tmp_path: Path) -> None:
    """What the former plan left out is copied, and what the new one leaves out is deleted when that is asked for."""
    migration = planned(source, target, tmp_path, Transform(filter="n < 16"))
    copied(migration, 4)
    accept(migration, Transform(filter="n >= 4", drop=["text"]))
    assert copied(migration)
    assert not migration.verify(engine="inline").equal
    repaired = migration.repair(delete_extra=True, engine="inline")
    assert repaired.verification.equal
    assert migration.verify("full", engine="inline").equal
    assert things_of(target) == {f"k{number:05d}": {"id": f"k{number:05d}", "n": number} for number in range(4, ITEMS)}


def test_a_repair_leaves_an_extra_item_that_the_plan_does_not_leave_out(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """The source has got it since the verification, so it is no extra item any more."""
    migration = planned(source, target, tmp_path, Transform(filter="n < 100"))
    assert copied(migration)
    for id_ in ("late", "left out"):
        target.tables.open("things").put({"id": id_, "n": 0})
    assert migration.verify(engine="inline").total.extra == 2
    source.tables.open("things").put({"id": "late", "n": 0})
    source.tables.open("things").put({"id": "left out", "n": 100})
    migration.repair(delete_extra=True, engine="inline")
    assert {"late", "left out"} & things_of(target).keys() == {"late"}


def test_dead_letters_are_replayed_with_the_new_plan(source: Database, target: Database, tmp_path: Path) -> None:
    """They were the reason for it."""
    source.tables.open("things").put({"id": "k", "n": "two words"})
    migration = planned(source, target, tmp_path, Transform(types={"n": {"type": "integer"}}))
    copied(migration, 12)
    letters = len(list(migration.dead.list()))
    accept(migration, Transform())
    assert copied(migration)
    assert migration.dead.replay().replayed == letters
    assert migration.verify("full", engine="inline").equal
    assert things_of(target) == things_of(source)


def test_a_plan_is_accepted_before_anything_was_copied_and_after_everything_was(
    source: Database, target: Database, tmp_path: Path
) -> None:
    """After that a verification is outdated, and is done anew."""
    migration = planned(source, target, tmp_path, OLD)
    assert accept(migration, Transform()).tables == ()
    assert copied(migration)
    assert migration.verify(engine="inline").equal
    assert accept(migration, NEW).tables[0].items == ITEMS
    assert migration.status().state == State.COPIED
    assert migration.verify(engine="inline").total.changed == ITEMS
    assert migration.repair(engine="inline").verification.equal
    assert {item["kind"] for item in things_of(target).values()} == {"new"}


def test_the_awaited_form_accepts_too(source: Database, target: Database, tmp_path: Path) -> None:
    """A mapping says the same as transforms."""
    migration = AsyncMigration(planned(source, target, tmp_path, OLD))
    former = migration.the_plan
    accepted = asyncio.run(migration.accept_new_plan(mapping={"things": NEW.to_dict()}))
    assert accepted is not None
    assert (accepted.former, accepted.plan) == (former.hash, migration.the_plan.hash)


def test_a_plan_that_is_as_it_was_is_none(source: Database, target: Database, tmp_path: Path) -> None:
    """Nothing is journaled; a wrong name of a table is no plan either."""
    migration = planned(source, target, tmp_path, OLD)
    assert migration.accept_new_plan() is None
    assert migration.accept_new_plan(transforms={"things": OLD}) is None
    with pytest.raises(InvalidArgument, match="thinks"):
        migration.accept_new_plan(mapping={"thinks": {"drop": ["n"]}})
    assert migration.status().accepted == ()


# ---- any moment ----

_TRANSFORMS = st.builds(
    Transform,
    filter=st.sampled_from([None, "n < 9", "n >= 5", "n == 3"]),
    drop=st.sampled_from([(), ("text",)]),
    compute=st.sampled_from([{}, {"kind": {"value": "a"}}, {"kind": {"template": "{n}"}}]),
)
_STEPS = st.lists(st.tuples(st.integers(0, 8), st.booleans(), _TRANSFORMS), max_size=3)
"""Slices that are copied, whether a kill ends them, and a plan that comes then."""


@settings(max_examples=6, deadline=None)
@given(first=_TRANSFORMS, steps=_STEPS, there=st.booleans(), repaired=st.booleans())
def test_whenever_plans_are_accepted_a_repair_leads_to_what_the_last_one_would_have_made(
    first: Transform, steps: list[tuple[int, bool, Transform]], there: bool, repaired: bool
) -> None:
    """And no verification says equal before; a rollback leaves the target as it was, at any moment."""
    with (
        TemporaryDirectory() as folder, isthmus.connect("memory://") as source, isthmus.connect("memory://") as target,
        isthmus.connect("memory://") as fresh,
    ):  # fmt: skip
        source.tables.create(THINGS).put_many(numbered(12)).raise_for_failures()
        if there:
            target.tables.create(THINGS)
        migration = planned(source, target, Path(folder), first)
        last = first
        for slices, killed, transform in steps:
            last = transform if _step(migration, slices, transform, killed=killed) else last
        if repaired:
            _check_repair(migration, target, _wanted(source, fresh, Path(folder) / "fresh", last))
        assert migration.rollback(engine="inline").clean
        if there:
            assert things_of(target) == {}
        else:
            assert target.tables.list() == []


def _step(migration: Migration, slices: int, transform: Transform, *, killed: bool) -> bool:
    """Copy, and accept a plan then; whether it was accepted, as only slices that were cut off hinder."""
    if migration.status().state != State.COPIED:
        copied(migration, slices)
    if killed and migration.status().state != State.COPIED:
        cut_off(migration)
    with migration.work.journal(writable=False) as journal:
        unsettled = unsettled_units(journal, "things")
    try:
        migration.accept_new_plan(transforms=given_as(transform))
    except PlanRefused:
        assert unsettled
        return False
    return True


def _wanted(source: Database, target: Database, folder: Path, transform: Transform) -> Items:
    assert copied(planned(source, target, folder, transform))
    return things_of(target)


def _check_repair(migration: Migration, target: Database, wanted: Items) -> None:
    if migration.status().state != State.COPIED:
        assert copied(migration)
    result = migration.verify(engine="inline")
    assert result.equal == (things_of(target) == wanted)
    if not result.equal:
        assert migration.repair(delete_extra=True, engine="inline").verification.equal
    assert migration.verify("full", engine="inline").equal
    assert things_of(target) == wanted
