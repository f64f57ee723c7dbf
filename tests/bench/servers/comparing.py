"""Isthmus and its peers on one server: what is measured, and the bars of the project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from attrs import field, frozen

from tests.bench.measure import Measurement, compared, rate
from tests.bench.servers import figures, stores
from tests.bench.servers.processes import Process, Start, started
from tests.bench.servers.rounds import Case, Found, Settings, measured
from tests.bench.servers.work import OPERATIONS

MANY, MOST = 16, 64
OURS, OURS_ASYNC = "Isthmus", "Isthmus async"


@frozen
class Bar:
    """A promise: ours against a reference.

    :param what: what is compared; of a rate the ratio must reach the bar, of the others stay below it
    """

    ours: str
    reference: str
    operation: str
    bound: float
    what: Literal["cpu", "wall", "rate"] = "cpu"
    callers: tuple[int, int] = (1, 1)


@frozen
class Comparison:
    """The peers of one engine.

    :param modules: the module of each peer by its label; the first two are ours
    :param reference: the label of the peer that the table compares all others with
    """

    engine: str
    open: Any
    modules: dict[str, str]
    reference: str
    bars: list[Bar] = field(factory=list)

    def measure(self, settings: Settings) -> list[Measurement]:
        """The rows of the report; all figures go to the file of figures."""
        store: AbstractContextManager[stores.Store] = self.open()
        with store as running, started(self._starts(running)) as processes:
            found = measured(processes, _cases(processes), settings)
        figures.save(self.engine, figures.comparison(found, self.reference, settings))
        return [row(self.engine, bar, found) for bar in self.bars]

    def _starts(self, store: stores.Store) -> dict[str, Start]:
        return {
            label: Start(module, store.url if module.startswith("isthmus") else store.target)
            for label, module in self.modules.items()
        }


def _cases(processes: dict[str, Process]) -> Iterator[Case]:
    for label, process in processes.items():
        for operation in process.operations:
            yield Case(label, operation, 1)
            # 16 batches of 1,000 at once measure the server, and take long.
            if operation != "batch":
                yield Case(label, operation, MANY)
        yield Case(label, "get", MOST)


def row(engine: str, bar: Bar, found: Found) -> Measurement:
    """What was found for one bar."""
    own = found[Case(bar.ours, bar.operation, bar.callers[0])]
    reference = found[Case(bar.reference, bar.operation, bar.callers[1])]
    callers = "" if bar.callers == (1, 1) else f" ({bar.callers[0]} callers, {bar.callers[1]})"
    name = f"{engine} {bar.operation}, {bar.what}: {bar.ours} / {bar.reference}{callers}"
    if bar.what == "rate":
        return rate(name, list(zip(own.wall, reference.wall, strict=True)), 1, bar.bound)
    times = zip(getattr(own, bar.what), getattr(reference, bar.what), strict=True)
    return compared(name, list(times), bar.bound, unit="µs", scale=1e6)


def _bars(ours: str, reference: str, bound: float, operations: Sequence[str] = OPERATIONS) -> list[Bar]:
    return [Bar(ours, reference, operation, bound) for operation in operations]


BOTO, AIODYNAMO = "boto3 client", "aiodynamo + aiohttp"
DYNAMODB = Comparison(
    "DynamoDB",
    stores.dynamodb,
    {
        OURS: "isthmus_sync",
        OURS_ASYNC: "isthmus_async",
        BOTO: "boto_client",
        "boto3 resource": "boto_resource",
        "PynamoDB": "pynamo",
        AIODYNAMO: "aiodynamo_aiohttp",
    },
    reference=BOTO,
    bars=[
        *_bars(OURS, BOTO, 0.25, ["get", "put", "query", "batch"]),
        *_bars(OURS, BOTO, 0.35, ["transaction"]),
        *_bars(OURS_ASYNC, BOTO, 0.20, ["get"]),
        *_bars(OURS, AIODYNAMO, 1.0),
        *_bars(OURS_ASYNC, AIODYNAMO, 1.0),
        Bar(OURS, BOTO, "get", 0.30, "wall"),
        Bar(OURS_ASYNC, BOTO, "get", 5.0, "rate", (MOST, MANY)),
    ],
)

PYMONGO, PYMONGO_ASYNC, MONGOENGINE, BEANIE = "PyMongo", "PyMongo async", "MongoEngine", "Beanie"
MONGODB = Comparison(
    "MongoDB",
    stores.mongodb,
    {
        OURS: "isthmus_sync",
        OURS_ASYNC: "isthmus_async",
        PYMONGO: "pymongo_sync",
        PYMONGO_ASYNC: "pymongo_async",
        MONGOENGINE: "mongoengine_orders",
        BEANIE: "beanie_orders",
    },
    reference=PYMONGO,
    bars=[
        *_bars(OURS, PYMONGO, 1.10, ["get", "put", "update"]),
        *_bars(OURS, PYMONGO, 1.25, ["query", "batch"]),
        *_bars(OURS_ASYNC, PYMONGO_ASYNC, 1.10, ["get", "put", "update", "query", "batch"]),
        *_bars(OURS, MONGOENGINE, 0.5, ["get", "put", "update", "query", "batch"]),
        *_bars(OURS_ASYNC, BEANIE, 0.5),
    ],
)
