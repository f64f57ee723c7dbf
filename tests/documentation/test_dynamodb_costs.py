"""What the page about DynamoDB says that calls cost, compared with what DynamoDB Local counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, evolve

from isthmus import BoundTable, F, Index
from isthmus_dynamodb.native import Json, Request
from plugins.dynamodb.tests.stored import Recorder, open_store
from tests.documentation.blocks import ROOT

Run = Callable[[BoundTable], object]
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})
SMALL = {"p": "small", "n": 1, "x": "y" * 100}
TEN = [{"p": "small", "n": number} for number in range(20, 30)]


@define
class Meter:
    """Counts the units that requests consume.

    :param units: those of reads, and those of writes
    """

    send: Callable[[Request, float | None], Json]
    units: tuple[float, float] = (0, 0)

    def measured(self, request: Request, deadline: float | None) -> Json:
        """Carry out a request and count."""
        if request.action not in _READS | _WRITES:
            return self.send(request, deadline)
        asking = {**request.parameters, "ReturnConsumedCapacity": "TOTAL"}
        answer = self.send(evolve(request, parameters=asking), deadline)
        found: Any = answer["ConsumedCapacity"]
        units = sum(one["CapacityUnits"] for one in (found if isinstance(found, list) else [found]))
        reads, writes = self.units
        self.units = (reads, writes + units) if request.action in _WRITES else (reads + units, writes)
        return answer


CALLS: dict[str, list[Run]] = {
    "`get`, `find`": [lambda table: table.get(p="small", n=1)],
    "`get` with `consistent=False`": [lambda table: table.get(p="small", n=1, consistent=False)],
    "`get_many` of 10 items": [lambda table: table.get_many([{"p": "large", "n": n} for n in range(10)])],
    "`query` of 10 items, 3 KB each": [lambda table: list(table.query(p="large"))],
    "the same with a filter that nothing fulfils": [lambda table: list(table.query(p="large").where(F.z == 1))],
    "its `count()`": [lambda table: table.query(p="large").count()],
    "`transact_get` of 1 item": [lambda table: table.database.transact_get([table.actions.get(p="small", n=1)])],
    "`create`, `put`, `update`, `delete`": [
        lambda table: table.create({**SMALL, "n": 2}),
        lambda table: table.put(SMALL),
        lambda table: table.update(p="small", n=1, set={"q": 1}),
        lambda table: table.delete(p="small", n=1),
    ],
    "`update` of 1 attribute in an item of 3 KB": [lambda table: table.update(p="large", n=1, set={"q": 1})],
    "`put` with an attribute of 1 index": [lambda table: table.put({**SMALL, "n": 3, "state": "open"})],
    "`put_many` of 10 items": [lambda table: table.put_many(TEN)],
    "`transact_write` of a `put` and a `check`": [
        lambda table: table.database.transact_write(
            [table.actions.put({**SMALL, "n": 4}), table.actions.check(p="small", n=1, when=F.x.exists())]
        )
    ],
}


def cost_table() -> dict[str, tuple[float, float]]:
    """Read and write units by call, as the page has them."""
    text = (ROOT / "docs" / "how-to" / "use-dynamodb.md").read_text("utf-8").partition("\n## What it costs\n")[2]
    rows = re.findall(r"^\| (.+?) \| ([\d.]*) ?\| ([\d.]*) ?\|$", text.partition("\n## ")[0], re.MULTILINE)
    return {call: (float(reads or 0), float(writes or 0)) for call, reads, writes in rows}


@pytest.fixture
def table(dynamodb_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[BoundTable, Meter]]:
    """A table with an index, a small item and ten of 3 KB, and what counts from then on."""
    with open_store(dynamodb_url) as store:
        table = store.database.table(
            "costs", partition_key="p", sort_key=("n", int), indexes=[Index("by-state", "state")]
        ).ensure()
        table.put_many([SMALL, *({"p": "large", "n": number, "x": "y" * 2900} for number in range(10))])
        meter = Meter(store.recorder.send)
        monkeypatch.setattr(Recorder, "send", lambda _self, *given: meter.measured(*given))
        monkeypatch.setattr(store.database._pipeline.backend, "_send", meter.measured)
        yield table, meter


@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_costs(name: str, table: tuple[BoundTable, Meter]) -> None:
    """The units that the engine counts are those of the page."""
    handle, meter = table
    for run in CALLS[name]:
        meter.units = (0, 0)
        run(handle)
        assert meter.units == cost_table()[name]


def test_each_row_is_measured() -> None:
    """No row is left out."""
    assert set(cost_table()) == set(CALLS)
