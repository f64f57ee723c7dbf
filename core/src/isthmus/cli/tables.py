"""``isthmus tables``: list, create, describe and drop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option, print_grid, warn
from isthmus.errors import ConfigurationError, InvalidArgument
from isthmus.schema import Index, Key, Table

KEY_HELP = "NAME or NAME:number or NAME:binary"


class Tables(click.Group):
    """``isthmus tables [URL]`` lists; a word that names a subcommand runs it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a call without a subcommand for the listing."""
        first = next((word for word in args if not word.startswith("-")), None)
        if first not in self.commands and not {"-h", "--help"} & set(args):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Tables)
def tables() -> None:
    """List, create, describe and drop tables; `isthmus tables [URL]` lists them."""


@tables.command("list")
@operands()
@json_option
def list_tables(url: str | None, as_json: bool) -> None:
    """Print the names of all tables."""
    with opened(url) as database:
        names = database.tables.list()
    if as_json:
        print(json.dumps({"tables": names}, ensure_ascii=False))
    else:
        print("\n".join(names) if names else "no tables")


@tables.command()
@operands("table")
@json_option
def describe(url: str | None, table: str, as_json: bool) -> None:
    """Print a table's definition; with --json in the form that `tables create --definition` reads."""
    with opened(url) as database:
        schema = database.tables.describe(table)
    if as_json:
        print(json.dumps(schema.to_dict(), ensure_ascii=False))
    else:
        print_grid(f"table {schema.name}", ["part", "definition"], _parts(schema))


@tables.command()
@operands("table")
@click.option("--partition-key", metavar="KEY", help=KEY_HELP)
@click.option("--sort-key", metavar="KEY", help=KEY_HELP)
@click.option("--index", "indexes", multiple=True, metavar="NAME=KEY[,KEY]", help="A secondary index; repeatable.")
@click.option("--ttl", metavar="NAME", help="The attribute with the expiry time, in epoch seconds.")
@click.option("--versioned", is_flag=True, help="Maintain `version`, with optimistic locking.")
@click.option("--timestamps", is_flag=True, help="Maintain `created_at` and `updated_at`.")
@click.option("--definition", metavar="FILE", help="A definition from `tables describe --json`; - for standard input.")
@json_option
def create(url: str | None, table: str, definition: str | None, as_json: bool, **declared: Any) -> None:
    """Create a table; one that exists with the same definition is left alone."""
    if definition is not None and any(declared.values()):
        raise click.UsageError("--definition says everything: leave out the other options.")
    schema = declared_table(table, **declared) if definition is None else read_definition(definition, table)
    with opened(url, create=True) as database:
        database.tables.ensure(schema)
    if as_json:
        print(json.dumps(schema.to_dict(), ensure_ascii=False))


@tables.command()
@operands("table")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def drop(url: str | None, table: str, yes: bool, as_json: bool) -> int:
    """Remove a table with all its items.

    The exit code is 1 if the answer is no.
    """
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: give --yes too.", click.get_current_context())
    with opened(url) as database:
        database.tables.describe(table)
        if not yes and not _agreed(f"Remove table {table} of {database.url} with all its items?"):
            warn("nothing was removed")
            return ExitCode.NO
        database.tables.drop(table)
    if as_json:
        print(json.dumps({"dropped": table}, ensure_ascii=False))
    return ExitCode.OK


def _agreed(question: str) -> bool:
    # Not click.confirm(): it takes the end of standard input for Ctrl-C.
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def declared_table(
    name: str,
    *,
    partition_key: str | None,
    sort_key: str | None = None,
    indexes: tuple[str, ...] = (),
    ttl: str | None = None,
    versioned: bool = False,
    timestamps: bool = False,
) -> Table:
    """A table from command-line options.

    :raises InvalidArgument: an option has another form, or there is no partition key
    """
    if partition_key is None:
        raise InvalidArgument(f"table {name!r} needs --partition-key (or --definition)")
    return Table(
        name,
        _key(partition_key),
        None if sort_key is None else _key(sort_key),
        [_index(text) for text in indexes],
        ttl,
        "version" if versioned else None,
        *(("created_at", "updated_at") if timestamps else (None, None)),
    )


def read_definition(path: str, name: str) -> Table:
    """A table from a file that ``tables describe --json`` wrote, under a name of its own.

    :raises ConfigurationError: the file can't be read or holds something else
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        data = json.loads(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise ConfigurationError(f"the table definition {path} can't be read: {reason}") from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} holds no table definition: write one with `isthmus tables describe --json`")
    return Table.from_dict({**data, "name": name})


def _key(text: str) -> Key:
    name, _, kind = text.partition(":")
    return Key.of((name, kind or "string"))


def _index(text: str) -> Index:
    name, equals, keys = text.partition("=")
    parts = keys.split(",")
    if not equals or len(parts) > 2 or not all(parts):
        raise InvalidArgument(
            f"--index {text!r} has another form: write NAME=PARTITION_KEY or NAME=PARTITION_KEY,SORT_KEY"
        )
    sort_key = _key(parts[1]) if len(parts) > 1 else None
    return Index(name, _key(parts[0]), sort_key)


def _parts(schema: Table) -> list[tuple[str, str]]:
    parts = [("partition key", _key_text(schema.partition_key))]
    if schema.sort_key is not None:
        parts.append(("sort key", _key_text(schema.sort_key)))
    for index in schema.indexes:
        keys = ", ".join(map(_key_text, index.keys))
        held = index.projection if isinstance(index.projection, str) else ", ".join(index.projection)
        parts.append((f"index {index.name}", f"{keys}; holds {held}"))
    optional = [
        ("expiry", schema.ttl),
        ("version", schema.version),
        ("created", schema.created_at),
        ("updated", schema.updated_at),
    ]
    return parts + [(part, name) for part, name in optional if name is not None]


def _key_text(key: Key) -> str:
    return f"{key.name} ({key.type})"
