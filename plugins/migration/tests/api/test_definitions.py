"""Exports that AWS wrote have no definitions of tables: they are given, and written into the plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import isthmus
from isthmus import Key, Table
from isthmus.errors import InvalidArgument
from isthmus_migration import Migration, verify
from isthmus_migration.cli.checking import verify as verify_command
from isthmus_migration.cli.planning import plan
from isthmus_migration.cli.transferring import import_
from isthmus_migration.errors import ExportUnsupported

THINGS = Table("things", "id", Key("n", "number"))


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A database with a table."""
    url = f"sqlite:///{tmp_path}/source.db"
    with isthmus.connect(url) as database:
        database.tables.ensure(THINGS).put_many([{"id": "a", "n": n} for n in range(20)]).raise_for_failures()
    return url


@pytest.fixture
def aws(source: str, tmp_path: Path) -> str:
    """The table as AWS exports it: without anything of ours."""
    folder = tmp_path / "export"
    Migration.plan(source, str(folder), workdir=tmp_path / "writing", format="dynamodb").run(engine="inline")
    (folder / "manifest.json").unlink()
    return str(folder)


def test_without_a_definition_the_message_says_how_to_give_it(aws: str, tmp_path: Path) -> None:
    """For Python and for the command line."""
    with pytest.raises(ExportUnsupported, match=r"definitions=\[Table\('things'.* --definition things=FILE"):
        Migration.plan(aws, f"sqlite:///{tmp_path}/target.db", workdir=tmp_path / "work")


def test_a_definition_travels_in_the_plan(source: str, aws: str, tmp_path: Path) -> None:
    """A run that goes on later needs nothing more, in other processes too."""
    target = f"sqlite:///{tmp_path}/target.db"
    Migration.plan(aws, target, workdir=tmp_path / "work", definitions=[THINGS])
    migration = Migration.open(tmp_path / "work")
    assert migration.run(engine="processes", workers=1).finished
    assert migration.verify(engine="inline").equal
    assert verify(source, target, engine="inline").equal
    assert verify(aws, target, definitions=[THINGS], engine="inline").equal


def test_the_command_reads_a_file(source: str, aws: str, tmp_path: Path) -> None:
    """The one that `tables describe --json` prints."""
    (tmp_path / "things.json").write_text(json.dumps(THINGS.to_dict()))
    target = f"sqlite:///{tmp_path}/target.db"
    words = [aws, target, "--definition", f"things={tmp_path}/things.json", "--engine", "inline"]
    done = CliRunner().invoke(import_, words, standalone_mode=False)
    assert (done.return_value, done.exception) == (0, None)
    assert verify(source, target, engine="inline").equal


def test_definitions_that_contradict_are_refused(source: str, aws: str, tmp_path: Path) -> None:
    """Two for one table, and another key than an export says itself: none is passed over in silence."""
    other, target = Table("things", "n"), f"sqlite:///{tmp_path}/target.db"
    with pytest.raises(InvalidArgument, match="two definitions"):
        Migration.plan(aws, target, workdir=tmp_path / "work", definitions=[THINGS, other])
    Migration.plan(source, str(tmp_path / "own"), workdir=tmp_path / "writing2").run(engine="inline")
    with pytest.raises(InvalidArgument, match="not that of the definition"):
        Migration.plan(str(tmp_path / "own"), target, workdir=tmp_path / "work", definitions=[other])
    Migration.plan(str(tmp_path / "own"), target, workdir=tmp_path / "work", definitions=[THINGS])


def test_a_database_takes_none(source: str, tmp_path: Path) -> None:
    """It knows its own."""
    with pytest.raises(InvalidArgument, match="the source is a database: leave them out"):
        Migration.plan(source, f"sqlite:///{tmp_path}/t.db", workdir=tmp_path / "work", definitions=[THINGS])


def test_a_comparison_takes_definitions_of_either_side(source: str, aws: str) -> None:
    """An export that AWS wrote may be what is compared, or what it is compared with."""
    assert verify(source, aws, definitions=[THINGS], engine="inline").equal
    with pytest.raises(InvalidArgument, match="both places are databases: leave them out"):
        verify(source, f"{source}2", definitions=[THINGS])


@pytest.mark.parametrize("command", ["verify", "dry run"])
def test_commands_that_read_an_export_take_a_definition(source: str, aws: str, tmp_path: Path, command: str) -> None:
    """Not only those that copy it."""
    (tmp_path / "things.json").write_text(json.dumps(THINGS.to_dict()))
    words = [aws, source, "--definition", f"things={tmp_path}/things.json"]
    more = ["--engine", "inline"] if command == "verify" else ["--sample", "2"]
    done = CliRunner().invoke(verify_command if command == "verify" else plan, [*words, *more], standalone_mode=False)
    assert (done.return_value, done.exception) == (0, None)
