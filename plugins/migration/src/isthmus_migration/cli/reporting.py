"""``isthmus migrate report``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.errors import InvalidArgument
from isthmus_migration.cli.base import command, opened_migration, workdir_argument
from isthmus_migration.migration import Migration
from isthmus_migration.reports.report import Report
from isthmus_migration.reports.writing import FORMATS, write_report


@command("report")
@workdir_argument
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="By default as the file is named, else md.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; standard output without it.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json; errors as JSON too.")
def report(workdir: Path, form: str | None, output: Path | None, as_json: bool) -> int:
    """Tell what became of a migration: its states, counts, digests, and every dead letter, difference and conflict.

    Keys are named, values never. The same report is in the work directory at the end of each run, in all formats.
    """
    if as_json and form not in (None, "json"):
        raise InvalidArgument(f"--json and --format {form} are two formats: leave one out")
    migration = opened_migration(workdir)
    chosen = form or ("json" if as_json else _named(output))
    if output is None:
        _write(migration, chosen, None)
        return ExitCode.OK
    try:
        _write(migration, chosen, output)
    except OSError as error:
        raise InvalidArgument(f"{output} can't be written: {error.strerror}") from None
    if not as_json:
        print(f"written to {output}")
    return ExitCode.OK


def _named(output: Path | None) -> str:
    ending = "" if output is None else output.suffix.removeprefix(".")
    return ending if ending in FORMATS else "md"


def _write(migration: Migration, form: str, output: Path | None) -> None:
    with migration.work.journal(writable=False) as journal:
        found = Report.of(migration.work, migration.the_plan, journal)
        if output is None:
            write_report(found, form, sys.stdout)
            return
        with output.open("w", encoding="utf-8", errors="surrogatepass") as stream:
            write_report(found, form, stream)
