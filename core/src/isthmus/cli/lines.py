"""``isthmus tables import`` and ``isthmus tables export``: JSON lines, one item each, without loss."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import click

from isthmus import copying
from isthmus.bound_table import BoundTable
from isthmus.cli.definitions import KEY_HELP, declared_table, read_definition
from isthmus.cli.failures import note_details
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option
from isthmus.cli.progress import shown_progress
from isthmus.copying import Progress, Reporter, Written
from isthmus.database import Database
from isthmus.errors import AlreadyExists
from isthmus.jsonlines import read_items, write_items
from isthmus.values import dumps

# Bytes that are no UTF-8 become values that the value model refuses, so the message names their line.
_FOREIGN = "surrogateescape"


@click.command("import")
@operands("table", "file")
@click.option("--partition-key", metavar="KEY", help=f"Create the table if it is missing: {KEY_HELP}.")
@click.option("--sort-key", metavar="KEY", help=KEY_HELP)
@click.option("--definition", metavar="FILE", help="Create the table from what `tables describe --json` printed.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=copying.CHUNK, show_default=True, help="Batch size.")
@json_option
def import_lines(
    url: str | None,
    table: str,
    file: str,
    partition_key: str | None,
    sort_key: str | None,
    definition: str | None,
    batch: int,
    as_json: bool,
) -> None:
    """Write items from FILE (- for standard input), one JSON object on each line.

    Each line is checked before its batch is written. A bad line ends the import: the message says which one it is and
    how many items were written before. Items with the same keys are replaced; versions and timestamps are kept.
    """
    declares = bool(partition_key or definition)
    with opened(url, create=declares) as database, _reading(file) as stream:
        bound = _table(database, table, partition_key, sort_key, definition)
        total = _import(bound, stream, file, batch)
    if as_json:
        print(json.dumps({"written": total.written, "expired": total.expired}))
    else:
        print(f"{total.written} items written" + (f", {total.expired} expired ones left out" if total.expired else ""))


def _import(table: BoundTable, stream: IO[str], file: str, batch: int) -> Written:
    total = Written()
    with shown_progress() as progress:

        def written(now: Written) -> None:
            nonlocal total
            total = now
            if progress is not None:
                progress(Progress("copy", table.name, now.written))

        try:
            write_items(table, read_items(stream, table, source=file), batch=batch, written=written)
        except BaseException as error:
            note_details(error, written=total.written)
            raise
    return total


def _table(
    database: Database, name: str, partition_key: str | None, sort_key: str | None, definition: str | None
) -> BoundTable:
    if definition is not None:
        if partition_key or sort_key:
            raise click.UsageError("--definition says everything: leave out --partition-key and --sort-key.")
        return database.tables.ensure(read_definition(definition, name))
    if partition_key is not None:
        return database.tables.ensure(declared_table(name, partition_key=partition_key, sort_key=sort_key))
    return database.tables.open(name)


@click.command("export")
@operands("table", "file")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def export_lines(url: str | None, table: str, file: str, force: bool, as_json: bool) -> None:
    """Write all items to FILE (- for standard output), one JSON object on each line.

    Sets, binary values and exact numbers survive, so `isthmus tables import` restores the table;
    `isthmus tables describe --json` keeps its definition.
    """
    with opened(url) as database, shown_progress(printing=file == "-") as progress:
        bound = database.tables.open(table)
        with _writing(file, force=force) as stream:
            count = _export(bound, stream, progress)
    if as_json and file != "-":
        print(json.dumps({"exported": count}))
    elif file != "-":
        print(f"{count} items exported")


def _export(table: BoundTable, stream: IO[str], progress: Reporter | None) -> int:
    count = 0
    for page in copying.pages(table):
        stream.writelines(dumps(item) + "\n" for item in page.items)
        count += len(page.items)
        if progress is not None:
            progress(Progress("copy", table.name, count))
    return count


@contextmanager
def _reading(file: str) -> Iterator[IO[str]]:
    if file == "-":
        yield _tolerant(sys.stdin)
        return
    try:
        # Only "\n" ends a line: JSON text may hold the other characters that Python takes for line ends.
        stream = Path(file).open(encoding="utf-8", errors=_FOREIGN, newline="\n")  # noqa: SIM115  # closed below
    except OSError as error:
        raise click.UsageError(f"{file} can't be read: {error.strerror}.") from None
    with stream:
        yield stream


def _tolerant(stream: IO[str]) -> IO[str]:
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors=_FOREIGN)
    return stream


@contextmanager
def _writing(file: str, *, force: bool) -> Iterator[IO[str]]:
    if file == "-":
        yield sys.stdout
        return
    try:
        stream = Path(file).open("w" if force else "x", encoding="utf-8", newline="\n")  # noqa: SIM115  # closed below
    except FileExistsError:
        raise AlreadyExists(f"{file} exists: choose another name, or --force to replace it") from None
    except OSError as error:
        raise click.UsageError(f"{file} can't be written: {error.strerror}.") from None
    try:
        with stream:
            yield stream
    except OSError as error:
        # What a full disk raises does not say which file it is of.
        raise OSError(error.errno, error.strerror, file) from None
