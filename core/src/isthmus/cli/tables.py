"""``isthmus tables``: list, create, describe and drop, and one table's items in and out."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from isthmus.cli.definitions import KEY_HELP, declared_table, read_definition
from isthmus.cli.exit_codes import ExitCode
from isthmus.cli.lines import export_lines, import_lines
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option, print_grid, warn
from isthmus.schema import Key, Table


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
    """List, create, describe, drop, import and export tables; `isthmus tables [URL]` lists them."""


tables.add_command(export_lines)
tables.add_command(import_lines)


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
