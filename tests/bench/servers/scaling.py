"""1, 4, 16 and 64 concurrent callers of Isthmus on each backend, sync and async."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

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
    figures.save("scaling", figures.points(found))
    return [_row(label, operation, found) for label in starts for operation in OPERATIONS]


def _row(label: str, operation: str, found: Found) -> Measurement:
    """The worst point: its rate through the best rate that fewer callers reach, within rounds."""
    rates = {callers: [1 / wall for wall in found[Case(label, operation, callers)].wall] for callers in CALLERS}
    worst: tuple[float, int, int, list[float]] | None = None
    for position, callers in enumerate(CALLERS[1:], 1):
        best = max(CALLERS[:position], key=lambda fewer: median(rates[fewer]))
        against = ratios(rates[callers], rates[best])
        if worst is None or median(against) < worst[0]:
            worst = (median(against), callers, best, against)
    assert worst is not None
    middle, callers, best, against = worst
    return Measurement(
        f"{label} {operation}: {callers} callers / {best}",
        median(rates[callers]),
        median(rates[best]),
        middle,
        "items/s",
        len(against),
        BAR,
        at_least=True,
        spread=(min(against), max(against)),
    )
