"""``isthmus validate``: stored items against the declaration of their table."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import click

from isthmus.bound_table import BoundTable
from isthmus.cli.definitions import read_definition
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.failures import note_details
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option, warn
from isthmus.cli.progress import shown_progress
from isthmus.copying import Progress, Reporter
from isthmus.database import Database
from isthmus.deviations import Deviation
from isthmus.validating import ItemCheck, Validation, validate_table
from isthmus.values import dumps


@click.command()
@operands("table")
@click.option("--definition", metavar="FILE", help="Declared by this file, from `tables describe --json`; - for stdin.")
@click.option(
    "--model", "models", multiple=True, metavar="MODULE:CLASS", help="A repository's class that items fit; repeatable."
)
@click.option("--limit", type=click.IntRange(1), help="Look at so many items, then print a cursor.")
@click.option("--after", metavar="CURSOR", help="Go on where an earlier validation ended.")
@click.option("--own-limits", is_flag=True, help="Measure by the store's own limits, not by the portable ones.")
@json_option
def validate(
    url: str | None,
    table: str,
    definition: str | None,
    models: tuple[str, ...],
    limit: int | None,
    after: str | None,
    own_limits: bool,
    as_json: bool,
) -> int:
    """Check every stored item against the table's declaration, and print each deviation with the item's key.

    By default the stored definition counts. Checked are the types of keys, index keys, expiry, versions and
    timestamps, the portable limits, and whether the item can be read at all. Values are never printed. With --json
    each line is a deviation, and the last one a summary.

    With --model each item has to fit that class as well; items of other classes in the table are left alone.

    The exit code is 0 if all items are as declared, 7 if some are not, and 5 if the rest could not be read.
    """
    last: list[Validation] = []
    with opened(url) as database, shown_progress(remarking=True) as reporter:
        try:
            result = validate_table(
                _declared(database, table, definition),
                check=_check(database, table, models),
                limits=database.limits if own_limits else None,
                limit=limit,
                after=after,
                keep=0,
                found=_print_json if as_json else _print_text,
                progress=lambda so_far: _note(so_far, last, reporter),
            )
        except BaseException as error:
            note_details(error, after=last[0].cursor if last else after)
            raise
    _print_summary(result, as_json=as_json)
    return ExitCode.OK if result.clean else ExitCode.DEVIATING if result.stopped is None else ExitCode.DAMAGED


def _declared(database: Database, name: str, definition: str | None) -> BoundTable:
    if definition is None:
        return database.tables.open(name)
    return database.table(read_definition(definition, name))


def _check(database: Database, table: str, models: tuple[str, ...]) -> ItemCheck | None:
    if not models:
        return None
    from isthmus.fitting import fits  # with all that repositories need

    repositories = [database.repository(_loaded(model)) for model in models]
    for model, repository in zip(models, repositories, strict=True):
        if repository.schema.name != table:
            raise click.UsageError(f"{model} is a class of table {repository.schema.name!r}, not of {table!r}.")
    return fits(*repositories)


def _loaded(model: str) -> type[Any]:
    module, colon, name = model.partition(":")
    if not colon or not module or not name:
        raise click.UsageError(f"--model {model} has another form: write MODULE:CLASS.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"--model {model} can't be loaded: {error}.") from None
    if not isinstance(found, type):
        raise click.UsageError(f"--model {model} is no class.")
    return found


def _note(so_far: Validation, last: list[Validation], reporter: Reporter | None) -> None:
    last[:] = [so_far]
    if reporter is not None:
        reporter(Progress("validate", so_far.table, so_far.items))


def _print_json(deviation: Deviation) -> None:
    print(dumps(deviation.to_dict()))


def _print_text(deviation: Deviation) -> None:
    item = deviation.name or "an item" if deviation.key is None else dumps(deviation.key)
    print(f"{item}: {deviation.message}")


def _print_summary(result: Validation, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"summary": result.to_dict()}, ensure_ascii=False))
        return
    kinds = ", ".join(f"{number} {kind}" for kind, number in result.kinds.items())
    print(f"{result.items} items of {result.table}, {result.deviating} deviate" + (f" ({kinds})" if kinds else ""))
    if result.stopped is not None:
        warn(f"the rest could not be read: {result.stopped}")
    if result.cursor is not None:
        print(f"go on with --after {result.cursor}")
