"""``isthmus migrate dead``: items that could not be moved."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.output import json_option, print_grid
from isthmus.errors import InvalidArgument
from isthmus_migration.cli.base import (
    EXIT_CODES,
    Decorated,
    command,
    opened_migration,
    place_options,
    workdir_argument,
)
from isthmus_migration.dead.letters import Letter, Original
from isthmus_migration.reports.report import shown_time
from isthmus_migration.transforms import Transform, read_mapping_file

_SHOWN: Final = 1_000
"""Letters of one grid: its columns are as wide as the widest cell, so it is held in memory as a whole."""


@click.group("dead", epilog=EXIT_CODES)
def dead() -> None:
    """See, replay or acknowledge the items that could not be moved."""


def chosen(function: Decorated) -> Decorated:
    """Letters by number, or all open ones."""
    function = click.option("--all", "everything", is_flag=True, help="All open ones.")(function)
    return click.argument("numbers", metavar="[NUMBER]...", type=int, nargs=-1)(function)


def _choice(numbers: Sequence[int], *, everything: bool) -> Sequence[int] | None:
    if bool(numbers) == everything:
        raise InvalidArgument("name dead letters by their numbers, or say --all; `dead list` shows them")
    return None if everything else numbers


@command("list")
@workdir_argument
@click.option("--table", metavar="NAME", help="Only of this table of the source.")
@click.option("--code", help="Only with this error code.")
@click.option("--phase", type=click.Choice(["decode", "transform", "encode", "write"]), help="Only from this phase.")
@click.option(
    "--status",
    type=click.Choice(["open", "acknowledged", "replayed", "all"]),
    default="open",
    show_default=True,
    help="Only with this status.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@json_option
def list_letters(
    workdir: Path, table: str | None, code: str | None, phase: str | None, status: str, limit: int | None,
    as_json: bool,
) -> int:  # fmt: skip
    """List dead letters: what could not be moved, where it failed and why; never the items.

    With --json, a line for each.
    """
    wanted: Any = None if status == "all" else status
    found = opened_migration(workdir).dead.list(table=table, code=code, phase=phase, status=wanted)
    letters = islice(found, limit)
    if as_json:
        for letter in letters:
            print(json.dumps(letter.to_dict(), ensure_ascii=False))
        return ExitCode.OK
    columns = ["number", "table", "key", "phase", "code", "reason", "attempts", "status"]
    print_grid("", columns, _rows(islice(letters, _SHOWN)))
    if next(letters, None) is not None:
        print(f"and more than these {_SHOWN:,}: choose some by an option, or list all with --json")
    return ExitCode.OK


def _rows(letters: Iterator[Letter]) -> Iterator[tuple[object, ...]]:
    for one in letters:
        yield one.id, one.table, one.key, one.phase, one.code, one.reason, one.attempts, one.status


@command("show")
@workdir_argument
@click.argument("number", type=int)
@json_option
def show(workdir: Path, number: int, as_json: bool) -> int:
    """Show one dead letter with the item as it was read, values included.

    What could not be decoded is shown in the store's own bytes, as base64.
    """
    letter, original = opened_migration(workdir).dead.show(number)
    data = {**letter.to_dict(), "original": _readable(original)}
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        print_grid("", ["what", "value"], [(name, _shown(name, value)) for name, value in data.items()])
    return ExitCode.OK


def _readable(original: Original) -> str:
    if original.form == "json":
        return original.data.decode("utf-8", "replace")
    return base64.b64encode(original.data).decode()


def _shown(name: str, value: Any) -> Any:
    return shown_time(value) if name in ("found", "updated") else value


@command("acknowledge")
@workdir_argument
@chosen
@click.option("--note", default="", help="Why they may stay as they are.")
@json_option
def acknowledge(workdir: Path, numbers: tuple[int, ...], everything: bool, note: str, as_json: bool) -> int:
    """Say that dead letters are known and may stay as they are."""
    which = _choice(numbers, everything=everything)
    count = opened_migration(workdir).dead.acknowledge(which, note=note)
    print(json.dumps({"acknowledged": count}) if as_json else f"{count} dead letters acknowledged")
    return ExitCode.OK


@command("replay")
@workdir_argument
@chosen
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), metavar="FILE",
    help="A mapping file with another transform for the table of --table, instead of the plan's.",
)  # fmt: skip
@click.option("--table", metavar="NAME", help="The source's table whose transform the mapping file has.")
@place_options
@json_option
def replay(
    workdir: Path, numbers: tuple[int, ...], everything: bool, config: Path | None, table: str | None,
    source: str | None, target: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Try dead letters again, each through everything that the copy does; verify afterwards.

    The exit code is 8 if some are still open.
    """
    which = _choice(numbers, everything=everything)
    migration = opened_migration(workdir, source, target)
    transform = _transform(config, table)
    if transform is not None and which is None:
        which = [letter.id for letter in migration.dead.list(table=table)]
    done = migration.dead.replay(which, transform=transform)
    if as_json:
        print(json.dumps(done.to_dict()))
    else:
        print(
            f"{done.tried} tried: {done.replayed} moved, {done.skipped} left out as the plan says, {done.failed} still "
            "dead letters"
        )
    return ExitCode.DEAD_LETTERS if migration.status().found.dead else ExitCode.OK


def _transform(config: Path | None, table: str | None) -> Transform | None:
    if (config is None) != (table is None):
        raise InvalidArgument("another transform needs both, a mapping file and --table")
    if config is None or table is None:
        return None
    found = read_mapping_file(config)
    if table not in found:
        raise InvalidArgument(f"the mapping file has no transform of table {table!r}: it has {', '.join(found)}")
    return found[table]


for one in (list_letters, show, replay, acknowledge):
    dead.add_command(one)
    one.epilog = EXIT_CODES
