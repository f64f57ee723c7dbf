"""``isthmus get`` and ``isthmus put``: single items."""

from __future__ import annotations

import sys

import click

from isthmus.cli.keys import item_key
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option, print_data, print_pretty
from isthmus.cli.where import parse_condition, parse_fields
from isthmus.errors import InvalidValue
from isthmus.values import Item, loads


@click.command()
@operands("table", rest="key", least=1)
@click.option("--select", help="Only these attributes: name,location.latitude,tags[0].")
@json_option
def get(url: str | None, table: str, key: tuple[str, ...], select: str | None, as_json: bool) -> None:
    """Print one item.

    KEY is the partition key's value and, where the table has one, the sort key's; or name=value.
    Binary values are written in base64.
    """
    with opened(url) as database:
        bound = database.tables.open(table)
        names = None if select is None else parse_fields(select)
        item = bound.get(item_key(bound.schema, key), select=names)
    (print_data if as_json else print_pretty)(item)


@click.command()
@operands("table", "item")
@click.option("--create", is_flag=True, help="Refuse to replace an item.")
@click.option("--when", help="Only if this condition holds for the stored item; see `isthmus query --help`.")
@json_option
def put(url: str | None, table: str, item: str, create: bool, when: str | None, as_json: bool) -> None:
    """Write one item, given as JSON; - reads it from standard input.

    Sets are written {"$set": [...]}, binary values {"$binary": "<base64>"}.
    """
    if create and when is not None:
        raise click.UsageError("--create is a condition of its own: leave out --when.")
    value = _parsed(sys.stdin.read() if item == "-" else item)
    with opened(url) as database:
        bound = database.tables.open(table)
        if create:
            bound.create(value)
        else:
            bound.put(value, when=None if when is None else parse_condition(when))
    if as_json:
        print_data({"written": 1})


def _parsed(text: str) -> Item:
    value = loads(text)
    if not isinstance(value, dict):
        raise InvalidValue("an item is a JSON object: write {...}")
    return value
