"""``isthmus export`` and ``isthmus import``: migrations of which one end is a folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import warn
from isthmus.schema import Table
from isthmus_migration.cli.base import EXIT_CODES, command, shell_command
from isthmus_migration.cli.planning import INTO_EXISTING, TABLES, definition_option
from isthmus_migration.cli.running import RunSettings, carried_out, max_dead_option, run_options
from isthmus_migration.migration import Migration
from isthmus_migration.plans.plan import Plan

_WORKDIR = click.option(
    "--workdir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A new folder for plan, journal and reports; by default a temporary one, which stays if something is left.",
)


@command("export")
@click.argument("source", metavar="SRC")
@click.argument("folder", metavar="DIR")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "dynamodb", "mongodump", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Typed JSON lines of our own, DynamoDB's export layout, mongodump's, or Parquet for analytics.",
)
@click.option(
    "--compression", type=click.Choice(["zstd", "gzip", "none"]), help="By default what the format usually has."
)
@click.option("--lossy", is_flag=True, help="Let Parquet lose what it has no place for; the manifest says what.")
@TABLES
@_WORKDIR
@run_options
@max_dead_option
def export(
    source: str, folder: str, form: str, compression: str | None, lossy: bool, tables: tuple[str, ...],
    workdir: Path | None, settings: RunSettings,
) -> int:  # fmt: skip
    """Write the tables of SRC, a database URL or env:NAME, into the folder DIR, with a manifest that proves them.

    What a format can't hold without loss becomes a dead letter or is refused; Parquet says what it loses.
    """

    def planned(work: Path) -> Migration:
        return Migration.plan(
            source, _folder(folder), workdir=work, tables=tables, format=form, compression=compression, lossy=lossy
        )

    return _moved(planned, workdir, settings, tables)


@command("import")
@click.argument("folder", metavar="DIR")
@click.argument("target", metavar="DST")
@TABLES
@definition_option
@INTO_EXISTING
@_WORKDIR
@run_options
@max_dead_option
def import_(
    folder: str, target: str, tables: tuple[str, ...], into_existing: str | None, workdir: Path | None,
    settings: RunSettings, definitions: Sequence[Table],
) -> int:  # fmt: skip
    """Write the export in the folder DIR into DST, a database URL or env:NAME.

    Every file is checked against the export's manifest while it is read.
    """

    def planned(work: Path) -> Migration:
        how: Any = into_existing or "refuse"
        return Migration.plan(
            _folder(folder), target, workdir=work, tables=tables, into_existing=how, definitions=definitions
        )

    return _moved(planned, workdir, settings, tables)


export.epilog = import_.epilog = EXIT_CODES


def _folder(text: str) -> str:
    """The folder as a place, also where its name looks like something else."""
    return text if text.startswith("file:") else f"file:{Path(text).absolute()}"


def _moved(
    planned: Callable[[Path], Migration], workdir: Path | None, settings: RunSettings, tables: Sequence[str]
) -> int:
    if workdir is not None:
        return _carried_out(planned(workdir), settings, tables)
    temporary = Path(tempfile.mkdtemp(prefix="isthmus-"))
    migration: Migration | None = None
    code: int | None = None
    try:
        migration = planned(temporary)
        code = _carried_out(migration, settings, tables)
    finally:
        if code == ExitCode.OK or migration is None:
            shutil.rmtree(temporary)
        else:
            warn(f"the work directory stays, to go on from or to look into: {temporary}", as_json=settings.as_json)
    return code


def _carried_out(migration: Migration, settings: RunSettings, tables: Sequence[str]) -> int:
    plan = migration.the_plan
    return carried_out(migration, settings, "" if plan.target.format == "parquet" else _check(plan, tables))


def _check(plan: Plan, tables: Sequence[str]) -> str:
    """The command that compares what was moved, and nothing else; ``URL`` and ``FILE`` where something is left out.

    :param tables: that were asked for; none where all were
    """
    ends = [end.reference.text if end.reference.whole else "URL" for end in (plan.source, plan.target)]
    only = [word for name in tables for word in ("--table", name)]
    defined = [word for table in plan.source.definitions for word in ("--definition", f"{table.name}=FILE")]
    extra = ["--no-extra"] if any(table.occupied for table in plan.tables) else []
    return shell_command("verify", *ends, *only, *defined, *extra)
