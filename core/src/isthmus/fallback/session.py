"""The requests of one operation to the store: named steps, small retries, the deadline.

Everything in this package is a generator that yields what a driver carries out: native requests of the store,
``Native`` for a whole operation of the backend, and ``Sleep``. A client that dies does so between two of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar

from attrs import define, evolve, field, frozen

from isthmus.backends import Backend
from isthmus.errors import BackendError, Conflict, DeadlineExceeded, IsthmusError, TableNotFound
from isthmus.fallback.leases import Leases
from isthmus.fallback.options import FallbackOptions
from isthmus.fallback.records import RECORD_TABLE, Record
from isthmus.fallback.store import ABSENT, LOST, Answer, ItemStore, Place, StorePlan, Swap
from isthmus.layers import Sleep
from isthmus.metrics import Metric, MetricDescription
from isthmus.operations import Context, DescribeTable, Get, ItemKey, Operation, Put
from isthmus.results import Result, TableResult
from isthmus.schema import Table
from isthmus.values import Item

T = TypeVar("T")
Flow = Generator[Any, Any, T]

SETTLING_SECONDS: Final = 0.25
"""What an operation whose deadline has passed may still use to leave nothing behind, or to learn how it ended."""
PATIENCE: Final = 60.0
"""Seconds after which an operation without a deadline gives way."""
WAIT_BASE: Final = 0.005
WAIT_CAP: Final = 0.25
"""Bounds of the waits for a lock, and between looks of a snapshot, seconds."""
_SENDINGS: Final = 4
_RETRY_BASE: Final = 0.01


@frozen
class Native:
    """Let the backend answer a whole operation; carried out by the driver."""

    operation: Operation


@define(eq=False)
class Shared:
    """What all operations of one open database share.

    :param wall: seconds since the epoch; expiry is judged by it
    :param at_step: called with the name of each step, before and after its request. For tests, which stop the client
    """

    backend: Backend
    store: ItemStore
    options: FallbackOptions
    wall: Callable[[], float]
    leases: Leases
    at_step: Callable[[str], None] | None = None
    uniform: Callable[[float, float], float] = random.uniform
    measure: Callable[[Metric], None] | None = None
    records_made: bool = field(default=False, init=False)
    swept_at: float = field(default=float("-inf"), init=False)
    sweep_from: Item | None = field(default=None, init=False)


class Session:
    """One operation at work."""

    def __init__(self, shared: Shared, context: Context) -> None:
        self.shared = shared
        self.store = shared.store
        self.context = context
        self.deadline = context.deadline
        self._patient_until = time.monotonic() + PATIENCE
        self._settling = False

    # ---- time ----

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.shared.wall()

    def left(self) -> float:
        """Seconds until the deadline."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def settle_in_time(self) -> None:
        """Leave at least a moment for what must still be sent, once, whatever the caller's deadline is."""
        if not self._settling and self.left() < SETTLING_SECONDS:
            self._settling = True
            self.deadline = time.monotonic() + SETTLING_SECONDS

    def wait(self, number: int, base: float, cap: float) -> Flow[bool]:
        """Wait before a further look, with full jitter; ``False`` when there is no time for it.

        :param number: how often it was waited before
        """
        bound = min(cap, base * 2.0 ** min(number, 30))
        seconds = self.shared.uniform(0.0, bound)
        limit = self._patient_until if self.deadline is None else self.deadline
        if self._settling or time.monotonic() + seconds >= limit:
            return False
        yield Sleep(seconds)
        return True

    def measured(self, metric: MetricDescription, value: float = 1.0, **labels: str) -> None:
        """Tell a measurement to whoever records them."""
        if self.shared.measure is not None:
            self.shared.measure(Metric(metric.name, value, {"backend": self.shared.backend.name, **labels}))

    # ---- items ----

    def read(self, step: str, place: Place) -> Flow[Item | None]:
        """The physical item."""
        found: Item | None = yield from self._asked(step, lambda: self.store.read(place), place.table)
        return found

    def read_many(self, step: str, places: Sequence[Place]) -> Flow[list[Item | None]]:
        """The physical items, in order."""
        if len(places) == 1:
            return [(yield from self.read(step, places[0]))]
        if not places:
            return []
        found: list[Item | None] = yield from self._asked(step, lambda: self.store.read_many(places), places[0].table)
        return found

    def swap(self, step: str, swap: Swap) -> Flow[Answer]:
        """Whether it was done. It is sent once: whoever may send it again calls again."""
        before, after = self._names(step)
        self._check_time()
        before()
        try:
            answer: Answer = yield from self.store.swap(swap)
        except Exception as failure:
            answer = self._lost(failure, swap.place.table)
        after()
        return answer

    def swap_many(self, step: str, swaps: Sequence[Swap]) -> Flow[list[Answer]]:
        """The answer to each, sent together where the store can."""
        if not self.store.bulk or len(swaps) < 2:
            answers: list[Answer] = []
            for number, swap in enumerate(swaps):
                answers += [(yield from self.swap(f"{step}_{number + 1}" if self.shared.at_step else step, swap))]
            return answers
        before, after = self._names(step)
        self._check_time()
        before()
        try:
            told: list[Answer] = yield from self.store.swap_many(swaps)
        except Exception as failure:
            told = [self._lost(failure, swaps[0].place.table)] * len(swaps)
        after()
        return told

    # ---- records ----

    def record_place(self, record_id: str) -> Place:
        """Where a record is."""
        return Place(RECORD_TABLE, {"id": record_id})

    def record(self, step: str, record_id: str) -> Flow[Record | None]:
        """The record of that id."""
        item = yield from self.read(step, self.record_place(record_id))
        return None if item is None else Record.from_item(item)

    def records(self, step: str, ids: Sequence[str]) -> Flow[dict[str, Record]]:
        """Those records that exist, by id."""
        items = yield from self.read_many(step, [self.record_place(record_id) for record_id in ids])
        return {record_id: Record.from_item(item) for record_id, item in zip(ids, items, strict=True) if item}

    def swap_record(self, step: str, old: Record | None, new: Record | None) -> Flow[Answer]:
        """Put one record in the place of another; ``None`` stands for no record."""
        record_id = (old or new).id  # type: ignore[union-attr]  # one of them is there
        expected = ABSENT if old is None else old.identity
        item = None if new is None else new.to_item()
        return (yield from self.swap(step, Swap(self.record_place(record_id), expected, item)))

    def scan_records(self, start: Item | None, limit: int) -> Flow[tuple[list[Item], Item | None]]:
        """Some records beyond ``start``, and where the next call starts."""
        found: tuple[list[Item], Item | None] = yield from self._asked(
            "scan_records", lambda: self.store.scan_records(RECORD_TABLE, start, limit), None
        )
        return found

    def ensure_records(self) -> Flow[None]:
        """Make sure that there is a table for records."""
        if not self.shared.records_made:
            yield from self._asked("create_records", lambda: self.store.create_records(RECORD_TABLE), None)
            self.shared.records_made = True

    # ---- tables ----

    def admitted(self, tables: Sequence[Table]) -> Flow[dict[str, Table]]:
        """The tables as they are stored, by name.

        :raises UnsupportedOperation: one is not fit for transactions
        """
        found: dict[str, Table] = {}
        for table in tables:
            if table.name not in found:
                found[table.name] = yield from self.store.admit(table)
        return found

    def place_of(self, name: str, key: ItemKey) -> Flow[Place | None]:
        """Where an item is that a record names; ``None`` if its table was dropped."""
        try:
            result: Result = yield Native(DescribeTable(evolve(self.context, deadline=self.deadline), name))
        except TableNotFound:
            return None
        return Place(result.table, key) if isinstance(result, TableResult) else None

    # ---- sending ----

    def _names(self, step: str) -> tuple[Callable[[], None], Callable[[], None]]:
        told = self.shared.at_step
        if told is None:
            return _nothing, _nothing
        return lambda: told(f"before_{step}"), lambda: told(f"after_{step}")

    def _check_time(self) -> None:
        if self.left() <= 0:
            raise DeadlineExceeded("the deadline passed and nothing was applied: allow a longer timeout")

    def _asked(self, step: str, plan: Callable[[], StorePlan[Any]], table: Table | None) -> Flow[Any]:
        """The answer to a request that may be sent any number of times."""
        before, after = self._names(step)
        for number in range(1, _SENDINGS + 1):
            self._check_time()
            before()
            try:
                answer = yield from plan()
            except Exception as failure:
                error = self._translated(failure, writes=False, table=table)
                if not error.retryable or isinstance(error, Conflict) or number == _SENDINGS:
                    raise error from failure
                if not (yield from self.wait(number, _RETRY_BASE, 0.5)):
                    raise error from failure
            else:
                after()
                return answer
        raise AssertionError("the last sending answers or raises")

    def _lost(self, failure: Exception, table: Table) -> Answer:
        """The answer of a swap that failed: nobody knows, unless the failure says that nothing was applied."""
        error = self._translated(failure, writes=True, table=table)
        if error.maybe_applied:
            return LOST
        raise error from failure

    def _translated(self, failure: Exception, *, writes: bool, table: Table | None) -> IsthmusError:
        if isinstance(failure, IsthmusError):
            return failure
        context = evolve(self.context, deadline=self.deadline)
        of = table or RECORD_TABLE
        operation = Put(context, of, {}) if writes else Get(context, of, {})
        known = self.shared.backend.translate_error(failure, operation)
        name = self.shared.backend.name
        return known or BackendError(
            f"{name} failed with {type(failure).__name__}: see the cause", maybe_applied=writes
        )


def _nothing() -> None:
    """What happens at a step where nobody looks."""
