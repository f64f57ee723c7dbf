"""Faults on demand: a store that is busy, in the way, silent before the work or silent after it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self, TypedDict, Unpack

from attrs import define, field

from isthmus import operations as op
from isthmus.backends import Backend
from isthmus.errors import Conflict, IsthmusError, Throttled, Unavailable
from isthmus.operations import ITEM_OPERATIONS, Operation
from isthmus.schema import Table
from isthmus_conformance.faults import HEALTHY, Fault, FaultyBackend

KINDS = {kind.kind: kind for kind in ITEM_OPERATIONS if kind is not op.Resolve}
READS = frozenset(name for name, kind in KINDS.items() if not kind.writes)
WRITES = frozenset(KINDS) - READS
_GROUPS = {"reads": READS, "writes": WRITES}


class Options(TypedDict, total=False):
    """Which attempts are hit; :meth:`Faults.inject` tells what each means."""

    table: Any
    times: int | None
    probability: float
    seed: int


@define(eq=False)
class Injected:
    """One fault that was asked for. Leave its ``with`` block, or call ``stop``, and it is gone.

    :param left: how many attempts it will still hit; ``None`` for no end
    :param hits: how many it has hit
    """

    kinds: frozenset[str]
    tables: frozenset[str]
    left: int | None
    probability: float
    _fault: Callable[[Operation], Fault] = field(alias="fault", repr=False)
    _chance: random.Random = field(alias="chance", repr=False)
    hits: int = 0
    active: bool = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Hit nothing from now on."""
        self.active = False

    def take(self, operation: Operation, tables: Iterable[str]) -> Fault | None:
        """What happens to this attempt, if anything."""
        if not self.active or operation.kind not in self.kinds or self.left == 0:
            return None
        if self.tables and self.tables.isdisjoint(tables):
            return None
        if self.probability < 1.0 and self._chance.random() >= self.probability:
            return None
        self.hits += 1
        self.left = None if self.left is None else self.left - 1
        return self._fault(operation)


class Faults:
    """The faults of one test, for the sync and the async database alike.

    They hit attempts beneath the retries of Isthmus, so that a program meets what it would meet in production. Each
    method takes the kinds of operations that are hit: ``"get"``, ``"put"``, ``"transact_write"`` and so on, ``"reads"``
    or ``"writes"``; without any, all of them.

    :param prefix: what the stored names of the test's tables begin with
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.attempts: list[str] = []
        """The kind of each operation on items that reached the store, in order, also of those that were hit."""
        self._injected: list[Injected] = []
        self._lock = threading.Lock()

    def throttle(self, *kinds: str, **options: Unpack[Options]) -> Injected:
        """The store refuses because of load; nothing is applied.

        :param options: those of :meth:`inject`
        """
        return self.inject(*kinds, error=lambda _: Throttled("the store is busy: a fault of this test"), **options)

    def conflict(self, *kinds: str, **options: Unpack[Options]) -> Injected:
        """Another writer was in the way; nothing is applied. Writes alone are hit where no kinds are given."""
        return self.inject(
            *(kinds or ("writes",)), error=lambda _: Conflict("in the way: a fault of this test"), **options
        )

    def timeout_before(self, *kinds: str, **options: Unpack[Options]) -> Injected:
        """No answer comes, and nothing was applied, which the program can't know."""
        return self.inject(*kinds, error=_silence, **options)

    def timeout_after(self, *kinds: str, **options: Unpack[Options]) -> Injected:
        """The work is done and its answer is lost, which the program can't know."""
        return self.inject(*kinds, error=_silence, applied=True, **options)

    def inject(
        self,
        *kinds: str,
        error: Callable[[Operation], Exception],
        applied: bool = False,
        table: str | Any | None = None,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 0,
    ) -> Injected:
        """Let attempts fail with an error of your own.

        :param error: makes the error for an operation
        :param applied: whether the store does the work before
        :param table: only operations on this table: its name, its declaration or a bound table
        :param times: how many attempts are hit; ``None`` for no end
        :param probability: of each attempt that fits to be hit, 0 to 1; with less than 1, ``times`` may be ``None``
        :param seed: makes the choice the same in each run
        :raises ValueError: there is no such kind, or a number is out of range
        """
        if not 0.0 <= probability <= 1.0 or (times is not None and times < 1):
            raise ValueError("times is a positive number or None, and probability is from 0 to 1")
        injected = Injected(
            _kinds(kinds),
            frozenset(() if table is None else (_name(table),)),
            times,
            probability,
            fault=lambda operation: Fault(error(operation), applied=applied),
            chance=random.Random(seed),
        )
        with self._lock:
            self._injected.append(injected)
        return injected

    def clear(self) -> None:
        """End all faults and forget the attempts."""
        with self._lock:
            self._injected.clear()
            self.attempts.clear()

    def next(self, operation: Operation) -> Fault:
        """What happens to an attempt: the first fault that fits."""
        if operation.kind not in KINDS:
            return HEALTHY
        tables = [name.removeprefix(self.prefix) for name in operation.table_names]
        with self._lock:
            self.attempts.append(operation.kind)
            found = (injected.take(operation, tables) for injected in self._injected)
            return next((fault for fault in found if fault is not None), HEALTHY)


class InjectingBackend(FaultyBackend):
    """The backend of a test: another one with the test's faults in front, under the other one's name."""

    def __init__(self, inner: Backend, faults: Faults, *, closes: bool = False) -> None:
        super().__init__(inner, identifying=True)
        self.name = inner.name  # type: ignore[misc]  # of this object: it stands for any backend
        self.blocking = inner.blocking  # type: ignore[misc]  # as above
        self.clock = inner.clock
        self._faults = faults
        self._closes = closes

    def explain(self, operation: Operation) -> Any:
        return self.inner.explain(operation)

    def close(self) -> None:
        if self._closes:
            self.inner.close()

    async def aclose(self) -> None:
        if self._closes:
            await self.inner.aclose()

    def _next(self, operation: Operation) -> Fault:
        return self._faults.next(operation)


def _silence(operation: Operation) -> IsthmusError:
    return Unavailable("no answer came: a fault of this test", maybe_applied=operation.writes)


def _kinds(given: tuple[str, ...]) -> frozenset[str]:
    found: set[str] = set()
    for name in given or ("reads", "writes"):
        if name not in _GROUPS and name not in KINDS:
            raise ValueError(f"no operation {name!r}: use {', '.join([*_GROUPS, *sorted(KINDS)])}")
        found |= _GROUPS.get(name, {name})
    return frozenset(found)


def _name(table: Any) -> str:
    if isinstance(table, str):
        return table
    name: str = table.name if isinstance(table, Table) else table.schema.name
    return name
