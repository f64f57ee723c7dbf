"""1, 4, 16 and 64 concurrent callers of Isthmus on each backend, sync and async."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from attrs import frozen

from tests.bench.measure import Measurement
from tests.bench.servers import figures, stores
from tests.bench.servers.processes import Start, started
from tests.bench.servers.rounds import Case, Found, Settings, measured, ratios

CALLERS = (1, 4, 16, 64)
OPERATIONS = ("get", "put")
MODES = {"sync": "isthmus_sync", "async": "isthmus_async"}
BAR = 0.9


def measure(settings: Settings) -> list[Measurement]:
    """One row for each backend, way to call and operation; all points go to the file of figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="isthmus-bench-")))
        urls = {
            "memory": "memory://",
            "SQLite": f"sqlite:///{folder}/{{mode}}.db",
            "DynamoDB": stack.enter_context(stores.dynamodb()).url,
            "MongoDB": stack.enter_context(stores.mongodb()).url,
        }
        starts = {
            f"{name} {mode}": Start(module, url.format(mode=mode))
            for name, url in urls.items()
            for mode, module in MODES.items()
        }
        processes = stack.enter_context(started(starts))
        cases = [Case(label, operation, callers) for label in starts for operation in OPERATIONS for callers in CALLERS]
        found = measured(processes, cases, settings)
    figures.save("scaling", figures.points(found, settings))
    return [row(label, operation, found) for label in starts for operation in OPERATIONS]


@frozen
class Point:
    """How a number of callers compares with the best of fewer callers, round by round."""

    callers: int
    best: int
    ratios: list[float]

    @property
    def ratio(self) -> float:
        """The median over the rounds."""
        return median(self.ratios)


def row(label: str, operation: str, found: Found) -> Measurement:
    """The worst point: its rate through the best rate that fewer callers reach."""
    rates = {callers: [1 / wall for wall in found[Case(label, operation, callers)].wall] for callers in CALLERS}
    worst = min(_points(rates), key=lambda point: point.ratio)
    return Measurement(
        f"{label} {operation}: {worst.callers} callers / {worst.best}",
        median(rates[worst.callers]),
        median(rates[worst.best]),
        worst.ratio,
        "items/s",
        len(worst.ratios),
        BAR,
        at_least=True,
        spread=(min(worst.ratios), max(worst.ratios)),
    )


def _points(rates: dict[int, list[float]]) -> Iterator[Point]:
    for position, callers in enumerate(CALLERS[1:], 1):
        best = max(CALLERS[:position], key=lambda fewer: median(rates[fewer]))
        yield Point(callers, best, ratios(rates[callers], rates[best]))
