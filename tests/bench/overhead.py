"""What the pipeline costs above a direct call of the backend."""

from __future__ import annotations

from typing import ClassVar

import isthmus
from isthmus import Flow, Layer, Plugin, Stage, hookimpl
from isthmus.observing import Outcome
from isthmus.operations import Context, Get, Operation
from tests.bench.measure import Measurement, overhead, paired, timed

CALLS = 20_000
STAGES = (Stage.AUDIT, Stage.AUTHORIZE, Stage.REWRITE, Stage.SEAL, Stage.CACHE)


class PassThrough(Layer):
    """A layer that changes nothing."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage  # type: ignore[misc]  # one class serves five stages here
        self.name = f"pass-{stage.name.lower()}"

    def flow(self, operation: Operation) -> Flow:
        """Hand on."""
        return (yield operation)


class FiveLayers(Plugin):
    """Contributes five layers."""

    name: ClassVar[str] = "five-layers"

    @hookimpl
    def isthmus_layers(self, database: object) -> list[Layer]:
        """The layers."""
        return [PassThrough(stage) for stage in STAGES]


class First(Plugin):
    """Counts outcomes."""

    name: ClassVar[str] = "first"
    seen = 0

    @hookimpl
    def isthmus_operation_completed(self, outcome: Outcome) -> None:
        """Count."""
        self.seen += 1


class Second(First):
    """Counts them too."""

    name: ClassVar[str] = "second"


def measure() -> list[Measurement]:
    """The overhead of one ``get``, bare and with a full stack."""
    return [
        _overhead("get, empty stack, above the direct call", (), 3.0),
        _overhead(
            "get, 5 layers and 2 observers, above the direct call",
            (FiveLayers, First, Second),
            10.0,
        ),
    ]


def _overhead(name: str, plugins: tuple[type[Plugin], ...], bar: float) -> Measurement:
    with isthmus.connect("memory://", plugins=plugins) as database:
        table = database.table("cities", partition_key="country", sort_key="id").ensure()
        table.put({"country": "FR", "id": "75", "name": "Paris", "population": 2_102_650})
        operation = Get(Context(), table.schema, {"country": "FR", "id": "75"})
        execute = database.backend.execute
        ours = timed(lambda: table.get(country="FR", id="75"), CALLS)
        return overhead(name, paired(ours, timed(lambda: execute(operation), CALLS)), bar)
