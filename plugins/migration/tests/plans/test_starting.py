"""What changes between the plan and the run: refused before anything is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import Table
from isthmus.errors import AlreadyExists, ConfigurationError, SchemaMismatch, TableNotFound
from isthmus_migration.coordination.options import RunOptions
from isthmus_migration.errors import PlanChanged, WrongState
from isthmus_migration.journal.states import State
from isthmus_migration.migration import Migration
from isthmus_migration.plans.starting import is_ours, ours
from plugins.migration.tests.plans.helpers import THINGS, contents, filled, numbered, planned, sqlite


def _change(folder: Path, name: str, change: Callable[[isthmus.Database], object]) -> None:
    with isthmus.connect(sqlite(folder, name)) as database:
        change(database)


def _refused(folder: Path, error: type[Exception], said: str) -> None:
    """A run is refused, and has not begun."""
    with pytest.raises(error, match=said):
        Migration.open(folder / "work").run(engine="inline")
    with Migration.open(folder / "work").work.journal(writable=False) as journal:
        assert (journal.state, journal.meta("number")) == (State.PLANNED, "0")
        assert [unit for unit in journal.units("copy") if unit.sequence or unit.unsettled] == []


def _tables(folder: Path, name: str = "target") -> list[str]:
    with isthmus.connect(sqlite(folder, name)) as database:
        return database.tables.list()


def test_a_source_table_that_is_gone_is_refused(tmp_path: Path) -> None:
    """Not even the other tables are begun."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    filled(sqlite(tmp_path, "source"), numbered(3), Table("others", "id"))
    planned(tmp_path)
    _change(tmp_path, "source", lambda database: database.tables.drop("things"))
    _refused(tmp_path, TableNotFound, "'things' of the source is gone")
    assert _tables(tmp_path) == []


def test_a_source_table_with_another_definition_is_refused(tmp_path: Path) -> None:
    """The differences are named."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    planned(tmp_path)
    _change(tmp_path, "source", lambda database: database.tables.drop("things"))
    filled(sqlite(tmp_path, "source"), numbered(3), Table("things", "id", ttl="gone"))
    _refused(tmp_path, SchemaMismatch, "ttl is declared as none, stored as gone")


def test_a_target_table_that_somebody_else_has_created_is_refused(tmp_path: Path) -> None:
    """It is not written to, and no rollback will drop it; once it is gone, the run goes on."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    migration = planned(tmp_path)
    filled(sqlite(tmp_path, "target"), [{"id": "theirs"}])
    _refused(tmp_path, AlreadyExists, "created by somebody else")
    assert contents(sqlite(tmp_path, "target")) == [{"id": "theirs"}]
    with migration.work.journal(writable=False) as journal:
        assert not is_ours(journal, "things")
    _change(tmp_path, "target", lambda database: database.tables.drop("things"))
    assert migration.run(engine="inline").finished
    with migration.work.journal(writable=False) as journal:
        assert [table.target.name for table in ours(migration.the_plan, journal)] == ["things"]


def test_a_target_table_of_somebody_else_hinders_the_creation_of_others(tmp_path: Path) -> None:
    """All are looked at before the first one is made."""
    for name in ("first", "second"):
        filled(sqlite(tmp_path, "source"), numbered(3), Table(name, "id"))
    planned(tmp_path)
    filled(sqlite(tmp_path, "target"), [], Table("second", "id"))
    _refused(tmp_path, AlreadyExists, "second")
    assert _tables(tmp_path) == ["second"]


def test_an_empty_table_that_a_run_was_creating_when_it_died_is_taken_for_ours(tmp_path: Path) -> None:
    """The journal knew of the intent; with items of others it would not be."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    migration = planned(tmp_path)
    with migration.work.journal(writable=True) as journal:
        journal.set_meta(**{"creating:things": migration.the_plan.id})
    filled(sqlite(tmp_path, "target"), [{"id": "theirs"}])
    _refused(tmp_path, AlreadyExists, "somebody else")
    _change(tmp_path, "target", lambda database: database.table(THINGS).delete({"id": "theirs"}))
    assert migration.run(engine="inline").finished
    with migration.work.journal(writable=False) as journal:
        assert is_ours(journal, "things")


def test_a_target_table_that_was_empty_and_is_not_any_more_is_refused(tmp_path: Path) -> None:
    """Its items would be overwritten, though the plan said nothing of that."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    filled(sqlite(tmp_path, "target"), [])
    planned(tmp_path)
    filled(sqlite(tmp_path, "target"), [{"id": "k00001", "n": "theirs"}])
    _refused(tmp_path, AlreadyExists, "holds items now")
    assert contents(sqlite(tmp_path, "target")) == [{"id": "k00001", "n": "theirs"}]


