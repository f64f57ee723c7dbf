"""Checking what a table holds: every stored item against the declaration, the limits and a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Protocol, cast

from attrs import define, evolve, field, frozen

from isthmus.async_bound_table import AsyncBoundTable
from isthmus.bound_table import BoundTable
from isthmus.capabilities import Limits
from isthmus.copying import CHUNK
from isthmus.cursors import decode_cursor, encode_cursor
from isthmus.deviations import Deviation, DeviationKind, check_item, unreadable
from isthmus.errors import InvalidArgument, InvalidStoredValue
from isthmus.operations import Context, Scan
from isthmus.results import Page, Unreadable
from isthmus.values import Item

Found = Callable[[Deviation], None]


class ItemCheck(Protocol):
    """A further check of each item, such as that it fits a class."""

    def __call__(self, item: Item) -> Iterator[Deviation]: ...


@frozen
class Validation:
    """What a validation came to.

    :param items: stored items that were looked at, also those that can't be read
    :param deviating: items with at least one deviation
    :param kinds: the number of deviations of each kind
    :param deviations: the first ones, as many as were asked for
    :param cursor: where to go on; ``None`` at the end of the table
    :param stopped: why the rest could not be read, where the backend gave up; else ``None``
    """

    table: str
    items: int = 0
    deviating: int = 0
    kinds: Mapping[DeviationKind, int] = field(factory=dict)
    deviations: tuple[Deviation, ...] = field(default=(), repr=False)
    cursor: str | None = None
    stopped: str | None = None

    @property
    def clean(self) -> bool:
        """Whether every item that was looked at is as declared, and none was left out because of damage."""
        return not self.deviating and self.stopped is None

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready data, without the deviations themselves."""
        return {
            "table": self.table,
            "items": self.items,
            "deviating": self.deviating,
            "kinds": dict(self.kinds),
            "cursor": self.cursor,
            "stopped": self.stopped,
        }


def validate_table(
    table: BoundTable,
    *,
    check: ItemCheck | None = None,
    limits: Limits | None = None,
    limit: int | None = None,
    after: str | None = None,
    keep: int = 100,
    found: Found | None = None,
    chunk: int = CHUNK,
    progress: Callable[[Validation], None] | None = None,
) -> Validation:
    """Check the stored items of a table. Expired ones are not there, so they are left out.

    :param table: declared as the items should be: ``database.tables.open(name)`` takes the stored definition
    :param check: a further check of each item
    :param limits: what values and keys are measured by; the portable limits when omitted
    :param limit: look at so many items, then give a cursor
    :param after: the cursor of an earlier validation of this table
    :param keep: how many deviations the result holds
    :param found: told of each deviation as it is found
    :param chunk: items of each page
    :param progress: told the result so far after each page; a validation that is cut off goes on from its cursor
    :raises InvalidArgument: a number is not positive
    :raises InvalidCursor: the cursor is damaged, or belongs to something else
    """
    run = _run(table, check, limits, limit, after, keep, found, chunk, progress)
    plan = run.plan(table.database.context)
    try:
        operation = next(plan)
        while True:
            try:
                page = cast("Page", table.database.execute(operation))
            except InvalidStoredValue as error:
                operation = plan.throw(error)
            else:
                operation = plan.send(page)
    except StopIteration:
        return run.result()


async def avalidate_table(
    table: AsyncBoundTable,
    *,
    check: ItemCheck | None = None,
    limits: Limits | None = None,
    limit: int | None = None,
    after: str | None = None,
    keep: int = 100,
    found: Found | None = None,
    chunk: int = CHUNK,
    progress: Callable[[Validation], None] | None = None,
) -> Validation:
    """The async twin of :func:`validate_table`, with the same arguments and errors."""
    run = _run(table, check, limits, limit, after, keep, found, chunk, progress)
    plan = run.plan(table.database.context)
    try:
        operation = next(plan)
        while True:
            try:
                page = cast("Page", await table.database.execute(operation))
            except InvalidStoredValue as error:
                operation = plan.throw(error)
            else:
                operation = plan.send(page)
    except StopIteration:
        return run.result()


def _run(
    table: BoundTable | AsyncBoundTable,
    check: ItemCheck | None,
    limits: Limits | None,
    limit: int | None,
    after: str | None,
    keep: int,
    found: Found | None,
    chunk: int,
    progress: Callable[[Validation], None] | None,
) -> _Run:
    for name, number in (("limit", limit), ("chunk", chunk)):
        if number is not None and (type(number) is not int or number < 1):
            raise InvalidArgument(f"{name} is a positive number of items")
    return _Run(table, check, limits or Limits(), limit, after, keep, found, chunk, progress)


@define(eq=False)
class _Run:
    """One validation: everything but I/O."""

    table: BoundTable | AsyncBoundTable
    check: ItemCheck | None
    limits: Limits
    limit: int | None
    after: str | None
    keep: int
    found: Found | None
    chunk: int
    progress: Callable[[Validation], None] | None
    items: int = 0
    deviating: int = 0
    kinds: Counter[DeviationKind] = field(factory=Counter)
    kept: list[Deviation] = field(factory=list)
    cursor: str | None = None
    stopped: str | None = None
    _nameless: set[str] = field(factory=set)

    def plan(self, context: Callable[[float | None], Context]) -> Generator[Scan, Page, None]:
        """The scans; each is answered with its page."""
        database, left = self.table.database, self.limit
        scan = Scan(context(None), self.table.schema, report_unreadable=True)
        if self.after is not None:
            start = decode_cursor(scan, self.after, database.limits, database.backend_name)
            scan, self.cursor = evolve(scan, start=start), self.after
        while True:
            size = self.chunk if left is None else min(left, self.chunk)
            try:
                page = yield evolve(scan, limit=size, context=context(None))
            except InvalidStoredValue as error:
                self.stopped = error.message
                return
            self._take(page)
            left = None if left is None else left - len(page.items)
            self.cursor = None
            if page.position is not None:
                self.cursor = encode_cursor(scan, page.position, database.backend_name)
                scan = evolve(scan, start=page.position)
            if self.progress is not None:
                self.progress(self.result())
            if self.cursor is None or left == 0:
                return

    def _take(self, page: Page) -> None:
        for fault in page.unreadable:
            self._note_fault(fault)
        for item in page.items:
            self._note(self._deviations(item))

    def _note_fault(self, fault: Unreadable) -> None:
        # A page may meet what has no place in the table's order again.
        if fault.key is None and fault.name is not None:
            if fault.name in self._nameless:
                return
            self._nameless.add(fault.name)
        self._note([unreadable(fault)])

    def _deviations(self, item: Item) -> list[Deviation]:
        schema = self.table.schema
        points = list(check_item(schema, item, self.limits))
        if self.check is not None:
            points += self.check(item)
        key = {name: item[name] for name in schema.key_names if name in item} if points else None
        return [evolve(point, key=key) for point in points]

    def _note(self, deviations: list[Deviation]) -> None:
        self.items += 1
        self.deviating += bool(deviations)
        for deviation in deviations:
            self.kinds[deviation.kind] += 1
            if len(self.kept) < self.keep:
                self.kept.append(deviation)
            if self.found is not None:
                self.found(deviation)

    def result(self) -> Validation:
        """What it came to."""
        kinds = dict(sorted(self.kinds.items()))
        return Validation(
            self.table.name, self.items, self.deviating, kinds, tuple(self.kept), self.cursor, self.stopped
        )
