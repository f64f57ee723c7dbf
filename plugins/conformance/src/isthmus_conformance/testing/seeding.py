"""Items that are there before a test begins: from a file, from mappings, from objects of a repository's class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import BoundTable
from isthmus.jsonlines import read_items, write_items

if TYPE_CHECKING:
    from isthmus.repository.repository import Repository

_BATCH = 500


def seed_table(
    table: BoundTable, source: str | Path | Iterable[Mapping[str, Any]], *, folder: Path | None = None
) -> int:
    """Write items into a table, and return how many.

    :param source: the path of a file of JSON lines as ``isthmus tables export`` writes them, or items. The lines are
        written as they are, with versions and timestamps; items as a program would put them
    :param folder: where a relative path begins; the current directory when omitted
    :raises BadLine: a line is no item for the table
    :raises IsthmusError: an item could not be written
    """
    if isinstance(source, (str, Path)):
        return _from_file(table, (folder or Path()) / source)
    return _from_items(table, source)


def _from_file(table: BoundTable, path: Path) -> int:
    written = 0

    def note(total: Any) -> None:
        nonlocal written
        written = total.written

    with path.open(encoding="utf-8", newline="\n") as stream:
        write_items(table, read_items(stream, table, source=path.name), written=note)
    return written


def _from_items(table: BoundTable, items: Iterable[Mapping[str, Any]]) -> int:
    written, rest = 0, iter(items)
    while batch := list(islice(rest, _BATCH)):
        table.put_many(batch).raise_for_failures()
        written += len(batch)
    return written


def seed_entities(repository: Repository[Any], entities: Iterable[Any]) -> int:
    """Write entities of a repository, and return how many.

    :raises IsthmusError: one could not be written
    """
    return sum(1 for entity in entities if repository.put(entity) is not None)
