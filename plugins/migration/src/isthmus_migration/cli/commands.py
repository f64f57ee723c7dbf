"""The group ``isthmus migrate``."""

from __future__ import annotations

import click

from isthmus_migration.cli.base import EXIT_CODES
from isthmus_migration.cli.planning import plan
from isthmus_migration.cli.running import resume, run
from isthmus_migration.cli.standing import status
from isthmus_migration.cli.steering import pause, rate, stop


@click.group(epilog=EXIT_CODES)
def migrate() -> None:
    """Move data between backends: planned, resumable, verified, and reversible.

    `plan` makes a work directory; all other commands take it as their argument.
    """


for command in (plan, run, resume, status, pause, rate, stop):
    migrate.add_command(command)
