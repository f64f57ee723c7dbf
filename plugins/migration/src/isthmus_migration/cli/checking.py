"""``isthmus migrate verify`` and ``repair``, and ``isthmus verify`` for any two places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import print_grid
from isthmus.errors import InvalidArgument
from isthmus.schema import Table
from isthmus.values import dumps
from isthmus_migration.cli.base import (
    EXIT_CODES,
    Decorated,
    command,
    opened_migration,
    place_options,
    shell_command,
    workdir_argument,
)
from isthmus_migration.cli.planning import TABLES, definition_option
from isthmus_migration.cli.running import RunSettings, run_options, watched
from isthmus_migration.cli.watching import print_event
from isthmus_migration.migration import Migration
from isthmus_migration.transforms import read_mapping_file
from isthmus_migration.verification.results import Mismatch, TableResult, Verification
from isthmus_migration.verification.settings import Level
from isthmus_migration.verification.standalone import verify_places

_SHOWN = 20
_SAMPLED = 1_000


def level_options(function: Decorated) -> Decorated:
    """How thorough a verification is."""
    for option in (
        click.option("--again", is_flag=True, help="Begin anew, even if the last verification was interrupted."),
        click.option(
            "--extra/--no-extra",
            default=None,
            help="Whether what only the target has is a difference; usually, unless the table held items before.",
        ),
        click.option(
            "--sample", type=click.IntRange(1), metavar="N",
            help=f"Keys of each table that the level sample looks up, by default {_SAMPLED:,}.",
        ),
        click.option(
            "--level", type=click.Choice(get_args(Level)), default="digest", show_default=True,
            help="What is compared: numbers of items, some items, digests of all, or all of them field by field.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def _sampled(level: str, sample: int | None) -> int:
    """How many keys the level sample looks up.

    :raises InvalidArgument: it is another level, for which a number says nothing
    """
    if sample is not None and level != "sample":
        raise InvalidArgument(f"--sample is for the level sample, not for {level}: add --level sample, or leave it out")
    return _SAMPLED if sample is None else sample


@command("verify")
@workdir_argument
@level_options
@run_options
@place_options
def verify_migration(
    workdir: Path, level: str, sample: int | None, extra: bool | None, again: bool, settings: RunSettings,
    source: str | None, target: str | None,
) -> int:  # fmt: skip
    """Compare what was copied with what should be there, or name what differs.

    The level digest reads the target and compares it with what the copy read: what was written to the source since then
    shows with --level full. An interrupted verification goes on where it was.
    """
    migration = opened_migration(workdir, source, target)
    result = watched(
        settings,
        workdir,
        lambda options: migration.verify(
            level, sample=_sampled(level, sample), extra=extra, again=again, engine=settings.engine,
            workers=settings.workers, options=options,
        ),
    )  # fmt: skip
    go_on = shell_command("migrate", "verify", migration.work.path, plan=migration.the_plan)
    code = shown_verification(result, settings, go_on=f"go on with {go_on}", dead=migration.status().found.dead)
    if result.finished and result.total.mismatches and not settings.as_json:
        mend = shell_command("migrate", "repair", migration.work.path, plan=migration.the_plan)
        hint = "; with --delete-extra it deletes what only the target has" if result.total.extra else ""
        print(f"copy what differs again with {mend}{hint}")
    return code


@command("repair")
@workdir_argument
@click.option("--delete-extra", is_flag=True, help="Delete what only the target has.")
@run_options
@place_options
def repair(
    workdir: Path, delete_extra: bool, settings: RunSettings, source: str | None, target: str | None
) -> int:  # fmt: skip
    """Copy again exactly what the last verification found missing or changed, and verify these items again."""
    migration = opened_migration(workdir, source, target)
    done = watched(
        settings,
        workdir,
        lambda options: migration.repair(
            delete_extra=delete_extra, engine=settings.engine, workers=settings.workers, options=options
        ),
    )
    if not settings.as_json:
        print(f"{done.written} items written again or deleted, {done.dead} became dead letters")
    if not done.finished:
        _not_finished(done.reason, migration, settings)
        return ExitCode.PAUSED
    again = shell_command("migrate", "repair", migration.work.path, plan=migration.the_plan)
    return shown_verification(
        done.verification, settings, go_on=f"go on with {again}", dead=migration.status().found.dead,
        written=done.written,
    )  # fmt: skip


def _not_finished(reason: str, migration: Migration, settings: RunSettings) -> None:
    if settings.as_json:
        print_event("result", {"exit_code": int(ExitCode.PAUSED), "finished": False, "reason": reason})
    else:
        again = shell_command("migrate", "repair", migration.work.path, plan=migration.the_plan)
        print(f"not finished: {reason}; go on with {again}")


@command("verify")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@TABLES
@definition_option
@level_options
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), metavar="FILE",
    help="A mapping file: DST should hold what its transforms make of the items of SRC.",
)  # fmt: skip
@click.option(
    "--workdir", type=click.Path(path_type=Path), metavar="DIR",
    help="A folder for what an interrupted verification needs to go on; by default a temporary one.",
)  # fmt: skip
@run_options
def verify(
    source: str, target: str, tables: tuple[str, ...], level: str, sample: int | None, extra: bool | None, again: bool,
    config: Path | None, workdir: Path | None, settings: RunSettings, definitions: Sequence[Table],
) -> int:  # fmt: skip
    """Compare any two places: database URLs, env:NAME, or folders with an export. Nothing is written to either.

    The exit code is 1 if anything differs, and 8 if nothing does but items of SRC could not be read or transformed.
    """
    transforms = None if config is None else read_mapping_file(config)
    result = watched(
        settings,
        workdir,
        lambda options: verify_places(
            source, target, tables=tables, transforms=transforms, level=level, sample=_sampled(level, sample),
            extra=extra, definitions=definitions, again=again, workdir=workdir, engine=settings.engine,
            workers=settings.workers, options=options,
        ),
    )  # fmt: skip
    go_on = "give it a --workdir, so that it can go on" if workdir is None else "the same command goes on"
    return shown_verification(result, settings, go_on=go_on, dead=result.total.dead)


verify_migration.epilog = repair.epilog = verify.epilog = EXIT_CODES


def shown_verification(
    result: Verification, settings: RunSettings, *, go_on: str, dead: int = 0, **further: Any
) -> int:
    """Print what a verification found; the exit code.

    :param go_on: what to do where it is not finished
    """
    code = _exit_code(result, dead)
    if settings.as_json:
        print_event("result", {"exit_code": int(code), **further, **result.to_dict()})
        return code
    columns = ["table", "expected", "found", "missing", "changed", "extra", "dead", "kept", "verdict"]
    print_grid("", columns, [_row(table) for table in result.tables])
    for line in _remarks(result):
        print(line)
    if not result.finished:
        print(f"not finished: {result.reason}; {go_on}")
    return code


def _exit_code(result: Verification, dead: int) -> ExitCode:
    if not result.finished:
        return ExitCode.PAUSED
    if not result.equal:
        return ExitCode.NO
    return ExitCode.DEAD_LETTERS if dead else ExitCode.OK


def _row(table: TableResult) -> tuple[Any, ...]:
    counts = [table.source_items, table.target_items]
    verdict = "equal" if table.equal else "DIFFERENT"
    if table.equal and table.target_digest:
        verdict = f"equal {table.target_digest[:16]}"
    return (
        table.table, *("" if count is None else count for count in counts), table.missing, table.changed, table.extra,
        table.dead, table.kept, verdict,
    )  # fmt: skip


def _remarks(result: Verification) -> list[str]:
    lines = [f"{table.table}: {fact}" for table in result.tables for fact in table.facts]
    lines += [
        f"{table.table}: {table.source_items:,} items are expected and {table.target_items:,} are there: "
        "--level digest names those that differ"
        for table in result.tables
        if table.counts_decide and table.source_items != table.target_items
    ]
    lines += [
        f"{table.table}: none of {table.sampled} items differs, so less than {table.bound:.2%} do, at 95 % confidence"
        for table in result.tables
        if table.bound is not None
    ]
    lines += [
        f"{table.table}: {len(table.former_units):,} units were copied under a former plan, or a part of each: status "
        "names them; all was compared with the plan of now"
        for table in result.tables
        if table.former_units
    ]
    lines += [_named(one) for one in result.mismatches[:_SHOWN]]
    more = result.total.mismatches - _SHOWN
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def _named(one: Mismatch) -> str:
    told = ["changed since it became a dead letter"] if one.since_dead else []
    told += ["can't be read"] if one.unreadable else [str(field["path"]) for field in one.fields]
    return f"{one.kind} {one.table} {dumps(one.key)}" + (f": {', '.join(told)}" if told else "")
