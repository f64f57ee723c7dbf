"""``isthmus migrate rollback``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import print_grid, warn
from isthmus.errors import InvalidArgument
from isthmus_migration.cli.base import (
    EXIT_CODES,
    command,
    opened_migration,
    place_options,
    shell_command,
    workdir_argument,
)
from isthmus_migration.cli.running import RunSettings, run_options, watched
from isthmus_migration.cli.watching import print_event
from isthmus_migration.digests import BUCKETS
from isthmus_migration.migration import Migration
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.rollback.results import RollbackResult, TableRollback

_LISTED: Final = 20


@command("rollback")
@workdir_argument
@click.option("--dry-run", is_flag=True, help="Only say what would happen to each table of the target.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Drop and put back whatever others have written since, too.")
@click.option(
    "--guarded", is_flag=True,
    help="In tables that were there before, overwrite nothing that others write meanwhile, unless --force is said; "
    "takes several times as long.",
)  # fmt: skip
@run_options
@place_options
def rollback(
    workdir: Path, dry_run: bool, yes: bool, force: bool, guarded: bool, settings: RunSettings, source: str | None,
    target: str | None,
) -> int:  # fmt: skip
    """Put the target back to what it was before the migration.

    Tables that the migration created are dropped, unless others have written into them. In tables that were there
    before, items get their pre-images back where they are still what the migration wrote; the others are listed as
    conflicts. An interrupted rollback goes on. The exit code is 10 if the target is as it was, and 1 if conflicts are
    left.
    """
    migration = opened_migration(workdir, source, target)
    if dry_run or not (yes or settings.as_json):
        _print_intentions(migration, as_json=settings.as_json)
    if dry_run:
        return ExitCode.OK
    if not (yes or _confirmed(as_json=settings.as_json)):
        warn("nothing was done", as_json=settings.as_json)
        return ExitCode.NO
    result = watched(
        settings,
        workdir,
        lambda options: migration.rollback(
            force=force, guarded=guarded, engine=settings.engine, workers=settings.workers, options=options
        ),
    )
    return _shown(migration, result, settings)


rollback.epilog = EXIT_CODES


def _confirmed(*, as_json: bool) -> bool:
    """Ask.

    :raises InvalidArgument: nobody is there to be asked
    """
    if as_json or sys.stdin is None or not sys.stdin.isatty():
        raise InvalidArgument("a rollback deletes what was copied: say --yes")
    return click.confirm("Roll back?", err=True)


def _print_intentions(migration: Migration, *, as_json: bool) -> None:
    tables = [(plan.target.name, _intention(plan)) for plan in migration.the_plan.tables]
    if as_json:
        print_event("intended", {"tables": [{"table": name, "action": action} for name, action in tables]})
    else:
        print_grid(migration.the_plan.target.reference.text, ["table", "what would happen"], tables)


def _intention(plan: TablePlan) -> str:
    if plan.created:
        return "dropped, as the migration created it, unless others have written into it"
    if not plan.occupied:
        return "emptied of what was copied, as it was empty before"
    return "items that were overwritten get their pre-images back, those that were added are deleted"


def _shown(migration: Migration, result: RollbackResult, settings: RunSettings) -> int:
    code = _exit_code(result)
    if settings.as_json:
        print_event("result", {"exit_code": int(code), **result.to_dict()})
        return code
    columns = ["table", "what", "put back", "as before", "conflicts", "digest"]
    print_grid("", columns, [
        (one.table, one.action, one.restored, one.unchanged, one.conflicts, _proof(one)) for one in result.tables
    ])  # fmt: skip
    for line in _remarks(result):
        print(line)
    for position, conflict in enumerate(migration.conflicts()):
        if position == _LISTED:
            more = shell_command("migrate", "report", migration.work.path)
            print(f"and {result.conflicts - _LISTED:,} more conflicts: see {more}")
            break
        print(f"conflict {conflict.table} {conflict.key}: {conflict.reason}")
    if not result.finished:
        again = shell_command("migrate", "rollback", migration.work.path, plan=migration.the_plan)
        print(f"not finished: {result.reason}; go on with {again}")
    return code


def _proof(one: TableRollback) -> str:
    if one.equal is None:
        return "fewer items than before: expired, or deleted by others" if one.fewer_buckets else ""
    return "as before" if one.equal else "DIFFERENT"


def _remarks(result: RollbackResult) -> Iterator[str]:
    for one in result.tables:
        if one.action == "kept":
            yield f"{one.table}: kept, as others have written into it: move their items elsewhere, then say --force"
        elif one.equal is False:
            yield (
                f"{one.table}: {one.differing_buckets:,} of {BUCKETS:,} buckets are not as before: others have written "
                "keys that the migration never did, or pre-images are lost"
            )


def _exit_code(result: RollbackResult) -> ExitCode:
    if not result.finished:
        return ExitCode.PAUSED
    return ExitCode.ROLLED_BACK if result.clean else ExitCode.NO
