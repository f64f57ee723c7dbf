from __future__ import annotations

import json
from pathlib import Path

import pytest

import isthmus
from core.tests.cli.conftest import URL, Run
from isthmus.backends import Backend
from isthmus.memory import MemoryBackend
from isthmus.operations import Operation
from isthmus.results import Result


def test_plugins_lists_the_memory_backend(command: Run) -> None:
    """It comes with the core."""
    found = json.loads(command("plugins", "--json").out)["plugins"]
    (memory,) = [plugin for plugin in found if plugin["name"] == "memory"]
    assert (memory["group"], memory["distribution"], memory["status"]) == ("isthmus.backends", "isthmus", "available")


def test_explain_prints_the_stack(command: Run) -> None:
    """As data and as text."""
    found = json.loads(command("explain", URL, "--json").out)
    assert (found["backend"], [layer["name"] for layer in found["layers"]]) == ("memory", ["validation"])
    assert "VALIDATE" in command("explain", URL).out


def test_doctor_reports_a_healthy_database(command: Run) -> None:
    """Checks, versions, plugins, capabilities and limits."""
    found = command("doctor", URL, "--json")
    report = json.loads(found.out)
    assert (
        found.code,
        report["healthy"],
        report["capabilities"]["transact_write"],
        report["limits"]["item_bytes"],
    ) == (0, True, "full", 409_600)
    assert isthmus.__version__ == report["versions"]["isthmus"]


def test_doctor_ends_with_4_when_the_store_fails(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed check is told and decides the exit code."""

    def fail(_backend: Backend, _operation: Operation) -> Result:
        raise OSError("gone")

    monkeypatch.setattr(MemoryBackend, "execute", fail)
    found = command("doctor", URL)
    assert (found.code, "FAILED" in found.out) == (4, True)


def test_config_names_sources(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the environment is shown with its variable, and a secret is not shown."""
    monkeypatch.setenv("ISTHMUS_URL", "memory://x?password=hunter2")
    found = command("config", "--json")
    settings = {row["name"]: row for row in json.loads(found.out)["settings"]}
    assert ("ISTHMUS_URL" in settings["url"]["source"], "hunter2" in found.out) == (True, False)


def test_config_names_the_command_line(command: Run) -> None:
    """A URL that was given as an operand."""
    settings = {row["name"]: row for row in json.loads(command("config", URL, "--json").out)["settings"]}
    assert settings["url"]["source"] == "command line"


def test_config_lists_every_mistake(command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 3, and as JSON a list with a text for each mistake."""
    monkeypatch.chdir(tmp_path)
    Path("isthmus.toml").write_text("[isthmus]\nurll = 'memory://'\ntimeout = 'soon'\n")
    found = command("config", "--json")
    problems = json.loads(found.err)["error"]["problems"]
    assert (found.code, len(problems)) == (3, 2)
    assert [any(f"isthmus.toml:{line}:" in problem for problem in problems) for line in (2, 3)] == [True, True]


def test_a_broken_configuration_leaves_other_commands_working(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Plugins are listed, with a remark that is JSON like the list."""
    monkeypatch.chdir(tmp_path)
    Path("isthmus.toml").write_text("[isthmus]\nurll = 'memory://'\n")
    found = command("plugins", "--json")
    assert (found.code, "memory" in found.out) == (0, True)
    assert "urll" in json.loads(found.err)["warning"]["message"]
