from __future__ import annotations

import json
import sys

import pytest

from core.tests.cli.conftest import Run
from core.tests.conftest import Install
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.packages import FIRST_PARTY_COMMANDS, GROUP

GREET = """
import click

@click.command()
@click.argument("name")
def Made(name):
    '''Say hello.'''
    print(f"hello {name}")
    return 7 if name == "nobody" else None
"""
BROKEN = "import a_module_that_nobody_has\n"
FOREIGN = "def Made(): pass\n"
PLUGIN = """
import click
import isthmus

class Made(isthmus.Plugin):
    name = "moving"

    @isthmus.hookimpl
    def isthmus_register_commands(self, cli):
        cli.add_command(click.Command("migrate", callback=lambda: 8))
"""


def _loaded(name: str) -> bool:
    return f"{name}_made_for_a_test" in sys.modules


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package with commands, whatever the environment of the tests holds."""
    monkeypatch.setattr("isthmus.cli.packages.installed", lambda group: {GROUP: {}}[group])


def test_a_package_brings_a_command(command: Run, install: Install) -> None:
    """Installing it is enough; what the command returns is the exit code."""
    install("greet", GREET, group=GROUP)
    ended = [command("greet", "Ada"), command("greet", "nobody")]
    assert [(one.code, one.out) for one in ended] == [(0, "hello Ada\n"), (7, "hello nobody\n")]


def test_a_command_of_a_package_is_listed(command: Run, install: Install) -> None:
    """The help shows its name and its short help."""
    install("greet", GREET, group=GROUP)
    assert "  greet     Say hello.\n" in command("--help").out


def test_other_commands_load_no_package(command: Run, install: Install) -> None:
    """Neither built-in commands nor those of other packages pay for it."""
    install("greet", GREET, group=GROUP)
    install("wave", GREET, group=GROUP)
    assert [command("explain", "memory://x").code, command("wave", "Ada").code] == [0, 0]
    assert (_loaded("greet"), _loaded("wave")) == (False, True)


def test_the_built_in_command_of_that_name_is_used(command: Run, install: Install) -> None:
    """A package can't take a name over."""
    install("hijack", GREET, group=GROUP, scheme="explain")
    assert (json.loads(command("explain", "memory://x", "--json").out)["backend"], _loaded("hijack")) == (
        "memory",
        False,
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (BROKEN, "'greet' of isthmus-greet 1.2 fails to import (ModuleNotFoundError of a_module_that_nobody_has)"),
        (FOREIGN, "'greet' of isthmus-greet 1.2 is no click command"),
    ],
    ids=["broken", "foreign"],
)
def test_a_broken_package_is_left_out_of_the_help(command: Run, install: Install, source: str, why: str) -> None:
    """One line says why, and the other commands are there."""
    install("greet", source, group=GROUP)
    install("wave", GREET, group=GROUP)
    ended = command("--help")
    assert (ended.code, "  wave " in ended.out, "  greet " in ended.out) == (0, True, False)
    assert (len(ended.err.splitlines()), f"a command is left out: command {why}" in ended.err) == (1, True)


@pytest.mark.parametrize("source", [BROKEN, FOREIGN], ids=["broken", "foreign"])
def test_a_broken_command_says_so_when_it_is_used(command: Run, install: Install, source: str) -> None:
    """It exists, so it is no wrong use; one error, in the form that was asked for."""
    install("greet", source, group=GROUP)
    ended = command("greet", "Ada", "--json")
    assert (ended.code, json.loads(ended.err)["error"]["code"]) == (ExitCode.CONFIGURATION, "plugin_error")
    assert "'greet' of isthmus-greet 1.2" in ended.err


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", sorted(FIRST_PARTY_COMMANDS))
@pytest.mark.parametrize("rest", [("a", "b"), ("--help",)], ids=["used", "help"])
def test_a_missing_package_is_named(command: Run, name: str, rest: tuple[str, ...]) -> None:
    """Commands of the migration tell what to install."""
    ended = command(name, *rest)
    assert (ended.code, 'pip install "isthmus[migration]"' in ended.err) == (ExitCode.CONFIGURATION, True)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(("name", "shown"), [("export", True), ("import", True), ("migrate", False), ("verify", False)])
def test_one_table_needs_no_further_package(command: Run, name: str, shown: bool) -> None:
    """Who wants JSON lines of one table hears of the command that is there."""
    assert (f"`isthmus tables {name}`" in command(name, "sqlite:///x.db", "cities", "x.jsonl").err) is shown


def test_an_installed_package_is_not_called_missing(
    command: Run, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command runs under the first-party name."""
    monkeypatch.setattr("isthmus.cli.packages.FIRST_PARTY_COMMANDS", frozenset({"ferry"}))
    install("greet", GREET, group=GROUP, scheme="ferry")
    assert command("ferry", "Ada").out == "hello Ada\n"


@pytest.mark.usefixtures("nothing_installed")
def test_an_activated_plugin_may_have_a_first_party_name(
    command: Run, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is not called missing, wherever it comes from."""
    install("moving", PLUGIN)
    monkeypatch.setenv("ISTHMUS_PLUGINS", "moving")
    assert (command("migrate").code, command("verify").code) == (8, ExitCode.CONFIGURATION)
