"""Append-only lists: single appends and reads, and transactions of several, with and without reads before."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

from isthmus import F
from isthmus.values import Item
from tests.isolation.clients import Client, Script
from tests.isolation.cycles import anomalies
from tests.isolation.dependencies import Append, Read, Transaction
from tests.isolation.units import Writes, checked, has_units, unit
from tests.isolation.workload import Workload

KEYS = tuple("abcdef")


class Lists(Workload):
    """Each client reads some lists and appends to some, in all ways that there are."""

    name: ClassVar[str] = "lists"

    def __init__(self) -> None:
        super().__init__()
        self._elements = itertools.count(1)

    def prepare(self, database: Any) -> Script:
        for key in KEYS:
            yield self.table(database).put({"id": key, "list": []})

    def act(self, database: Any, client: Client) -> Script:
        ways = [self._append_one, self._append_several, self._read_one, self._read_several, self._checked, self._unit]
        way = client.chance.choices(ways, [1, 3, 1, 4, 4, 4 if has_units(database) else 0])[0]
        keys = client.chance.sample(KEYS, client.chance.randint(2, 3))
        yield from way(database, client, keys)

    def look(self, database: Any) -> Script:
        yield from self._read_several(database, None, KEYS)

    def problems(self, *, strict: bool) -> list[str]:
        return [str(anomaly) for anomaly in anomalies(self.transactions(), strict=strict)]

    def transactions(self) -> list[Transaction]:
        """The history as the checker wants it."""
        return [
            Transaction(call.client, _with_answers(call.action, call.answer), call.begun, call.ended, call.outcome)
            for call in self.history.calls
        ]

    def _call(self, client: Client | None, reads: Any = (), appends: Mapping[str, int] | None = None) -> Any:
        steps = (*map(Read, reads), *(Append(key, element) for key, element in (appends or {}).items()))
        return self.history.call(-1 if client is None else client.number, steps)

    def _append_one(self, database: Any, client: Client, keys: list[str]) -> Script:
        element = next(self._elements)
        with self._call(client, appends={keys[0]: element}):
            yield self.table(database).update(id=keys[0], append={"list": [element]})

    def _append_several(self, database: Any, client: Client, keys: list[str]) -> Script:
        new = {key: next(self._elements) for key in keys}
        actions = self.table(database).actions
        with self._call(client, appends=new):
            yield database.transact_write([actions.update(**arguments) for _, arguments in _appends(new)])

    def _read_one(self, database: Any, client: Client, keys: list[str]) -> Script:
        with self._call(client, keys[:1]) as call:
            call.answer = {keys[0]: (yield self.table(database).get(id=keys[0]))}

    def _read_several(self, database: Any, client: Client | None, keys: Any) -> Script:
        actions = self.table(database).actions
        with self._call(client, keys) as call:
            found = yield database.transact_get([actions.get(id=key) for key in keys])
            call.answer = dict(zip(keys, found, strict=True))

    def _checked(self, database: Any, client: Client, keys: list[str]) -> Script:
        new = {keys[0]: next(self._elements)}
        with self._call(client, keys, new) as call:
            table = self.table(database)
            call.answer = yield from checked(
                database, table, keys, lambda _found: _appends(new), lambda item: F["list"] == item["list"]
            )

    def _unit(self, database: Any, client: Client, keys: list[str]) -> Script:
        new = {keys[0]: next(self._elements)}
        with self._call(client, keys, new) as call:
            call.answer = yield from unit(database, self.table(database), keys, lambda _found: _appends(new))


def _appends(new: Mapping[str, int]) -> Writes:
    return [("update", {"id": key, "append": {"list": [element]}}) for key, element in new.items()]


def _with_answers(steps: tuple[Append | Read, ...], answer: Mapping[str, Item] | None) -> tuple[Append | Read, ...]:
    if answer is None:
        return steps
    return tuple(Read(step.key, tuple(answer[step.key]["list"])) if isinstance(step, Read) else step for step in steps)  # type: ignore[arg-type]
