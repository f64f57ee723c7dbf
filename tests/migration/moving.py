"""Moving tables from store to store, and what the tests look at afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import field, frozen

from isthmus import connect
from isthmus.copying import verbatim
from isthmus.schema import Table
from isthmus.values import Item, loads_trusted
from isthmus_migration.digests import BucketDigest
from isthmus_migration.migration import Migration
from isthmus_migration.tasks import Counts
from isthmus_migration.transforms import Transform

_BATCH = 1_000


def _unchanged(item: Item) -> Item:
    return item


@frozen
class DataSet:
    """Items, and what is to become of them.

    :param items: gives the items, anew each time
    :param becomes: what an item is after the transform
    """

    table: Table
    items: Callable[[], Iterable[Item]]
    becomes: Callable[[Item], Item] = _unchanged
    transform: Transform = field(factory=Transform)

    def digest(self) -> BucketDigest:
        """The digest of what has to arrive, worked out from the data alone."""
        return BucketDigest.of(map(self.becomes, self.items()), self.table.key_names)


@frozen
class Stores:
    """Stores to move between.

    :param named: gives a table a name of its own
    """

    dynamodb: str
    mongodb: str
    named: Callable[[Table], Table]


@frozen
class Dead:
    """A dead letter: its key, phase, code and reason, and the item that it holds."""

    key: Any
    phase: str
    code: str
    reason: str
    original: Any


@frozen
class Moved:
    """What a migration journaled.

    :param source: the digest of what was read
    :param expected: the digest of what the target should hold
    """

    counts: Counts
    source: BucketDigest
    expected: BucketDigest
    dead: tuple[Dead, ...]


def sqlite(path: Path) -> str:
    """The URL of a file that needs not survive a power failure."""
    return f"sqlite:///{path}?synchronous=off"


def load(url: str, table: Table, items: Iterable[Item]) -> None:
    """Put items into a new table."""
    with connect(url) as database:
        bound = database.table(table).ensure()
        for batch in _batches(items):
            assert not bound.put_many(batch).failures


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def move(source: str, target: str, workdir: Path, table: str, transform: Transform | None = None,
         engine: str = "processes") -> Moved:  # fmt: skip
    """Move one table, with two workers, until nothing is left to do."""
    transforms = {} if transform is None else {table: transform}
    migration = Migration.plan(source, target, workdir=workdir, tables=(table,), transforms=transforms)
    outcome = migration.run(engine=engine, workers=2)
    assert outcome.finished, outcome
    with migration.work.journal(writable=False) as journal:
        dead = journal.rows("SELECT item_key, phase, code, reason, original FROM dead ORDER BY item_key")
        return Moved(
            journal.counts("copy"), journal.digest("copy", table, "source"), journal.digest("copy", table, "expected"),
            tuple(map(_dead, dead)),
        )  # fmt: skip


def _dead(row: tuple[Any, ...]) -> Dead:
    key, phase, code, reason, original = row
    return Dead(loads_trusted(key), phase, code, reason, loads_trusted(original.decode()))


def content(url: str, table: Table) -> BucketDigest:
    """The digest of what a table holds, read by a scan of its own."""
    with connect(url) as database:
        return BucketDigest.of(verbatim(database.table(table)).scan(), table.key_names)


def drop(url: str, names: Iterable[str]) -> None:
    """Remove those of some tables that exist."""
    with connect(url) as database:
        for name in set(database.tables.list()) & set(names):
            database.tables.drop(name)
