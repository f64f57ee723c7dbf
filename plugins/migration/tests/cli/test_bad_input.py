from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from isthmus.cli.exit_codes import ExitCode
from plugins.migration.tests.cli.helpers import Ends, Run

OF_A_WORKDIR = ["run", "resume", "status", "pause", "stop", "verify", "repair", "report", "rollback"]


@pytest.mark.parametrize("name", OF_A_WORKDIR)
def test_a_work_directory_that_is_not_there(tmp_path: Path, command: Run, name: str) -> None:
    """Each command says in one line that it is missing, and creates nothing."""
    refused = command("migrate", name, str(tmp_path / "nowhere"))
    assert (refused.code, refused.out, refused.err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert "there is no work directory" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else(tmp_path: Path, command: Run) -> None:
    """A folder without a plan is damaged or none: the code says so, as JSON where it is asked for."""
    refused = command("migrate", "status", str(tmp_path), "--json")
    assert (refused.code, refused.error["code"]) == (ExitCode.DAMAGED, "work_directory_damaged")


def test_a_journal_of_another_version(planned: Ends, command: Run) -> None:
    """It is refused with both versions, before anything is done."""
    with sqlite3.connect(Path(planned.workdir, "journal.db")) as journal:
        journal.execute("UPDATE meta SET value = '99' WHERE name = 'version'")
    journal.close()
    refused = command("migrate", "run", planned.workdir)
    assert (refused.code, "version 99" in refused.err) == (ExitCode.DAMAGED, True)


def test_a_plan_that_was_edited(planned: Ends, command: Run) -> None:
    """A changed plan is no plan of this journal."""
    plan = Path(planned.workdir, "plan.json")
    plan.write_text(plan.read_text().replace('"keep_images": true', '"keep_images": false'))
    refused = command("migrate", "run", planned.workdir, "--json")
    assert (refused.code, refused.error["code"]) == (ExitCode.CONFIGURATION, "plan_changed")


@pytest.mark.parametrize(
    "options",
    [
        ("--engine", "abacus"),
        ("--items-per-second", "-3"),
        ("--items-per-second", "0"),
        ("--write-units", "nan"),
        ("--bytes-per-second", "inf"),
        ("--workers", "0"),
        ("--max-dead", "-1"),
        ("--max-dead", "200%"),
        ("--max-dead", "few"),
    ],
)
def test_settings_that_make_no_sense(planned: Ends, command: Run, options: tuple[str, ...]) -> None:
    """They are wrong use, said in one line; the migration is as it was."""
    refused = command("migrate", "run", planned.workdir, *options)
    assert (refused.code, refused.err.count("\n")) == (ExitCode.USAGE, 1)
    assert command("migrate", "status", planned.workdir, "--json").result["state"] == "planned"


def test_a_table_that_the_source_lacks(ends: Ends, command: Run) -> None:
    """Its name is in the message, and no work directory is left."""
    refused = command(
        "migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "--table", "thigns", "--json"
    )
    assert (refused.code, refused.error["code"]) == (ExitCode.NO, "table_not_found")
    assert not Path(ends.workdir).exists()


def test_a_mapping_of_a_table_that_is_not_moved(ends: Ends, command: Run, tmp_path: Path) -> None:
    """A mistyped table in a mapping file would be a transform that never runs."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[tables.thigns]\ndrop = ["size"]\n')
    refused = command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir, "-c", str(mapping))
    assert refused.code in (ExitCode.USAGE, ExitCode.NO, ExitCode.CONFIGURATION)
    assert "thigns" in refused.err


def test_source_and_target_are_one(ends: Ends, command: Run) -> None:
    """Nothing is moved onto itself."""
    refused = command("migrate", "plan", ends.source, ends.source, "--workdir", ends.workdir, "--json")
    assert (refused.code, refused.error["code"]) == (ExitCode.NO, "plan_refused")
    assert any("the same place" in problem for problem in refused.error["problems"])


def test_a_target_that_holds_items(copied: Ends, command: Run, tmp_path: Path) -> None:
    """Without a word about what happens to them the plan is refused, with a problem for each table."""
    other = str(tmp_path / "other")
    refused = command("migrate", "plan", copied.source, copied.target, "--workdir", other, "--json")
    assert (refused.code, refused.error["code"]) == (ExitCode.NO, "plan_refused")
    assert ["--into-existing" in problem for problem in refused.error["problems"]] == [True]


def test_a_work_directory_that_is_used(planned: Ends, command: Run) -> None:
    """A second plan into it is refused."""
    again = command("migrate", "plan", planned.source, planned.target, "--workdir", planned.workdir)
    assert (again.code, "is not empty" in again.err) == (ExitCode.NO, True)


@pytest.mark.parametrize(
    "options",
    [
        ("verify", "--sample", "5"),
        ("report", "--format", "html", "--json"),
        ("plan", "sqlite:///s.db", "sqlite:///t.db", "--sample", "5", "--no-images", "--workdir"),
    ],
)
def test_options_that_would_do_nothing(planned: Ends, command: Run, options: tuple[str, ...]) -> None:
    """Whoever says them expects something."""
    name, *words = options
    refused = command("migrate", name, *words, planned.workdir)
    assert (refused.code, "leave" in refused.err) == (ExitCode.USAGE, True)


def test_a_plan_needs_a_work_directory(ends: Ends, command: Run) -> None:
    """Unless it is a dry run."""
    assert command("migrate", "plan", ends.source, ends.target).code == ExitCode.USAGE


def test_a_copy_that_is_done(copied: Ends, command: Run) -> None:
    """Running it again is a state that can't be, and says where it stands."""
    again = command("migrate", "run", copied.workdir)
    assert (again.code, "copied" in again.err) == (ExitCode.NO, True)


def test_a_dead_letter_that_is_not_there(copied: Ends, command: Run) -> None:
    """Numbers are checked."""
    assert command("migrate", "dead", "show", copied.workdir, "17").code == ExitCode.NO


def test_a_folder_without_an_export(ends: Ends, command: Run, tmp_path: Path) -> None:
    """Nothing is imported from it, and nothing is left of the attempt."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert command("import", str(empty), ends.target).code in (ExitCode.DAMAGED, ExitCode.BACKEND, ExitCode.NO)
    assert list(empty.iterdir()) == []


def test_the_exit_codes_are_in_the_help(command: Run) -> None:
    """Scripts rely on them."""
    shown = command("migrate", "run", "--help").out
    for text in ("8  done, except for items", "9  paused or stopped", "130  interrupted"):
        assert text in shown


@pytest.mark.parametrize("words", [("verify",), ("migrate", "plan", "--sample", "1")])
def test_a_mapping_of_a_table_that_nobody_looks_at(
    copied: Ends, command: Run, tmp_path: Path, words: tuple[str]
) -> None:
    """A mistyped table is refused where items are only compared or shown, too."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[tables.thigns]\ndrop = ["size"]\n')
    refused = command(*words, copied.source, copied.target, "-c", str(mapping))
    assert (refused.code, "thigns" in refused.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    "place", ["mongodb:/me:marzipan@host/shop", "sqlite:shop.db", "env:mongodb://me:marzipan@host/shop", "env:A B"]
)
def test_a_url_with_a_mistake_is_no_folder(
    ends: Ends, command: Run, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Nobody means an export in a folder of such a name; what is in it may be a secret, and is not shown."""
    monkeypatch.setenv("MISTAKEN", place if not place.startswith("env:") else "mongodb:/me:marzipan@host/shop")
    for words in ((ends.source, place), (place, ends.target), (ends.source, "env:MISTAKEN")):
        refused = command("migrate", "plan", *words, "--workdir", ends.workdir)
        assert (refused.code, "marzipan" in refused.err) == (ExitCode.USAGE, False)
    assert not Path(ends.workdir).exists()


def test_options_of_a_target_that_is_not_there_yet(ends: Ends, command: Run) -> None:
    """Wrong ones are found by the plan, and not by the run; right ones are no trouble."""
    refused = command("migrate", "plan", ends.source, f"{ends.target}?bogus=1", "--workdir", ends.workdir)
    assert (refused.code, "bogus" in refused.err) == (ExitCode.CONFIGURATION, True)
    right = f"{ends.target}?create=true&busy_timeout=9"
    assert command("migrate", "plan", ends.source, right, "--workdir", ends.workdir).code == ExitCode.OK


def test_a_database_file_that_is_named_as_a_folder(ends: Ends, command: Run) -> None:
    """The message has the form of a URL."""
    refused = command("verify", str(ends.folder / "source.db"), ends.target)
    assert (refused.code, "sqlite:///" in refused.err) == (ExitCode.DAMAGED, True)


@pytest.mark.parametrize("name", ["lock", "plan.json"])
def test_a_file_that_cannot_be_read(planned: Ends, command: Run, name: str) -> None:
    """A folder in its place, here: said in one line, as everything that is in the way."""
    path = Path(planned.workdir) / name
    path.unlink(missing_ok=True)
    path.mkdir()
    refused = command("migrate", "status", planned.workdir)
    assert (refused.code, refused.err.count("\n"), name in refused.err) == (ExitCode.DAMAGED, 1, True)


def test_a_plan_that_is_no_text(planned: Ends, command: Run) -> None:
    """The message says why it can't be read."""
    (Path(planned.workdir) / "plan.json").write_bytes(b"\xff\xfe")
    refused = command("migrate", "run", planned.workdir)
    assert (refused.code, "(it is no text)" in refused.err) == (ExitCode.DAMAGED, True)
