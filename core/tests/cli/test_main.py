from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.tests.cli.conftest import Run
from isthmus import errors
from isthmus.cli.app import COMMANDS
from isthmus.cli.exit_codes import MEANINGS, ExitCode, exit_code_for


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("package", ["click", "rich"])
def test_a_missing_package_is_named_without_a_traceback(package: str) -> None:
    """``main`` imports without the extra, says how to install it, and ends with 3."""
    code = f"import sys; sys.modules[{package!r}] = None\nfrom isthmus.cli.main import main\nsys.exit(main())"
    ended = _python(code, "plugins")
    assert (ended.returncode, 'pip install "isthmus[cli]"' in ended.stderr, "Trace" in ended.stderr) == (3, True, False)


def test_an_interrupt_while_packages_are_loaded() -> None:
    """Ctrl-C right after the start gives no traceback either."""
    code = """
import builtins, sys
real = builtins.__import__
def interrupted(name, *more):
    if name == "click":
        raise KeyboardInterrupt
    return real(name, *more)
from isthmus.cli.main import main
builtins.__import__ = interrupted
sys.exit(main())
"""
    ended = _python(code, "plugins")
    assert (ended.returncode, ended.stderr) == (130, "interrupted\n")


def test_the_command_runs_as_a_process() -> None:
    """The entry point gives its exit code to the shell."""
    code = "import sys\nfrom isthmus.cli.main import main\nsys.exit(main())"
    good = _python(code, "explain", "memory://", "--json")
    bad = _python(code, "get", "memory://", "things", "k", "--json")
    assert (good.returncode, json.loads(good.stdout)["backend"]) == (0, "memory")
    assert (bad.returncode, json.loads(bad.stderr)["error"]["code"]) == (1, "table_not_found")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """``isthmus scan … | head`` ends with 141 and says nothing."""
    file = tmp_path / "x.jsonl"
    file.write_text("".join(f'{{"id":"{number}","text":"{"x" * 1_000}"}}\n' for number in range(2_000)))
    script = """
import isthmus, sys
from isthmus.memory import MemoryBackend
backend, connect = MemoryBackend(), isthmus.connect
isthmus.connect = lambda url: connect(backend)
from isthmus.cli.app import run
run(["tables", "import", "memory://", "things", sys.argv[1], "--partition-key", "id"])
sys.exit(run(["scan", "memory://", "things"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
        assert (process.wait(300), error) == (141, "")


def test_an_interrupt_ends_with_130(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C gives no traceback."""

    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.connect", interrupt)
    ended = command("explain", "memory://x")
    assert (ended.code, ended.err.strip()) == (130, "interrupted")


def test_every_command_has_help(command: Run) -> None:
    """Each built-in command loads, and explains itself."""
    assert len(COMMANDS) > 10
    assert [0] * len(COMMANDS) == [command(name, "--help").code for name in sorted(COMMANDS)]


def test_the_help_names_the_backends_that_exist(command: Run) -> None:
    """And others by what they are: packages."""
    text = " ".join(command("--help").out.split())
    assert "over SQLite, memory, DynamoDB, MongoDB, and any backend shipped as a package" in text


def test_a_group_without_a_command_shows_its_help(command: Run) -> None:
    """As help, and not as the text of an error."""
    shown = command()
    assert (shown.code, shown.out, shown.err.startswith("Usage: isthmus")) == (2, "", True)


def test_the_help_documents_every_exit_code(command: Run) -> None:
    """The table of codes stands at the end of the help."""
    text = command("--help").out
    assert list(ExitCode) == [code for code in ExitCode if f"{code:>5}  {MEANINGS[code]}" in text]


def test_unknown_words_are_wrong_use(command: Run) -> None:
    """An unknown command, a missing operand and one too many."""
    ended = [command("bogus"), command("get", "memory://x"), command("explain", "memory://x", "more")]
    assert [one.code for one in ended] == [2, 2, 2]
    assert [word for word, one in zip(["bogus", "TABLE", "more"], ended, strict=True) if word in one.err] == [
        "bogus",
        "TABLE",
        "more",
    ]


def test_without_a_url_the_environment_decides(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """ISTHMUS_URL takes the place of the operand."""
    monkeypatch.setenv("ISTHMUS_URL", "memory://")
    assert ((ended := command("tables", "--json")).code, json.loads(ended.out)) == (0, {"tables": []})


def test_without_any_url_the_configuration_is_at_fault(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 3, with the ways to name a database."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ISTHMUS_")]:
        monkeypatch.delenv(name)
    ended = command("tables", "--json")
    assert (ended.code, json.loads(ended.err)["error"]["code"]) == (3, "configuration_error")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidCursor("x"), 2),
        (errors.ItemNotFound("x"), 1),
        (errors.VersionConflict("x"), 1),
        (errors.PluginError("x"), 3),
        (errors.Unavailable("x"), 4),
        (errors.BackendError("x"), 4),
        (errors.InvalidStoredValue("x"), 5),
        (errors.Unauthenticated("x"), 6),
    ],
)
def test_errors_have_exit_codes(error: errors.IsthmusError, code: int) -> None:
    """A promise to scripts."""
    assert code == exit_code_for(error)
