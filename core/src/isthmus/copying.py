"""Copying tables from any database to any other, and proving that two tables hold the same.

Everything streams: at most one page of items is in memory. Items are written verbatim, so versions and timestamps that
Isthmus maintains arrive as they were read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, cast

from attrs import evolve, field, frozen

from isthmus.bound_table import BoundTable
from isthmus.capabilities import Capability
from isthmus.database import Database
from isthmus.errors import AlreadyExists, BackendError, InvalidArgument, SchemaMismatch, TableNotFound
from isthmus.results import Page
from isthmus.schema import Table
from isthmus.values import Item, item_digest
from isthmus.writes import expired

CHUNK = 500
_DIGEST_RANGE = 1 << 256

Clock = Callable[[], float]
Phase = Literal["load", "copy", "digest source", "digest target", "compare", "validate"]


@frozen
class Progress:
    """How far long work has come: ``items`` were handled so far, in this phase of this table."""

    phase: Phase
    table: str
    items: int


Reporter = Callable[[Progress], None]
DifferenceKind = Literal["missing", "changed", "extra"]


@frozen
class Written:
    """What a write of items came to; ``expired`` ones were left out, because their time had come."""

    written: int = 0
    expired: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.written + other.written, self.expired + other.expired)


@frozen
class TableDigest:
    """The number of items of a table, and a digest of them that does not depend on their order.

    :param digest: 64 hexadecimal digits: the sum of the items' SHA-256 digests modulo 2**256
    """

    items: int
    digest: str


@frozen
class Verification:
    """The digests of two tables."""

    table: str
    source: TableDigest
    target: TableDigest

    @property
    def equal(self) -> bool:
        """Whether both tables hold the same items."""
        return self.source == self.target


@frozen
class CopyResult:
    """What was copied of one table; ``verification`` is ``None`` unless it was asked for."""

    table: str
    written: int
    expired: int
    verification: Verification | None = None


@frozen
class Differences:
    """How the items of a target differ from those of its source.

    :param missing: number of items that only the source has
    :param changed: number of keys whose items differ
    :param extra: number of items that only the target has
    :param sample: some of the keys, each with the kind of difference; left out of the ``repr``
    """

    missing: int
    changed: int
    extra: int
    sample: tuple[tuple[DifferenceKind, Item], ...] = field(default=(), repr=False)

    @property
    def total(self) -> int:
        """The number of keys that differ."""
        return self.missing + self.changed + self.extra


def copy(
    source: Database,
    target: Database,
    tables: Iterable[str] | None = None,
    *,
    verify: bool = True,
    overwrite: bool = False,
    chunk: int = CHUNK,
    progress: Reporter | None = None,
    clock: Clock = time.time,
) -> list[CopyResult]:
    """Copy tables, creating those that the target lacks. All targets are checked before anything is written.

    :param tables: names; all tables of the source when omitted
    :param verify: whether to read both sides again and compare their digests
    :param overwrite: whether a target table may hold items; those with the same keys are replaced, others stay
    :param chunk: items in each page and batch
    :raises TableNotFound: the source lacks a table
    :raises SchemaMismatch: the target has a table with another definition
    :raises AlreadyExists: a target table holds items, and ``overwrite`` is off
    :raises BackendError: items could not be written; the cause is the first one's error
    """
    _check_chunk(chunk)
    names = source.tables.list() if tables is None else list(dict.fromkeys(tables))
    schemas = [source.tables.describe(name) for name in names]
    for schema in schemas:
        check_target(target, _kept_by(target, schema), overwrite=overwrite)
    results = []
    for schema in schemas:
        here, there = source.table(schema), target.table(_kept_by(target, schema))
        result = copy_table(here, there, overwrite=overwrite, chunk=chunk, progress=progress, clock=clock)
        if verify:
            result = evolve(result, verification=verify_table(here, there, chunk=chunk, progress=progress))
        results.append(result)
    return results


def _kept_by(target: Database, schema: Table) -> Table:
    """A definition without unique constraints where only repositories can keep them."""
    return schema if target.capabilities.supports(Capability.UNIQUE_INDEX) else evolve(schema, unique=())


def copy_table(
    source: BoundTable,
    target: BoundTable,
    *,
    overwrite: bool = False,
    chunk: int = CHUNK,
    progress: Reporter | None = None,
    clock: Clock = time.time,
) -> CopyResult:
    """Copy the items of one table, creating the target as it is declared.

    The arguments and errors are those of :func:`copy`.
    """
    _check_chunk(chunk)
    check_target(target.database, target.schema, overwrite=overwrite)
    target.ensure()
    total = Written()
    for page in pages(source, chunk):
        total += put_verbatim(target, page.items, clock=clock)
        _report(progress, "copy", source.name, total.written + total.expired)
    return CopyResult(source.name, total.written, total.expired)


def check_target(target: Database, schema: Table, *, overwrite: bool = False) -> None:
    """Refuse a table that can't take a copy; nothing is written.

    :raises SchemaMismatch: it is stored with another definition
    :raises AlreadyExists: it holds items, and ``overwrite`` is off
    """
    try:
        stored = target.tables.describe(schema.name)
    except TableNotFound:
        return
    differences = schema.differences(stored)
    if differences:
        message = f"table {schema.name!r} of the target has another definition: {'; '.join(differences)}"
        raise SchemaMismatch(message, differences=differences)
    if not overwrite and target.table(stored).scan().first() is not None:
        raise AlreadyExists(
            f"table {schema.name!r} of the target holds items already: choose an empty target, or allow to overwrite"
        )


def put_verbatim(table: BoundTable, items: Iterable[Item], *, clock: Clock = time.time) -> Written:
    """Write items in normal form exactly as given: attributes for versions and timestamps are kept, not maintained.

    :raises BackendError: some were not written; the cause is the first one's error
    :raises InvalidArgument: an item is not allowed in the target; nothing of this call was written
    """
    given = list(items)
    while True:
        live = [item for item in given if not expired(table.schema, item, clock())]
        try:
            result = verbatim(table).put_many(live)
        except InvalidArgument:
            # An item may have expired since it was looked at; anything else is the caller's to know.
            if not any(expired(table.schema, item, clock()) for item in live):
                raise
            continue
        if result.failures:
            raise _not_written(table, len(result.failures), len(live), result.failures[0].error)
        return Written(len(live), len(given) - len(live))


def verbatim(table: BoundTable) -> BoundTable:
    """The same stored table, declared without the attributes that Isthmus would maintain."""
    schema = table.schema
    if not schema.managed:
        return table
    return table.database.table(evolve(schema, version=None, created_at=None, updated_at=None))


def _not_written(table: BoundTable, failed: int, sent: int, cause: Exception) -> BackendError:
    error = BackendError(
        f"{failed} of {sent} items of a batch for table {table.name!r} were not written: "
        "remove the cause, then repeat and overwrite",
        retryable=bool(getattr(cause, "retryable", False)),
        maybe_applied=True,
    )
    error.table = table.name
    error.__cause__ = cause
    return error


def digest_table(
    table: BoundTable, *, chunk: int = CHUNK, progress: Reporter | None = None, phase: Phase = "digest source"
) -> TableDigest:
    """The digest of all visible items."""
    _check_chunk(chunk)
    total = count = 0
    for page in pages(table, chunk):
        total += sum(int.from_bytes(item_digest(item)) for item in page.items)
        count += len(page.items)
        _report(progress, phase, table.name, count)
    return TableDigest(count, f"{total % _DIGEST_RANGE:064x}")


def verify_table(
    source: BoundTable, target: BoundTable, *, chunk: int = CHUNK, progress: Reporter | None = None
) -> Verification:
    """Read both tables and compare their digests."""
    here = digest_table(source, chunk=chunk, progress=progress)
    there = digest_table(target, chunk=chunk, progress=progress, phase="digest target")
    return Verification(source.name, here, there)


def verify(
    source: Database,
    target: Database,
    tables: Iterable[str] | None = None,
    *,
    chunk: int = CHUNK,
    progress: Reporter | None = None,
) -> list[Verification]:
    """Compare tables of two databases.

    :param tables: names; all tables of the source when omitted
    :raises TableNotFound: one of the databases lacks a table
    """
    names = source.tables.list() if tables is None else list(dict.fromkeys(tables))
    pairs = [(source.tables.open(name), target.tables.open(name)) for name in names]
    return [verify_table(here, there, chunk=chunk, progress=progress) for here, there in pairs]


def compare_tables(
    source: BoundTable,
    target: BoundTable,
    *,
    sample: int = 0,
    chunk: int = CHUNK,
    progress: Reporter | None = None,
) -> Differences:
    """Find the keys whose items differ, by reading both tables and looking each key up on the other side.

    :param sample: how many of the keys to return
    """
    _check_chunk(chunk)
    counts: dict[DifferenceKind, int] = {"missing": 0, "changed": 0, "extra": 0}
    keys: list[tuple[DifferenceKind, Item]] = []
    for done, (kind, key) in enumerate(_different_keys(source, target, chunk), 1):
        counts[kind] += 1
        if len(keys) < sample:
            keys.append((kind, key))
        _report(progress, "compare", source.name, done)
    return Differences(counts["missing"], counts["changed"], counts["extra"], tuple(keys))


def _different_keys(source: BoundTable, target: BoundTable, chunk: int) -> Iterator[tuple[DifferenceKind, Item]]:
    for item, key, other in _looked_up(source, target, chunk):
        if other is None:
            yield "missing", key
        elif item_digest(item) != item_digest(other):
            yield "changed", key
    for _item, key, other in _looked_up(target, source, chunk):
        if other is None:
            yield "extra", key


def _looked_up(table: BoundTable, other: BoundTable, chunk: int) -> Iterator[tuple[Item, Item, Item | None]]:
    """Each item with its key, and the item of the other table with the same key."""
    for page in pages(table, chunk):
        keys = [table.schema.key_of(item) for item in page.items]
        found = other.get_many(keys).raise_for_failures()
        yield from zip(page.items, keys, found, strict=True)


def pages(table: BoundTable, size: int = CHUNK) -> Iterator[Page]:
    """The pages of a scan, each with a deadline of its own: a default timeout is meant for a call, not for a copy."""
    scan = table.scan()
    position = None
    while True:
        operation = scan.next_page(scan.requests.context(None), position, None, size)
        page = cast("Page", table.database.execute(operation))
        yield page
        position = page.position
        if position is None:
            return


def _report(progress: Reporter | None, phase: Phase, table: str, items: int) -> None:
    if progress is not None:
        progress(Progress(phase, table, items))


def _check_chunk(chunk: int) -> None:
    if type(chunk) is not int or chunk < 1:
        raise InvalidArgument("chunk is a positive number of items")
