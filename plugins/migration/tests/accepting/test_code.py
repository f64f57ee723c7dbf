"""Other code of a function in the middle of a migration: it keeps the keys, and what it changes is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isthmus import Database, Table
from isthmus_migration import Migration
from isthmus_migration.errors import PlanChanged
from plugins.migration.tests.accepting.helpers import (
    CHANGE,
    ITEMS,
    NEW,
    OLD,
    accept,
    copied,
    planned,
    refused,
    things_of,
    write_code,
)


def test_other_code_is_accepted_and_keeps_the_keys(
    source: Database, target: Database, tmp_path: Path, module: Path
) -> None:
    """An item to which it gives another key becomes a dead letter, so that nothing of the former plan is left over."""
    migration = planned(source, target, tmp_path, CHANGE)
    copied(migration, 4)
    write_code(module, "return item | {'kind': 'new', 'id': 'other' if item['n'] == 23 else item['id']}")
    with pytest.raises(PlanChanged, match="accept-new-plan"):
        copied(migration)
    accepted = accept(migration)
    assert ["function_hash" in one or "keep_keys" in one for one in accepted.differences] == [True, True]
    assert copied(migration)
    assert [letter.code for letter in migration.dead.list()] == ["key_changed"]
    migration.verify(engine="inline")
    assert migration.repair(engine="inline").verification.equal
    things = things_of(target)
    assert {item["kind"] for item in things.values()} == {"new"}
    assert len(things) == ITEMS - 1


def test_code_that_changed_keys_before_is_refused(
    source: Database, target: Database, tmp_path: Path, module: Path
) -> None:
    """What it wrote would stay under those keys."""
    write_code(module, "return item | {'id': 'x' + item['id']}")
    migration = planned(source, target, tmp_path, CHANGE)
    copied(migration, 1)
    write_code(module, "return item | {'id': 'y' + item['id']}")
    refused(migration, "items have, or would get, other keys")


def test_code_that_changed_keys_in_a_replay_is_refused(
    source: Database, target: Database, tmp_path: Path, module: Path
) -> None:
    """As in the copy."""
    write_code(module, "return item | {'id': item['to']}")
    migration = planned(source, target, tmp_path, CHANGE)
    copied(migration, 4)
    letter = next(migration.dead.list())
    source.tables.open("things").put({**json.loads(letter.key), "to": "x"})
    assert migration.dead.replay([letter.id]).replayed == 1
    write_code(module, "return item | {'kind': 'new'}")
    refused(migration, "items have, or would get, other keys")


def test_code_that_changed_keys_in_a_repair_is_refused(
    source: Database, target: Database, tmp_path: Path, module: Path
) -> None:
    """An item that has changed in the source got one."""
    write_code(module, "return item | {'id': item.get('to', item['id'])}")
    migration = planned(source, target, tmp_path, CHANGE)
    assert copied(migration)
    source.tables.open("things").put({"id": "k00001", "to": "x"})
    migration.verify("full", engine="inline")
    migration.repair(engine="inline")
    assert "x" in things_of(target)
    write_code(module, "return item | {'kind': 'new'}")
    refused(migration, "items have, or would get, other keys")


@pytest.mark.parametrize("id_", ["item['id']", "'x' + item['id']"])
def test_code_that_is_as_it_was_is_no_new_plan_and_hinders_no_other_table(
    source: Database, target: Database, tmp_path: Path, module: Path, id_: str
) -> None:
    """Its keys need not be kept, whether it changes them or not."""
    source.tables.create(Table("people", "id")).put({"id": "p"})
    write_code(module, f"return item | {{'id': {id_}}}")
    migration = Migration.plan(source, target, workdir=tmp_path / "work", transforms={"things": CHANGE, "people": OLD})
    assert copied(migration)
    assert migration.accept_new_plan() is None
    accepted = migration.accept_new_plan(transforms={"things": CHANGE, "people": NEW})
    assert accepted is not None
    assert [one.table for one in accepted.tables] == ["people"]
    assert migration.the_plan.table("things").transform == CHANGE.sealed().to_dict()


@pytest.mark.parametrize("level", ["digest", "full"])
def test_an_item_that_fails_under_the_new_code_becomes_a_dead_letter_at_the_repair(
    source: Database, target: Database, tmp_path: Path, module: Path, level: str
) -> None:
    """What the former plan made of it is not taken for right before that."""
    migration = planned(source, target, tmp_path, CHANGE)
    assert copied(migration)
    write_code(module, "return item | {'kind': 1 // (item['n'] - 5)}")
    accept(migration)
    assert migration.verify(level, engine="inline").total.changed == ITEMS
    assert migration.repair(engine="inline").verification.equal
    assert [letter.code for letter in migration.dead.list()] == ["function_failed"]
