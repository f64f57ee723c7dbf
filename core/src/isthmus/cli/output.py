"""What commands print: data to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from isthmus.values import dumps

PLAIN_WIDTH = 140


def json_option(function: Any) -> Any:
    """The option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON; errors too, to standard error.")(function)


def console() -> Console:
    """Standard output for people: colours and widths only where it is a terminal."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(highlight=False, width=width)


def print_data(data: Any) -> None:
    """Data as one line of JSON; items keep their sets, binary values and exact numbers."""
    print(dumps(data))


def print_pretty(item: Mapping[str, Any]) -> None:
    """An item, an attribute on each line, still JSON."""
    members = [f"  {json.dumps(name, ensure_ascii=False)}: {dumps(value)}" for name, value in item.items()]
    print("{\n" + ",\n".join(members) + "\n}" if members else "{}")


def print_grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people."""
    screen = console()
    screen.print(grid(title, columns, rows, screen.width))


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], width: int) -> RenderableType:
    """A table, of which nothing is cut off; where its columns don't fit side by side, a line for each cell.

    :param width: of the terminal, in characters
    """
    # As plain text: data may hold what rich takes for markup, or control characters.
    texts = ([Text(str(cell)) for cell in row] for row in rows)
    heading = Text(title) if title else None
    if sum(_room(column) for column in columns) + 1 > width:
        return _records(heading, columns, texts)
    made = Grid(title=heading, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", min_width=_room(column) - 3)
    for row in texts:
        made.add_row(*row)
    return made


def _room(column: str) -> int:
    """What a column needs at least: the longest word of its heading, the line beside it, and spaces."""
    return max(map(len, column.split()), default=0) + 3


def _records(heading: Text | None, columns: Sequence[str], rows: Iterable[Sequence[Text]]) -> RenderableType:
    lines = [] if heading is None else [heading]
    for position, row in enumerate(rows):
        lines += [Text()] if position else []
        lines += [Text(f"{column}: ").append_text(cell) for column, cell in zip(columns, row, strict=True)]
    return Group(*lines)


def warn(text: str, *, as_json: bool = False) -> None:
    """A remark on standard error: as text, or as a line of JSON of its own."""
    print(dumps({"warning": {"message": text}}) if as_json else text, file=sys.stderr)


def print_error(error: Mapping[str, Any], *, as_json: bool) -> None:
    """An error on standard error: as JSON with its ``code``, or as text."""
    if as_json:
        warn(dumps({"error": dict(error)}))
        return
    warn(f"error: {error['message']}")
    for position, reason in enumerate(error.get("reasons") or []):
        if reason is not None:
            warn(f"  action {position}: {reason['message']}")
    if error.get("current") is not None:
        warn(f"  current item: {dumps(error['current'])}")
    if error.get("maybe_applied"):
        warn("  some of it may have been applied")
    _print_further(error)


def print_interrupted(details: Mapping[str, Any], *, as_json: bool) -> None:
    """The end by Ctrl-C, on standard error."""
    if as_json:
        warn(dumps({"error": {"code": "interrupted", "message": "interrupted", **details}}))
        return
    warn("interrupted")
    _print_further(details)


def _print_further(details: Mapping[str, Any]) -> None:
    if "written" in details:
        warn(f"  {details['written']} items were written before this")
    if details.get("after"):
        warn(f"  go on with --after {details['after']}")
