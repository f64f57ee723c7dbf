"""``isthmus migrate plan``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from isthmus.cli.definitions import read_definition
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import json_option, print_grid
from isthmus.errors import InvalidArgument
from isthmus.schema import Table
from isthmus.values import dumps
from isthmus_migration.cli.base import EXIT_CODES, Decorated, command, shell_command
from isthmus_migration.cli.lines import clock
from isthmus_migration.cli.sampling import show_sample
from isthmus_migration.cli.watching import print_event
from isthmus_migration.migration import Migration
from isthmus_migration.plans.findings import Estimate, Finding, Preflight
from isthmus_migration.plans.plan import Plan, TablePlan
from isthmus_migration.transforms import read_mapping_file

_SHOWN: Final = 20
INTO_EXISTING = click.option(
    "--into-existing",
    type=click.Choice(["upsert", "fail", "skip"]),
    help="What happens to items that the target holds already: they are replaced, the new ones become dead letters, or "
    "the old ones are kept. Without it, the target's tables have to be empty.",
)


def _definition(text: str) -> Table:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise InvalidArgument(f"--definition {text!r} has another form: write NAME=FILE")
    return read_definition(file, name)


def definition_option(function: Decorated) -> Decorated:
    """Definitions of an export's tables; the function gets them as ``definitions``."""

    @functools.wraps(function)
    def wrapper(definition: tuple[str, ...], **given: Any) -> Any:
        return function(definitions=[_definition(text) for text in definition], **given)

    return _DEFINITION(wrapper)


_DEFINITION = click.option(
    "--definition",
    multiple=True,
    metavar="NAME=FILE",
    help="A table of an export that AWS wrote, which has none: a file of `tables describe --json`; repeatable.",
)
TABLES = click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; repeatable.")


@command("plan")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option(
    "--workdir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where plan, journal and reports go; a new folder.",
)
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="A mapping file: transforms, as TOML."
)
@TABLES
@definition_option
@INTO_EXISTING
@click.option("--units", type=click.IntRange(1), metavar="N", help="Into how many units each table is divided.")
@click.option("--no-images", is_flag=True, help="Keep no pre-images: a rollback can't restore what is overwritten.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="Dry run: show what becomes of N items of each table, and end.",
)
@json_option
def plan(
    source: str, target: str, workdir: Path | None, config: Path | None, tables: tuple[str, ...],
    into_existing: str | None, units: int | None, no_images: bool, sample: int | None, as_json: bool,
    definitions: Sequence[Table],
) -> int:  # fmt: skip
    """Plan a migration from SRC to DST: what is moved, how it is divided, and whether it can work.

    SRC and DST are database URLs, env:NAME for a URL in the environment, or folders with an export. Nothing is written
    but the work directory. Secrets in URLs are not stored: such a URL has to be given again when the plan is run, or
    comes from the environment.

    The exit code is 8 if items of the preflight's sample would become dead letters.
    """
    if sample is not None:
        _check_dry({
            "--workdir": workdir, "--into-existing": into_existing, "--units": units, "--no-images": no_images,
        })  # fmt: skip
        transforms = {} if config is None else read_mapping_file(config)
        show_sample(source, target, tables, transforms, sample, definitions=definitions, as_json=as_json)
        return ExitCode.OK
    if workdir is None:
        raise InvalidArgument("name a new folder for the migration with --workdir")
    options: Any = {"into_existing": into_existing or "refuse", "keep_images": not no_images, "units": units}
    options["definitions"] = definitions
    made = Migration.plan(source, target, workdir=workdir, tables=tables, mapping=config, **options)
    found = made.preflight or Preflight()
    if as_json:
        print_event("planned", {**planned(made.the_plan, workdir), "preflight": found.to_dict()})
    else:
        _print(made.the_plan, workdir, found)
    return ExitCode.DEAD_LETTERS if found.errors else ExitCode.OK


plan.epilog = EXIT_CODES


def _check_dry(options: dict[str, object]) -> None:
    """Refuse options of a plan for a dry run: whoever says them expects a plan."""
    idle = [name for name, given in options.items() if given]
    if idle:
        raise InvalidArgument(f"--sample is a dry run, which plans nothing: leave out {', '.join(idle)}, or --sample")


def planned(plan: Plan, workdir: Path) -> dict[str, Any]:
    """The summary of a plan as JSON-ready data."""
    return {
        "workdir": str(workdir), "plan": plan.hash, "source": plan.source.reference.text,
        "target": plan.target.reference.text, "into_existing": plan.into_existing, "images": plan.keep_images,
        "notes": list(plan.notes), "tables": [_table(table) for table in plan.tables],
    }  # fmt: skip


def _table(table: TablePlan) -> dict[str, Any]:
    return {
        "table": table.source.name, "into": table.target.name, "items": table.items, "size": table.size,
        "units": len(table.units), "created": table.created, "occupied": table.occupied,
        "transformed": table.transform is not None,
    }  # fmt: skip


def _print(plan: Plan, workdir: Path, found: Preflight) -> None:
    columns = ["table", "into", "items, about", "bytes, about", "units", "target's table", "items are"]
    print_grid(f"{plan.source.reference.text} -> {plan.target.reference.text}", columns, map(_row, plan.tables))
    print(_estimated(found.estimate))
    for line in [*map(_remark, found.findings[:_SHOWN]), *(f"note: {note}" for note in plan.notes)]:
        print(line)
    if len(found.findings) > _SHOWN:
        print(f"and {len(found.findings) - _SHOWN:,} more: see preflight.json in {workdir}")
    print(f"planned in {workdir}; run it with {shell_command('migrate', 'run', workdir, plan=plan)}")


def _remark(finding: Finding) -> str:
    """A finding as a line; an error is an item of the sample that would become a dead letter."""
    key = finding.name if finding.key is None else dumps(finding.key)
    said = finding.path is None or finding.reason.startswith(f"{finding.path}:")
    where = "" if key is None else f" {key}" + ("" if said else f" at {finding.path}")
    return f"{finding.level}: {finding.table}{where}: {finding.reason}"


def _estimated(estimate: Estimate) -> str:
    parts = [] if estimate.seconds is None else [f"about {clock(estimate.seconds)} of copying"]
    if estimate.read_units or estimate.write_units:
        parts.append(f"{estimate.read_units or 0:,} read and {estimate.write_units or 0:,} write units")
    if estimate.cost:
        parts.append(f"{estimate.cost:,.2f} for them, as preflight.json assumes")
    return f"estimate: {', '.join(parts) or 'none, as the source does not say how much it holds'}"


def _row(table: TablePlan) -> tuple[object, ...]:
    state = "is created" if table.created else "holds items" if table.occupied else "is empty"
    return (
        table.source.name, table.target.name, _about(table.items), _about(table.size), len(table.units), state,
        "transformed" if table.transform else "moved as they are",
    )  # fmt: skip


def _about(number: int | None) -> str:
    return "unknown" if number is None else f"≈{number:,}"