def test_a_target_table_that_is_filled_before_the_first_item_is_copied_is_refused(tmp_path: Path) -> None:
    """A run that had only looked at it makes no difference."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    filled(sqlite(tmp_path, "target"), [])
    migration = planned(tmp_path)

    def stopping(code: str, data: dict[str, Any]) -> None:
        if (code, data.get("phase")) == ("phase", "copy"):
            raise WrongState("stopped here")

    with pytest.raises(WrongState, match="stopped here"):
        migration.run(engine="inline", options=RunOptions(listener=stopping))
    filled(sqlite(tmp_path, "target"), [{"id": "k00001", "n": "theirs"}])
    with pytest.raises(AlreadyExists, match="holds items now"):
        migration.run(engine="inline")
    assert contents(sqlite(tmp_path, "target")) == [{"id": "k00001", "n": "theirs"}]


def test_a_target_table_that_is_gone_is_refused(tmp_path: Path) -> None:
    """One that was there before is not made anew."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    filled(sqlite(tmp_path, "target"), [])
    planned(tmp_path)
    _change(tmp_path, "target", lambda database: database.tables.drop("things"))
    _refused(tmp_path, TableNotFound, "'things' of the target is gone")


def test_a_target_table_of_ours_that_is_dropped_in_the_middle_is_not_made_anew(tmp_path: Path) -> None:
    """Half of the items would be missing."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    migration = planned(tmp_path)
    assert migration.run(engine="inline").finished
    with migration.work.journal(writable=True) as journal:
        journal.enter(State.PAUSED)
    _change(tmp_path, "target", lambda database: database.tables.drop("things"))
    with pytest.raises(TableNotFound, match="gone since the migration began"):
        Migration.open(tmp_path / "work").run(engine="inline")
    assert _tables(tmp_path) == []


# ---- the code of transforms ----


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a module with a transform."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    path = folder / "isthmus_plans_code.py"
    path.write_text("def change(item):\n    return item\n")
    yield path
    sys.modules.pop(path.stem, None)


_MAPPING = {"things": {"function": "isthmus_plans_code:change"}}


def test_other_code_of_a_transform_is_refused_and_its_module_named(tmp_path: Path, module: Path) -> None:
    """Before anything is written; with the old code the run goes on."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    migration = planned(tmp_path, mapping=_MAPPING)
    before = module.read_text()
    module.write_text(before + "# changed\n")
    _refused(tmp_path, PlanChanged, "isthmus_plans_code:change")
    assert _tables(tmp_path) == []
    module.write_text(before)
    assert migration.run(engine="inline").finished


def test_code_of_a_transform_that_is_gone_is_refused(tmp_path: Path, module: Path) -> None:
    """It is named by its import path."""
    filled(sqlite(tmp_path, "source"), numbered(3))
    planned(tmp_path, mapping=_MAPPING)
    module.unlink()
    sys.modules.pop(module.stem, None)
    _refused(tmp_path, ConfigurationError, "isthmus_plans_code:change")


@pytest.mark.parametrize(
    ("body", "code"),
    [("raise ValueError(item)", "function_failed"), ("return [item]", "wrong_shape"), ("return {'n': {1, 'a'}}", None)],
)
def test_a_transform_that_fails_is_found_by_the_preflight(
    tmp_path: Path, module: Path, body: str, code: str | None
) -> None:
    """It raises, or returns what is no item: every item of the sample is named, and none of its values."""
    module.write_text(f"def change(item):\n    {body}\n")
    filled(sqlite(tmp_path, "source"), [{"id": f"k{number}", "n": "secret"} for number in range(4)])
    migration = planned(tmp_path, mapping=_MAPPING)
    assert migration.preflight is not None
    found = migration.preflight.errors
    assert sorted(str(one.key and one.key["id"]) for one in found) == ["k0", "k1", "k2", "k3"]
    assert {one.code for one in found} == {code or "invalid_value"}
    assert "secret" not in repr([one.reason for one in found])
