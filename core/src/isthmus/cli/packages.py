"""Commands of installed packages, found by their entry points and imported when they are used or listed.

They need no activation: a command changes nothing until somebody runs it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

import click

from isthmus.cli.output import warn
from isthmus.errors import PluginError
from isthmus.plugins import installed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "isthmus.commands"

# Commands of isthmus-migration, which may be named before it is installed.
FIRST_PARTY_COMMANDS: Final = frozenset({"migrate", "export", "import", "verify"})
_ONE_TABLE: Final = frozenset({"export", "import"})


def package_commands() -> Collection[str]:
    """The names of the commands of installed packages; nothing is imported for them."""
    return installed(GROUP).keys()


def load_command(name: str) -> click.Command:
    """The command of that name, which an installed package has.

    :raises PluginError: its module can't be imported, or what it names is no command
    """
    entry = installed(GROUP)[name]
    try:
        command = entry.load()
    except Exception as error:  # a broken package may raise anything while it is imported
        missing = f" of {error.name}" if isinstance(error, ImportError) and error.name else ""
        why = f"fails to import ({type(error).__name__}{missing})"
        raise PluginError(f"command {name!r} of {_origin(entry)} {why}: reinstall it") from error
    if not isinstance(command, click.Command):
        raise PluginError(f"command {name!r} of {_origin(entry)} is no click command: ask its author")
    return command


def usable_command(name: str) -> click.Command | None:
    """The command of that name, or ``None``: a package that has none by that name, or a broken one, which is reported.

    A list of commands must not end at one broken package.
    """
    if name not in package_commands():
        return None
    try:
        return load_command(name)
    except PluginError as error:
        warn(f"a command is left out: {error.message}")
        return None


def missing_package(name: str) -> PluginError:
    """What to say of a first-party command whose package is not installed."""
    advice = 'pip install "isthmus[migration]"'
    if name in _ONE_TABLE:
        advice += f", or take `isthmus tables {name}` for one table's items as JSON lines"
    return PluginError(f"no installed package has the command {name!r}: {advice}")


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
