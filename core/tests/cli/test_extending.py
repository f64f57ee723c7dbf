from __future__ import annotations

import click
import pytest

from isthmus import Plugin, hookimpl
from isthmus.cli.extending import collect


class Greeting(Plugin):
    """Adds one command."""

    name = "greeting"

    @hookimpl
    def isthmus_register_commands(self, cli: click.Group) -> None:
        cli.add_command(click.Command("greet"))


class Broken(Plugin):
    """Fails after its first command."""

    name = "broken"

    @hookimpl
    def isthmus_register_commands(self, cli: click.Group) -> None:
        cli.add_command(click.Command("half"))
        raise RuntimeError("no luck")


class Late(Greeting):
    """Adds a command of the same name."""

    name = "late"


class Silent(Plugin):
    """Adds nothing."""

    name = "silent"


def test_plugins_add_commands() -> None:
    """A plugin without the hook is no problem."""
    assert list(collect([Silent(), Greeting()]).commands) == ["greet"]


def test_a_broken_plugin_is_reported_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """None of its commands stays, and the others are there."""
    assert list(collect([Greeting(), Broken()]).commands) == ["greet"]
    assert "'broken' are left out: RuntimeError: no luck" in capsys.readouterr().err


def test_the_first_of_two_commands_with_one_name_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """The order is that of the plugins' names."""
    assert list(collect([Late(), Greeting()]).commands) == ["greet"]
    assert "of plugin 'late' is left out" in capsys.readouterr().err
