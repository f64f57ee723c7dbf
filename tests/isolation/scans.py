"""Pages beside transactions: each item on them is whole and committed, and none that was acknowledged is missing."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from attrs import frozen

from isthmus import Capability, Key, Table
from tests.isolation.clients import Client, Script
from tests.isolation.history import Call
from tests.isolation.workload import Workload

PARTITION = "p"


@frozen
class Made:
    """Items that one transaction makes, or gives a new stamp."""

    keys: tuple[int, ...]
    stamp: int


class Scans(Workload):
    """Transactions make items two by two and stamp them anew, while others query and scan them."""

    name: ClassVar[str] = "scans"
    needs: ClassVar[tuple[Capability, ...]] = (Capability.TRANSACT_WRITE, Capability.SCAN)

    def __init__(self) -> None:
        super().__init__()
        self.schema = Table(self.schema.name, "id", Key("number", "number"))
        self._numbers = itertools.count(1)
        self._made: list[tuple[int, ...]] = []

    def prepare(self, database: Any) -> Script:
        yield from self._make(database, -1)

    def act(self, database: Any, client: Client) -> Script:
        way = client.chance.choices([self._make, self._stamp, self._page], [2, 3, 4])[0]
        yield from way(database, client.number)

    def look(self, database: Any) -> Script:
        yield from self._page(database, -1)

    def problems(self, *, strict: bool) -> list[str]:
        writes = [call for call in self.history.calls if isinstance(call.action, Made)]
        pages = [call for call in self.history.done() if not isinstance(call.action, Made)]
        return [problem for page in pages for problem in _wrong(page, writes)]

    def _make(self, database: Any, number: int) -> Script:
        keys, stamp = (next(self._numbers), next(self._numbers)), next(self._numbers)
        actions = self.table(database).actions
        with self.history.call(number, Made(keys, stamp)) as call:
            yield database.transact_write([actions.create(_item(key, stamp)) for key in keys])
        if call.outcome == "done":
            self._made.append(keys)

    def _stamp(self, database: Any, number: int) -> Script:
        keys, stamp = self._made[-1 - number % min(3, len(self._made))], next(self._numbers)
        actions = self.table(database).actions
        changes = {"first": stamp, "second": stamp}
        with self.history.call(number, Made(keys, stamp)):
            yield database.transact_write([actions.update(id=PARTITION, number=key, set=changes) for key in keys])

    def _page(self, database: Any, number: int) -> Script:
        table = self.table(database)
        chosen, name = (table.query(id=PARTITION), "query") if number % 2 else (table.scan(), "scan")
        with self.history.call(number, name) as call:
            page = yield chosen.page(size=1000)
            call.answer = list(page.items)


def _item(key: int, stamp: int) -> dict[str, Any]:
    return {"id": PARTITION, "number": key, "first": stamp, "second": stamp}


def _wrong(page: Call, writes: list[Call]) -> list[str]:
    """What a page shows that it must not."""
    found = {item["number"]: item for item in page.answer}
    failed = {(key, write.action.stamp) for write in writes if write.outcome == "failed" for key in write.action.keys}
    known = {(key, write.action.stamp) for write in writes for key in write.action.keys}
    torn = [key for key, item in found.items() if item["first"] != item["second"]]
    wrong = [key for key, item in found.items() if (key, item["first"]) in failed or (key, item["first"]) not in known]
    before = [write for write in writes if write.outcome == "done" and (write.ended or 0) < page.begun]
    lost = [key for write in before for key in write.action.keys if key not in found]
    kinds = {
        "shows a torn item": torn, "shows an item that was not committed": wrong,
        "misses an item that was acknowledged before": lost,
    }  # fmt: skip
    return [f"a {page.action} {kind}: number {keys[0]}" for kind, keys in kinds.items() if keys]
