"""Doctors on duty, by twos: each may leave while the other is there, so that never both are gone (write skew)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from isthmus import F
from isthmus.values import Item
from tests.isolation.clients import Client, Script
from tests.isolation.units import Writes, checked, has_units, unit
from tests.isolation.workload import Workload

PAIRS = (("ann", "bob"), ("cid", "dan"))
LOOK = "look"


class Duty(Workload):
    """Doctors leave if the other one of their pair is there, and come back whenever they like."""

    name: ClassVar[str] = "duty"

    def prepare(self, database: Any) -> Script:
        for key in [key for pair in PAIRS for key in pair]:
            yield self.table(database).put({"id": key, "there": True})

    def act(self, database: Any, client: Client) -> Script:
        one, other = client.chance.sample(client.chance.choice(PAIRS), 2)
        kind = client.chance.choices(["leave", "come", LOOK], [6, 2, 2])[0]
        if kind == LOOK:
            yield from self._look(database, client.number, (one, other))
            return
        with self.history.call(client.number, f"{kind} {one}") as call:
            if kind == "come":
                yield self.table(database).update(id=one, set={"there": True})
            elif has_units(database) and client.chance.random() < 0.5:
                found = yield from unit(database, self.table(database), [one, other], _leave(one, other))
                call.answer = [item["there"] for item in found.values()]
            else:
                call.answer = yield from self._checked(database, one, other)

    def look(self, database: Any) -> Script:
        for pair in PAIRS:
            yield from self._look(database, -1, pair)

    def problems(self, *, strict: bool) -> list[str]:
        return [f"both are gone: {call}" for call in self.history.done() if call.answer == [False, False]]

    def _look(self, database: Any, number: int, pair: tuple[str, ...]) -> Script:
        actions = self.table(database).actions
        with self.history.call(number, (LOOK, *pair)) as call:
            found = yield database.transact_get([actions.get(id=key) for key in pair])
            call.answer = [item["there"] for item in found]

    def _checked(self, database: Any, one: str, other: str) -> Script:
        def unchanged(item: Item) -> Any:
            return F.there == item["there"]

        found = yield from checked(database, self.table(database), [one, other], _leave(one, other), unchanged)
        return [item["there"] for item in found.values()]


def _leave(one: str, other: str) -> Any:
    """Decides that one leaves, if both are there."""

    def decide(found: Mapping[str, Item]) -> Writes:
        both = found[one]["there"] and found[other]["there"]
        return [("update", {"id": one, "set": {"there": False}})] if both else []

    return decide
