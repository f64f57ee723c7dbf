"""``isthmus config``: the settings in force, and where each comes from."""

from __future__ import annotations

import json

import click
from attrs import asdict, evolve

from isthmus.cli.operands import operands
from isthmus.cli.output import json_option, print_grid
from isthmus.config import SettingRow, describe_settings, load_settings


@click.command()
@operands()
@json_option
def config(url: str | None, as_json: bool) -> None:
    """Print the settings in force with their sources; secrets are left out.

    A configuration with mistakes is refused with all of them, each with its file and line or variable.
    """
    rows = [_named(row) for row in describe_settings(load_settings(url, url_use="optional"))]
    if as_json:
        print(json.dumps({"settings": [asdict(row) for row in rows]}, ensure_ascii=False))
    else:
        print_grid("", ["setting", "value", "source"], [(row.name, row.value, row.source) for row in rows])


def _named(row: SettingRow) -> SettingRow:
    """The row with a source that a user of the command line knows: the library was given the URL as an argument."""
    return evolve(row, source="command line") if row.source == "keyword url" else row
