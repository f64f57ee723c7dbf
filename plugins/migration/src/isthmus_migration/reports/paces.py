"""How fast the phases were, from the events of a work directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import define, field, frozen

_MOST_POINTS: Final = 600


@frozen
class Pace:
    """How long a phase was at work, in all runs together.

    :param items: items that it read in this time
    """

    phase: str
    runs: int
    seconds: float
    items: int

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The pace as JSON-ready data."""
        return {
            "phase": self.phase, "runs": self.runs, "seconds": round(self.seconds, 3), "items": self.items,
            "items_per_second": round(self.rate, 1),
        }  # fmt: skip


@frozen
class Point:
    """A rate at one time.

    :param time: seconds at work until then, in all runs and phases: nights between runs are left out
    :param joined: whether a line leads here from the point before, which is of the same run and phase
    """

    time: float
    rate: float
    joined: bool


@define
class _Course:
    runs: int = 0
    seconds: float = 0.0
    items: int = 0
    begun: float = 0.0
    first: int | None = None


@define
class Course:
    """Reads events in order; one that a killed process never wrote ends its phase at the last one that it wrote."""

    _phases: dict[str, _Course] = field(factory=dict, init=False)
    _points: list[Point] = field(factory=list, init=False)
    _phase: str | None = field(default=None, init=False)
    _time: float = field(default=0.0, init=False)
    _worked: float = field(default=0.0, init=False)
    _last: tuple[float, int] | None = field(default=None, init=False)
    _joined: bool = field(default=False, init=False)

    @classmethod
    def of(cls, events: Iterable[dict[str, Any]]) -> Course:
        """The course that events tell of."""
        course = cls()
        for event in events:
            course._take(event)
        course._end()
        return course

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "phase":
            self._end()
            self._phase = event["phase"]
            phase = self._phases.setdefault(event["phase"], _Course())
            phase.runs, phase.begun, phase.first = phase.runs + 1, event["time"], None
            self._last, self._joined = None, False
        self._time = event["time"]
        if event["event"] == "progress" and event["phase"] == self._phase:
            self._progress(self._phases[event["phase"]], event)
        elif event["event"] == "ended":
            self._end()

    def _progress(self, phase: _Course, event: dict[str, Any]) -> None:
        now, items = event["time"], event["items"]
        if phase.first is None:
            phase.first, phase.begun = items, min(phase.begun, now)
        if self._last is not None and now > self._last[0]:
            then, before = self._last
            worked = self._worked + now - phase.begun
            self._points.append(Point(worked, (items - before) / (now - then), self._joined))
            self._joined = True
        self._last = (now, items)

    def _end(self) -> None:
        if self._phase is not None:
            phase = self._phases[self._phase]
            seconds = max(0.0, self._time - phase.begun)
            phase.seconds += seconds
            self._worked += seconds
            phase.items += 0 if self._last is None or phase.first is None else self._last[1] - phase.first
        self._phase = None

    @property
    def paces(self) -> list[Pace]:
        """The pace of each phase, in the order in which they began."""
        return [Pace(name, one.runs, one.seconds, one.items) for name, one in self._phases.items()]

    @property
    def points(self) -> list[Point]:
        """Rates over time; neighbours are averaged where there are many."""
        step = -(-len(self._points) // _MOST_POINTS) or 1
        return [_average(self._points[start : start + step]) for start in range(0, len(self._points), step)]


def _average(points: list[Point]) -> Point:
    return Point(points[-1].time, sum(one.rate for one in points) / len(points), points[0].joined)
