"""Files of a work directory that are damaged, edited or another's: refused with what differs."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isthmus_migration.errors import PlanChanged, WorkDirectoryDamaged, WorkDirectoryInUse
from isthmus_migration.journal.lock import WorkLock
from isthmus_migration.migration import Migration
from isthmus_migration.plans.differences import json_differences
from plugins.migration.tests.plans.helpers import filled, numbered, planned, sqlite


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    """A migration that was planned."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    return planned(tmp_path, units=1)


def _edited(migration: Migration, edit: Callable[[dict[str, Any]], None]) -> PlanChanged:
    file = migration.work.plan_file
    data = json.loads(file.read_text())
    edit(data)
    file.write_text(json.dumps(data))
    with pytest.raises(PlanChanged) as caught:
        Migration.open(migration.work.path)
    return caught.value


def test_a_plan_that_was_edited_is_refused_with_what_differs(migration: Migration) -> None:
    """By JSON path, before and after."""

    def edit(data: dict[str, Any]) -> None:
        data["into_existing"] = "upsert"
        data["tables"][0]["created"] = False
        data["tables"][0]["units"].append("{}")

    error = _edited(migration, edit)
    assert error.differences == (
        'into_existing: "refuse" became "upsert"', "tables[0].created: true became false",
        'tables[0].units[1]: nothing became "{}"',
    )  # fmt: skip
    assert "tables[0].created" in error.message


def test_a_plan_with_something_new_in_it_is_refused(migration: Migration) -> None:
    """Even where nobody would look at it."""
    assert _edited(migration, lambda data: data.update(more=1)).differences == ("more: nothing became 1",)


def test_a_plan_that_says_the_same_in_other_words_is_accepted(migration: Migration) -> None:
    """White space and the order of names mean nothing."""
    file = migration.work.plan_file
    file.write_text(json.dumps(dict(reversed(json.loads(file.read_text()).items()))))
    assert Migration.open(migration.work.path).the_plan == migration.the_plan


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 1}', b"[" * 100_000])
def test_a_damaged_plan_is_refused(migration: Migration, content: bytes) -> None:
    """As such, not with an error of a parser."""
    migration.work.plan_file.write_bytes(content)
    with pytest.raises(WorkDirectoryDamaged, match=r"plan\.json"):
        Migration.open(migration.work.path)


def test_a_field_of_another_kind_is_refused(migration: Migration) -> None:
    """Whatever stands there instead, it is the plan that is wrong, and not the program."""
    sound = json.loads(migration.work.plan_file.read_text())
    for name in sound:
        for value in (None, -1, 1.5, "x", [1]):
            migration.work.plan_file.write_text(json.dumps({**sound, name: value}))
            with pytest.raises((WorkDirectoryDamaged, PlanChanged)):
                Migration.open(migration.work.path)


def test_a_plan_of_another_version_is_refused(migration: Migration) -> None:
    """With what to do."""
    file = migration.work.plan_file
    file.write_text(file.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(WorkDirectoryDamaged, match="version 2"):
        Migration.open(migration.work.path)


def test_the_journal_of_another_migration_is_refused(migration: Migration, tmp_path: Path) -> None:
    """Its cursors would be those of other tables."""
    other = Migration.plan(sqlite(tmp_path, "source"), sqlite(tmp_path, "target"), workdir=tmp_path / "other", units=1)
    shutil.copy(other.work.journal_file, migration.work.journal_file)
    with pytest.raises(PlanChanged) as caught:
        Migration.open(migration.work.path)
    assert [text for text in caught.value.differences if text.startswith("id: ")]


@pytest.mark.parametrize("content", [b"", b"no database at all, but text", None])
def test_a_damaged_journal_is_refused(migration: Migration, content: bytes | None) -> None:
    """So is one that is missing or cut off."""
    file = migration.work.journal_file
    for beside in migration.work.path.glob("journal.db-*"):
        beside.unlink()
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(WorkDirectoryDamaged):
        Migration.open(migration.work.path)


def test_a_journal_with_a_damaged_page_is_refused(migration: Migration) -> None:
    """Reading it fails later than opening it."""
    with migration.work.journal(writable=True) as journal:
        journal.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    file = migration.work.journal_file
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(WorkDirectoryDamaged):
        Migration.open(migration.work.path).run(engine="inline")


def test_a_journal_of_another_version_is_refused(migration: Migration) -> None:
    """It has other tables."""
    with migration.work.journal(writable=True) as journal:
        journal.set_meta(version="99")
    with pytest.raises(WorkDirectoryDamaged, match="version 99"):
        Migration.open(migration.work.path)


@pytest.mark.parametrize("content", ["", "{", '{"command": "dance"}', '{"command": "run", "rates": {"warp": 9}}'])
def test_a_damaged_control_file_is_refused(migration: Migration, content: str) -> None:
    """It is named, and the run has not begun."""
    (migration.work.path / "control.json").write_text(content)
    with pytest.raises(WorkDirectoryDamaged, match=r"control\.json"):
        migration.run(engine="inline")


def test_a_folder_without_a_migration_is_refused(tmp_path: Path) -> None:
    """Also a file, and what does not exist."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("empty", "file", "missing"):
        with pytest.raises(WorkDirectoryDamaged, match="no work directory"):
            Migration.open(tmp_path / name)


def test_a_second_coordinator_is_refused_with_the_first_ones_process_and_host(migration: Migration) -> None:
    """And works once the first has ended."""
    with (
        WorkLock(migration.work.path),
        pytest.raises(WorkDirectoryInUse, match=f"process {os.getpid()} on {socket.gethostname()}"),
    ):
        migration.run(engine="inline")
    assert migration.run(engine="inline").finished


def test_a_work_directory_that_can_not_be_locked_is_refused(migration: Migration) -> None:
    """Because it is gone, or is on a disk that can't be written to any more."""
    (migration.work.path / "lock").mkdir()
    with pytest.raises(WorkDirectoryDamaged, match="lock can't be written"):
        migration.run(engine="inline")
    shutil.rmtree(migration.work.path)
    with pytest.raises(WorkDirectoryDamaged, match="lock can't be written"):
        migration.run(engine="inline")


def test_differences_are_named_by_path() -> None:
    """Long values are cut, and types matter."""
    assert json_differences({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) == []
    assert json_differences({"a": [1]}, {"a": [True, 2]}) == ["a[0]: 1 became true", "a[1]: nothing became 2"]
    assert json_differences({"a": {"b": "x"}}, {}) == ['a: {"b": "x"} became nothing']
    assert len(json_differences("x" * 500, 1)[0]) < 100
