"""Items that others have written into a table which the migration created: dropping it would lose them.

Buckets whose digest is what the journal expects hold nothing else. The items of the others are compared with what the
source's items come to: slices that were cut off may have written some of these, and no journal tells which.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field

from isthmus.errors import ConfigurationError, IsthmusError
from isthmus.results import Unreadable
from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus.values import Item, dumps
from isthmus_migration.coordination.waiting import is_passing
from isthmus_migration.digests import canonical_text, keyed
from isthmus_migration.errors import PlanChanged
from isthmus_migration.journal.acceptances import former_transforms
from isthmus_migration.journal.journal import Journal, JournalUnwritable
from isthmus_migration.places.base import Place
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.slices.account import digest_of
from isthmus_migration.slices.images import files_of_table
from isthmus_migration.slices.worker import Worker
from isthmus_migration.transforms import CompiledTransform, Transform, TransformError, compile_transform

_T = TypeVar("_T")
_Found = list[dict[str, Any]] | IsthmusError
_ITEMS = 2_000
_BYTES = 8_000_000


def strangers(worker: Worker, journal: Journal, plan: TablePlan) -> Iterator[_Found]:
    """The items of a table that the migration did not write, as findings; those of one read at a time, often none.

    A place that is away for now is an error among them, and what is asked for next is the same read once more.

    :raises IsthmusError: source or target can't be read, and waiting does not help
    """
    name = plan.source.name
    here = journal.digest("rollback_check", name, "target")
    wanted = {one.bucket for one in here.differences(journal.digest("copy", name, "expected")) if one.source[0]}
    if not wanted:
        return
    path = worker.workdir / "rollback.db"
    try:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as known:
            known.execute("PRAGMA synchronous = OFF")
            known.execute("CREATE TABLE written (digest BLOB PRIMARY KEY) WITHOUT ROWID")
            transforms, told = _transforms(worker, journal, plan)
            for digests in _written(worker, journal, plan, wanted, transforms):
                if isinstance(digests, IsthmusError):
                    yield digests
                else:
                    _learn(known, digests)
                    yield []
            _learn(known, _written_later(worker.workdir / "images", name))
            yield from _unknown(known, worker.target, plan.target, wanted, "not_ours" if told else "former_plan")
        path.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise JournalUnwritable(
            f"{path} can't be written ({error}): make room or mend the disk, then roll back again"
        ) from error


def _learn(known: sqlite3.Connection, digests: Iterable[int]) -> None:
    known.execute("BEGIN")
    known.executemany("INSERT OR IGNORE INTO written VALUES (?)", ((digest.to_bytes(16),) for digest in digests))
    known.execute("COMMIT")


def _transforms(worker: Worker, journal: Journal, plan: TablePlan) -> tuple[list[CompiledTransform], bool]:
    """The transforms under which a table was copied, and whether these are all: the code of one may have changed."""
    every = [plan.transform, *former_transforms(journal, plan.source.name)]
    found = []
    for data in every:
        transform = Transform() if data is None else Transform.from_dict(data)
        with suppress(PlanChanged, ConfigurationError):
            found.append(compile_transform(transform, plan.source, worker.target.limits))
    return found, len(found) == len(every)


def _written(
    worker: Worker, journal: Journal, plan: TablePlan, wanted: set[int], transforms: list[CompiledTransform]
) -> Iterator[list[int] | IsthmusError]:  # fmt: skip
    """Digests of what the units that were begun may have written into some buckets, by reads of the source."""
    bucket = keyed(plan.target.key_names)
    for state in journal.units("copy"):
        if state.unit.table != plan.source.name or not (state.sequence or state.unsettled):
            continue
        for read in _reads(worker.source, plan.source, state.unit.spec):
            if isinstance(read, IsthmusError):
                yield read
                continue
            moved = (_moved(transform, item) for item in read.items for transform in transforms)
            yield [digest_of(canonical_text(item)) for item in moved if item is not None and bucket(item) in wanted]


def _moved(transform: CompiledTransform, item: Item) -> Item | None:
    try:
        return transform(item)
    except TransformError:
        return None


def _written_later(images: Path, table: str) -> Iterator[int]:
    """Digests of what repairs and replays wrote."""
    for file in files_of_table(images, table):
        yield from (image.written_digest for image in file.images() if image.written_digest is not None)


def _unknown(
    known: sqlite3.Connection, target: Place, table: Table, wanted: set[int], reason: str
) -> Iterator[_Found]:  # fmt: skip
    bucket = keyed(table.key_names)
    for unit in (yield from _when_there(partial(target.units, table, 1))):
        for read in _reads(target, table, unit):
            if isinstance(read, IsthmusError):
                yield read
                continue
            found = (item for item in read.items if bucket(item) in wanted)
            theirs = (_theirs(known, table, item, bucket(item), reason) for item in found)
            yield [*(one for one in theirs if one is not None), *map(_unreadable, read.unreadable)]


def _theirs(known: sqlite3.Connection, table: Table, item: Item, bucket: int, reason: str) -> dict[str, Any] | None:
    digest = digest_of(canonical_text(item))
    if known.execute("SELECT 1 FROM written WHERE digest = ?", (digest.to_bytes(16),)).fetchall():
        return None
    detail = {"reason": reason, "bucket": bucket, "before": None, "found": f"{digest:032x}"}
    return {"kind": "conflict", "key": dumps(table.key_of(item)), "detail": detail}


def _unreadable(fault: Unreadable) -> dict[str, Any]:
    """What the migration writes can be read."""
    key = dumps(fault.key) if fault.key is not None else fault.name or "unknown key"
    detail = {"reason": "not_ours", "bucket": 0, "before": None, "found": None}
    return {"kind": "conflict", "key": key, "detail": detail}


def _reads(place: Place, table: Table, unit: str) -> Iterator[Slice | IsthmusError]:
    cursor: str | None = None
    while True:
        read = yield from _when_there(partial(place.read, table, unit, cursor, items=_ITEMS, size=_BYTES))
        yield read
        cursor = read.cursor
        if cursor is None:
            return


def _when_there(ask: Callable[[], _T]) -> Generator[IsthmusError, None, _T]:
    """What a place answers in the end; before that, an error for each time that it was away."""
    while True:
        try:
            return ask()
        except IsthmusError as error:
            if not is_passing(error):
                raise
            yield error


@define
class Searching:
    """Looks for the strangers of one table, in steps; where a place was away, it goes on with the read that failed."""

    worker: Worker
    journal: Journal
    plan: TablePlan
    _found: Iterator[_Found] | None = field(default=None, init=False)

    def step(self) -> bool:
        """Journal those of one read. Whether more may be left.

        :raises IsthmusError: source or target can't be read
        """
        if self._found is None:
            self._found = strangers(self.worker, self.journal, self.plan)
        try:
            some = next(self._found, None)
        except IsthmusError:
            self._found = None
            raise
        if isinstance(some, IsthmusError):
            raise some
        if some:
            self.journal.find(self.plan.source.name, some)
        return some is not None
