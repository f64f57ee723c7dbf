"""The group ``isthmus migrate``."""

from __future__ import annotations

from typing import Final

import click

from isthmus_migration.cli.base import EXIT_CODES
from isthmus_migration.cli.checking import repair, verify_migration
from isthmus_migration.cli.dead import dead
from isthmus_migration.cli.planning import plan
from isthmus_migration.cli.reporting import report
from isthmus_migration.cli.running import resume, run
from isthmus_migration.cli.standing import status
from isthmus_migration.cli.steering import pause, rate, stop
from isthmus_migration.cli.undoing import rollback

_COMMANDS: Final = (
    plan, run, resume, status, pause, rate, stop, verify_migration, repair, dead, rollback, report,
)  # fmt: skip


@click.group(epilog=EXIT_CODES)
def migrate() -> None:
    """Move data between backends: planned, resumable, verified, and reversible.

    `plan` makes a work directory; all other commands take it as their argument.
    """


for command in _COMMANDS:
    migrate.add_command(command)
