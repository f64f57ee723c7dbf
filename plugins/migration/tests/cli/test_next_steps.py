"""What commands tell people to do next, and whom they ask."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import isthmus
from isthmus.cli.exit_codes import ExitCode
from isthmus_migration.coordination.control import ControlFile, Rates
from isthmus_migration.journal.lock import WorkLock
from plugins.migration.tests.cli.helpers import THINGS, Ends, Run

INLINE = ("--engine", "inline")


def _commands(text: str) -> list[list[str]]:
    """The commands that a text names in backquotes, as a shell reads them."""
    return [shlex.split(found) for found in re.findall(r"`(isthmus [^`]+)`", text)]


def test_what_to_do_next_can_be_pasted_into_a_shell(tmp_path: Path, command: Run) -> None:
    """Also where names have spaces in them."""
    ends = Ends(tmp_path / "a folder of mine")
    ends.folder.mkdir()
    ends.fill(3)
    made = command("migrate", "plan", ends.source, ends.target, "--workdir", ends.workdir)
    assert _commands(made.out) == [["isthmus", "migrate", "run", ends.workdir]]
    copied = command("migrate", "run", ends.workdir, *INLINE)
    assert _commands(copied.out) == [["isthmus", "migrate", "verify", ends.workdir]]
    folder = str(ends.folder / "an export")
    exported = command("export", ends.source, folder, *INLINE)
    ((_isthmus, verify, _source, target),) = _commands(exported.out)
    assert (verify, target) == ("verify", f"file:{folder}")


def test_what_was_moved_is_verified_and_nothing_else(ends: Ends, command: Run) -> None:
    """One table of several, into one that held items before: the command that is named finds no difference."""
    with isthmus.connect(ends.source) as database:
        database.tables.create(isthmus.Table("others", "id")).put({"id": "1"})
    folder = str(ends.folder / "dump")
    exported = command("export", ends.source, folder, "--table", "things", *INLINE)
    (step,) = _commands(exported.out)
    assert command(*step[1:], *INLINE).code == ExitCode.OK
    with isthmus.connect(ends.target) as database:
        database.tables.create(THINGS).put({"id": "more"})
    (step,) = _commands(command("import", folder, ends.target, "--into-existing", "upsert", *INLINE).out)
    assert command(*step[1:], *INLINE).code == ExitCode.OK


def test_a_difference_says_how_it_is_repaired(copied: Ends, command: Run) -> None:
    """And how what only the target has is deleted."""
    copied.change(lambda things: things.delete(id="00001"))
    copied.change(lambda things: things.put({"id": "more"}))
    found = command("migrate", "verify", copied.workdir, *INLINE)
    assert _commands(found.out) == [["isthmus", "migrate", "repair", copied.workdir]]
    assert "--delete-extra" in found.out
    assert command("migrate", "repair", copied.workdir, *INLINE, "--delete-extra").code == ExitCode.OK


def test_a_refusal_says_what_to_do_instead(copied: Ends, command: Run) -> None:
    """A copy that is done is verified; what was rolled back is planned anew."""
    assert command("migrate", "run", copied.workdir).err.endswith("nothing is left to copy: verify it\n")
    assert command("migrate", "rollback", copied.workdir, "--yes", *INLINE).code == ExitCode.ROLLED_BACK
    for words in (("run",), ("verify",), ("rollback", "--yes"), ("dead", "replay", "--all")):
        refused = command("migrate", *words, copied.workdir)
        assert (refused.code, "plan anew" in refused.err) == (ExitCode.NO, True), words


class _Terminal:
    """Somebody who would answer no."""

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return "n\n"


def test_a_rollback_that_prints_json_asks_nobody(copied: Ends, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program can't answer, and standard output stays JSON; people who say no see that nothing was done."""
    monkeypatch.setattr("sys.stdin", _Terminal())
    refused = command("migrate", "rollback", copied.workdir, "--json")
    assert (refused.code, refused.out, refused.error["code"]) == (ExitCode.USAGE, "", "invalid_argument")
    monkeypatch.setattr("sys.stdin", None)
    refused = command("migrate", "rollback", copied.workdir)
    assert (refused.code, "say --yes" in refused.err) == (ExitCode.USAGE, True)


def test_watching_without_a_terminal_prints_lines(planned: Ends, command: Run) -> None:
    """A log gets whole lines, as nothing in it can be taken back."""
    shown = command("migrate", "status", planned.workdir, "--watch")
    assert shown.out.endswith("\n")
    assert shown.out == command("migrate", "status", planned.workdir).out


def test_a_run_that_waits_goes_on_with_the_rates_that_are_said(planned: Ends, command: Run) -> None:
    """In its own process; nothing is done in this one."""
    with WorkLock(Path(planned.workdir)):
        assert command("migrate", "pause", planned.workdir).code == ExitCode.OK
        assert "the run goes on in process" in command("migrate", "resume", planned.workdir, "--items", "7").out
        told = ControlFile(Path(planned.workdir)).read()
    assert (told.command, told.rates) == ("run", Rates(items=7))
