"""How far a phase has come, how fast it is, and when it may end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Self

from attrs import asdict, define, field, frozen

from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.plan import Plan

WINDOW: Final = 60.0
"""Seconds that a rate is measured over: what was long ago says little about the rest."""
_NEVER_WHOLE: Final = 99.9


@frozen
class Figures:
    """How far a phase has come at one moment.

    :param percent: 0 to 100; 100 only where all units are done
    :param items: items read so far, in all runs
    :param total: about how many items there are; ``None`` where only reading tells
    :param rate: items a second in the last minute of this run; ``None`` before the first slice
    :param size_rate: bytes of items a second, likewise
    :param seconds_left: about how long the rest takes; ``None`` where that can't be said
    :param units: units of the phase
    :param units_done: those that are finished
    :param active: slices in flight
    :param throttled: share of requests that the store turned away for a moment, 0 to 1
    :param dead: items that became dead letters
    :param waiting: what the run waits for: ``paused``, ``stopping``, or the reason why a place can't be used; empty
        where it is at work
    """

    phase: str
    percent: float
    items: int
    total: int | None
    rate: float | None
    size_rate: float | None
    seconds_left: float | None
    units: int
    units_done: int
    active: int
    throttled: float
    dead: int
    workers: int
    waiting: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The figures that ``to_dict`` described."""
        return cls(**{name: data[name] for name in cls.__annotations__ if name in data})


@define
class _UnitProgress:
    weight: float
    expected: float | None
    read: int
    finished: bool

    @property
    def share(self) -> float:
        """How much of the unit is done, about."""
        if self.finished:
            return 1.0
        return min(1.0, self.read / self.expected) if self.expected else 0.0


@define
class Progress:
    """The progress of one phase; what happens is told to it, figures are asked of it."""

    phase: str
    workers: int
    total: int | None
    _units: dict[str, _UnitProgress]
    _counted: dict[str, int]
    _done: float = field(init=False)
    _whole: float = field(init=False)
    _finished: int = field(init=False)
    _active: int = field(default=0, init=False)
    _waiting: str = field(default="", init=False)
    _told: str = field(default="", init=False)
    _window: deque[tuple[float, int, int, float]] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self._whole = sum(unit.weight for unit in self._units.values()) or 1.0
        self._done = sum(unit.weight * unit.share for unit in self._units.values())
        self._finished = sum(unit.finished for unit in self._units.values())
        self._note(time.monotonic())

    @classmethod
    def of(cls, journal: Journal, plan: Plan, phase: str, workers: int = 0) -> Progress:
        """Where the journal says that a phase stands."""
        rows = journal.rows("SELECT id, source_table, finished, read FROM unit WHERE phase = ?", (phase,))
        tables = [table for _id, table, _finished, _read in rows]
        # Other phases read something else than the source's tables, or only parts of them.
        expected = {table.source.name: table.items for table in plan.tables if phase == "copy"}
        known = all(expected.get(table) is not None for table in tables)
        units: dict[str, _UnitProgress] = {}
        each = {table: (expected.get(table) or 0) / tables.count(table) for table in set(tables)}
        for name, table, finished, read in rows:
            share = each[table] if known else None
            units[name] = _UnitProgress(max(share, 1.0) if share is not None else 1.0, share, read, bool(finished))
        total = sum(expected[table] or 0 for table in set(tables)) if known else None
        counts = journal.counts(phase)
        counted = {"read": counts.read, "written": counts.written, "size": counts.size, "dead": counts.dead,
                   "throttled": counts.throttled}  # fmt: skip
        return cls(phase, workers, total, units, counted)

    def slice_done(self, data: Mapping[str, Any], now: float | None = None) -> None:
        """Learn of a journaled slice, by the data of its event."""
        unit = self._units[data["unit"]]
        before = unit.weight * unit.share
        unit.read += data["read"]
        self._finished += data["finished"] and not unit.finished
        unit.finished = data["finished"]
        self._done += unit.weight * unit.share - before
        for name in self._counted:
            self._counted[name] += data[name]
        self._waiting = ""
        self._note(time.monotonic() if now is None else now)

    def at_work(self, active: int) -> None:
        """Learn how many slices are in flight."""
        self._active = active

    def waits(self, reason: str) -> None:
        """Learn that the run waits for something, until the next slice is journaled."""
        self._waiting = reason

    def told(self, command: str) -> None:
        """Learn that the run was told to pause or to stop, or with an empty text that it goes on."""
        self._told = command

    def _note(self, now: float) -> None:
        self._window.append((now, self._counted["read"], self._counted["size"], self._done))

    def figures(self, now: float | None = None) -> Figures:
        """How far it has come."""
        now = time.monotonic() if now is None else now
        while len(self._window) > 1 and self._window[1][0] < now - WINDOW:
            self._window.popleft()
        rates = self._rates(now)
        items, size, share = rates or (None, None, None)
        left = (self._whole - self._done) / share if share else None
        counted, tried = self._counted, self._counted["written"] + self._counted["throttled"]
        return Figures(
            self.phase, self._percent, counted["read"], self.total, items, size, left, len(self._units),
            self._finished, self._active, counted["throttled"] / tried if tried else 0.0, counted["dead"], self.workers,
            self._told or self._waiting,
        )  # fmt: skip

    @property
    def _percent(self) -> float:
        if self._finished == len(self._units):
            return 100.0
        return min(_NEVER_WHOLE, round(100 * self._done / self._whole, 1))

    def _rates(self, now: float) -> tuple[float, float, float] | None:
        begun, items, size, done = self._window[0]
        seconds = now - begun
        if len(self._window) < 2 or seconds <= 0:
            return None
        return (
            (self._counted["read"] - items) / seconds, (self._counted["size"] - size) / seconds,
            (self._done - done) / seconds,
        )  # fmt: skip
