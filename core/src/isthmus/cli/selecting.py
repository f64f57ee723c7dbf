"""``isthmus query``, ``scan`` and ``count``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click
from attrs import field, frozen

from isthmus.bound_table import BoundTable
from isthmus.cli.keys import query_key
from isthmus.cli.operands import opened, operands
from isthmus.cli.output import json_option, print_data, print_grid, warn
from isthmus.cli.progress import shown_items, shown_wait
from isthmus.cli.where import parse_condition, parse_fields
from isthmus.errors import InvalidArgument
from isthmus.expressions import Condition
from isthmus.selection import Selection
from isthmus.values import Item, dumps

GRID_ITEMS = 1_000

WHERE_HELP = """Conditions look like Python: `population > 100000 and not name.begins_with("Par")`, `"Paris" in names`,
`country in ["FR", "DE"]`, `location.latitude.between(-10, 10)`, `names.size() >= 3`, `F["odd name"] == 1`."""


def _condition(_context: click.Context, _option: click.Parameter, text: str | None) -> Condition | None:
    return None if text is None else parse_condition(text)


_WHERE = click.option("--where", callback=_condition, metavar="EXPRESSION", help="Only items that fulfil a condition.")
_SHAPE = (
    click.option("--limit", type=click.IntRange(1), help="At most that many items in all."),
    click.option("--select", help="Only these attributes: name,location.latitude,tags[0]."),
    click.option("--page-size", type=click.IntRange(1, 10_000), help="One page of that many items, and its cursor."),
    click.option("--cursor", help="The page after this cursor; use it with the query that gave it."),
    click.option("--table", "as_grid", is_flag=True, help=f"Print a table of at most {GRID_ITEMS} items."),
    json_option,
)
_PARTITION = (
    click.option("--index", help="Read this secondary index."),
    click.option("--descending", is_flag=True, help="In descending order of the sort key."),
)


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@frozen
class Shape:
    """How much is printed, and in which form."""

    limit: int | None
    select: str | None
    page_size: int | None
    cursor: str | None
    as_grid: bool
    as_json: bool

    def __attrs_post_init__(self) -> None:
        if self.page_size is not None and self.limit is not None:
            raise click.UsageError("--page-size and --limit exclude each other: a page has a size of its own.")
        if self.cursor is not None and self.page_size is None:
            raise click.UsageError("--cursor leads to a page: give --page-size too.")


@click.command(epilog=WHERE_HELP)
@operands("table", rest="key", least=1)
@_options(_WHERE, *_PARTITION, *_SHAPE)
def query(url: str | None, table: str, key: tuple[str, ...], where: Condition | None, index: str | None,
          descending: bool, **shape: Any) -> None:  # fmt: skip
    """Print the items of one partition, in the order of the sort key.

    KEY is name=value: the partition key of the table or of the index, and optionally its sort key.
    """
    wanted = Shape(**shape)
    with opened(url) as database:
        selection = _partition(database.tables.open(table), key, index, descending)
        _show(_narrowed(selection, where, wanted), wanted)


@click.command(epilog=WHERE_HELP)
@operands("table")
@_options(_WHERE, *_SHAPE)
def scan(url: str | None, table: str, where: Condition | None, **shape: Any) -> None:
    """Print all items of a table, in no promised order."""
    wanted = Shape(**shape)
    with opened(url) as database:
        _show(_narrowed(database.tables.open(table).scan(), where, wanted), wanted)


@click.command(epilog=WHERE_HELP)
@operands("table", rest="key")
@_options(_WHERE, _PARTITION[0], json_option)
def count(
    url: str | None, table: str, key: tuple[str, ...], where: Condition | None, index: str | None, as_json: bool
) -> None:
    """Count the items of a table, or of one partition when KEY (name=value) is given."""
    if index is not None and not key:
        raise click.UsageError("--index needs the index's partition key as name=value.")
    with opened(url) as database:
        bound = database.tables.open(table)
        selection = _partition(bound, key, index, False) if key else bound.scan()
        with shown_wait(f"count {table}"):
            number = (selection if where is None else selection.where(where)).count()
    if as_json:
        print_data({"count": number})
    else:
        print(number)


def _partition(table: BoundTable, key: tuple[str, ...], index: str | None, descending: bool) -> Selection:
    # As a mapping: a key attribute may be called "index" or "timeout".
    attributes = query_key(table.schema, index, key)
    taken = {"index", "timeout"} & set(attributes)
    if taken:
        raise InvalidArgument(f"key attribute {min(taken)!r} can't be queried from the command line: use the library")
    selection = table.query(index=index, **attributes)
    return selection.descending() if descending else selection


def _narrowed(selection: Selection, where: Condition | None, shape: Shape) -> Selection:
    if where is not None:
        selection = selection.where(where)
    if shape.select is not None:
        selection = selection.select(*parse_fields(shape.select))
    return selection if shape.limit is None else selection.limit(shape.limit)


@frozen
class _Found:
    """Items as they come, and the cursor of a page."""

    items: Iterable[Item]
    cursor: str | None = field(default=None)


def _show(selection: Selection, shape: Shape) -> None:
    if shape.page_size is None:
        found = _Found(shown_items(f"read {selection.requests.table.name}", selection))
    else:
        page = selection.page(size=shape.page_size, cursor=shape.cursor)
        found = _Found(page.items, page.cursor)
    if shape.as_json:
        _print_json(found)
    elif shape.as_grid:
        _print_items_grid(found)
    else:
        _print_lines(found)
    if found.cursor is not None and not shape.as_json:
        warn(f"more: --page-size {shape.page_size} --cursor {found.cursor}")


def _print_lines(found: _Found) -> None:
    for item in found.items:
        print(dumps(item))


def _print_json(found: _Found) -> None:
    """One JSON object, written item by item, because a table need not fit into memory."""
    number, separator = 0, ""
    sys.stdout.write('{"items":[')
    for item in found.items:
        sys.stdout.write(separator + dumps(item))
        number, separator = number + 1, ","
    print(f'],"count":{number},"cursor":{dumps(found.cursor)}}}')


def _print_items_grid(found: _Found) -> None:
    items: list[Item] = []
    for item in found.items:
        if len(items) == GRID_ITEMS:
            warn(f"only the first {GRID_ITEMS} items are shown: narrow the selection, or leave out --table")
            break
        items.append(item)
    columns = list(dict.fromkeys(name for item in items for name in item))
    print_grid("", columns, ([_cell(item, name) for name in columns] for item in items))


def _cell(item: Item, name: str) -> str:
    if name not in item:
        return ""
    value = item[name]
    return value if isinstance(value, str) else dumps(value)
