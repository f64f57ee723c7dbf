"""What all commands share: how errors end, and the options that several of them have."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from isthmus.cli.exit_codes import MEANINGS, ExitCode, exit_code_for
from isthmus.cli.failures import error_details
from isthmus.cli.output import print_error, print_interrupted
from isthmus.errors import InvalidArgument
from isthmus_migration import errors
from isthmus_migration.journal.journal import JournalUnwritable
from isthmus_migration.migration import Migration
from isthmus_migration.plans.plan import Plan

Decorated = Callable[..., Any]

# The first class that fits decides.
_BY_ERROR: Final[tuple[tuple[type[errors.MigrationError], ExitCode], ...]] = (
    (errors.PlanRefused, ExitCode.NO),
    (errors.PlanChanged, ExitCode.CONFIGURATION),
    (errors.WorkDirectoryInUse, ExitCode.NO),
    (errors.WorkDirectoryDamaged, ExitCode.DAMAGED),
    (errors.ExportDamaged, ExitCode.DAMAGED),
    (errors.WrongState, ExitCode.NO),
    # A full disk: with room again, the run goes on.
    (JournalUnwritable, ExitCode.PAUSED),
    (errors.ImagesUnwritable, ExitCode.PAUSED),
)
_USED: Final = (
    ExitCode.OK, ExitCode.NO, ExitCode.USAGE, ExitCode.CONFIGURATION, ExitCode.BACKEND, ExitCode.DAMAGED,
    ExitCode.REFUSED, ExitCode.DEAD_LETTERS, ExitCode.PAUSED, ExitCode.ROLLED_BACK, ExitCode.INTERRUPTED,
)  # fmt: skip
EXIT_CODES: Final = "\b\nExit codes:\n" + "\n".join(f"{int(code):>5}  {MEANINGS[code]}" for code in _USED)


def exit_code_of(error: errors.MigrationError) -> ExitCode:
    """The exit code for an error of a migration."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), exit_code_for(error))


class MigrationCommand(click.Command):
    """A command whose errors of migrations have exit codes of their own."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it returns is the exit code."""
        try:
            return super().invoke(ctx)
        except errors.MigrationError as error:
            print_error(error_details(error), as_json=bool(ctx.params.get("as_json")))
            return exit_code_of(error)
        except KeyboardInterrupt:
            if _threads_at_work():
                # Python would wait for them, for as long as their slices take.
                print_interrupted({}, as_json=bool(ctx.params.get("as_json")))
                sys.stdout.flush()
                os._exit(ExitCode.INTERRUPTED)
            raise


def _threads_at_work() -> bool:
    return any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate())


def command(name: str) -> Callable[[Decorated], MigrationCommand]:
    """A command of migrations."""
    return click.command(name, cls=MigrationCommand)


def workdir_argument(function: Decorated) -> Decorated:
    """The work directory of a migration that was planned."""
    return click.argument("workdir", metavar="WORKDIR", type=click.Path(path_type=Path))(function)


def place_options(function: Decorated) -> Decorated:
    """The URLs again, where the plan left out their secrets."""
    for name in ("target", "source"):
        function = click.option(
            f"--{name}", metavar="URL", help=f"The {name}'s URL again, where it held secrets when it was planned."
        )(function)
    return function


def shell_command(*words: object, plan: Plan | None = None) -> str:
    """An ``isthmus`` command as people can paste it into a shell, whatever is in its words.

    :param plan: of the migration that it is for: places whose secrets it left out have to be given again
    """
    ends = () if plan is None else (("source", plan.source), ("target", plan.target))
    again = [f" --{name} URL" for name, end in ends if not end.reference.whole]
    return f"`{shlex.join(['isthmus', *map(str, words)])}{''.join(again)}`"


def opened_migration(workdir: Path, source: str | None = None, target: str | None = None) -> Migration:
    """The migration of a work directory.

    :raises InvalidArgument: there is no such directory
    """
    with suppress(OSError):  # what can't be looked at is reported when it is opened
        if not workdir.is_dir():
            raise InvalidArgument(f"there is no work directory {workdir}: make one with `isthmus migrate plan`")
    return Migration.open(workdir, source=source, target=target)
