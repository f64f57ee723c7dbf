"""``isthmus copy``: tables from one database to another, verified."""

from __future__ import annotations

import json
from typing import Any

import click

from isthmus import copying
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.operands import opened
from isthmus.cli.output import json_option, print_grid, warn
from isthmus.cli.progress import shown_progress
from isthmus.database import Database


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--table", "tables", multiple=True, help="Only this table; repeatable.")
@click.option("--verify", is_flag=True, help="Read both sides again and compare their digests.")
@click.option(
    "--overwrite", is_flag=True, help="Write into tables that hold items: those with the same keys are replaced."
)
@json_option
def copy(source: str, target: str, tables: tuple[str, ...], verify: bool, overwrite: bool, as_json: bool) -> int:
    """Copy tables from one database URL to another.

    Tables that the target lacks are created. Items arrive as they are, versions and timestamps included. Nothing is
    written unless all target tables are empty, or --overwrite is given.

    With --verify the exit code is 1 if a table differs.
    """
    with opened(source) as here, opened(target, create=True) as there, shown_progress() as progress:
        results = copying.copy(here, there, tables or None, verify=verify, overwrite=overwrite, progress=progress)
        differences = _differences(here, there, results)
    if as_json:
        shown = [_as_dict(result, differences.get(result.table)) for result in results]
        print(json.dumps({"tables": shown}, ensure_ascii=False))
    else:
        print_grid("", ["table", "written", "expired", "digest"], [_row(result) for result in results])
        _warn_of(differences)
    return ExitCode.NO if differences else ExitCode.OK


def _differences(
    source: Database, target: Database, results: list[copying.CopyResult]
) -> dict[str, copying.Differences]:
    """What differs in each table whose verification failed."""
    unequal = [one.table for one in results if one.verification is not None and not one.verification.equal]
    return {name: copying.compare_tables(source.tables.open(name), target.tables.open(name)) for name in unequal}


def _warn_of(differences: dict[str, copying.Differences]) -> None:
    for table, found in differences.items():
        warn(
            f"table {table!r} differs: {found.missing} items missing in the target, {found.changed} changed, "
            f"{found.extra} only there"
        )


def _as_dict(result: copying.CopyResult, found: copying.Differences | None) -> dict[str, Any]:
    data: dict[str, Any] = {"table": result.table, "written": result.written, "expired": result.expired}
    check = result.verification
    if check is not None:
        data["verified"] = check.equal
        data["source"] = {"items": check.source.items, "digest": check.source.digest}
        data["target"] = {"items": check.target.items, "digest": check.target.digest}
    if found is not None:
        data["differences"] = {"missing": found.missing, "changed": found.changed, "extra": found.extra}
    return data


def _row(result: copying.CopyResult) -> tuple[object, ...]:
    check = result.verification
    digest = "not verified"
    if check is not None:
        digest = f"equal {check.source.digest[:16]}" if check.equal else "DIFFERENT"
    return result.table, result.written, result.expired, digest
