"""Items as JSON lines: one item on each line, without loss, read with the place of every mistake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from isthmus.bound_table import BoundTable
from isthmus.copying import CHUNK, Written, put_verbatim, verbatim
from isthmus.errors import InvalidValue, IsthmusError
from isthmus.values import Item, canonical_bytes, loads


@frozen
class Line:
    """An item, and the number of its line, from 1."""

    number: int
    item: Item


class BadLine(InvalidValue):
    """A line holds no item for the table.

    :param line: its number, from 1
    """

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_items(lines: Iterable[str], table: BoundTable, *, source: str) -> Iterator[Line]:
    """The items of JSON lines, checked against the table; empty lines are skipped.

    :param source: the name of the file for messages
    :raises BadLine: a line is no JSON object, or no valid item for the table
    """
    bare = verbatim(table)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield Line(number, bare.actions.put(_object(line)).item)
        except IsthmusError as error:
            raise BadLine(f"{source}:{number}: {error.message}", line=number) from None


def _object(line: str) -> Item:
    value = loads(line.rstrip("\r\n"))
    if not isinstance(value, dict):
        raise InvalidValue("the line holds no JSON object: write one item on each line")
    return value


def write_items(
    table: BoundTable,
    lines: Iterable[Line],
    *,
    batch: int = CHUNK,
    written: Callable[[Written], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Write items verbatim, in batches; of two with the same key the later one stays.

    :param written: told the total after each batch, so that a caller knows it also when a later one fails
    """
    total = Written()
    for members in _batches(table, lines, batch):
        total += put_verbatim(table, members, clock=clock)
        written(total)


def _batches(table: BoundTable, lines: Iterable[Line], size: int) -> Iterator[list[Item]]:
    """Batches in which no key comes twice: stores refuse those."""
    members: dict[bytes, Item] = {}
    for line in lines:
        key = canonical_bytes(table.schema.key_of(line.item))
        if len(members) == size or key in members:
            yield list(members.values())
            members = {}
        members[key] = line.item
    if members:
        yield list(members.values())
