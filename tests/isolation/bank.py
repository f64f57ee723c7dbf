"""A bank: money moves between accounts, and whoever looks at all of them at once always sees the same sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from isthmus import F
from isthmus.values import Item
from tests.isolation.clients import Client, Script
from tests.isolation.units import Writes, checked, has_units, unit
from tests.isolation.workload import Workload

ACCOUNTS = tuple(f"account-{number}" for number in range(6))
BALANCE = 20
LOOK = "look"


class Bank(Workload):
    """Transfers between two accounts, and looks at all."""

    name: ClassVar[str] = "bank"

    def prepare(self, database: Any) -> Script:
        for key in ACCOUNTS:
            yield self.table(database).put({"id": key, "balance": BALANCE})

    def act(self, database: Any, client: Client) -> Script:
        if client.chance.random() < 0.4:
            yield from self.look(database, client.number)
            return
        source, target = client.chance.sample(ACCOUNTS, 2)
        amount = client.chance.randint(1, 8)
        ways = [self._at_once, self._checked, self._unit]
        way = client.chance.choices(ways, [2, 1, 2 if has_units(database) else 0])[0]
        with self.history.call(client.number, f"{amount} from {source} to {target}") as call:
            call.answer = yield from way(database, source, target, amount)

    def look(self, database: Any, number: int = -1) -> Script:
        actions = self.table(database).actions
        with self.history.call(number, LOOK) as call:
            found = yield database.transact_get([actions.get(id=key) for key in ACCOUNTS])
            call.answer = [item["balance"] for item in found]

    def problems(self, *, strict: bool) -> list[str]:
        return [problem for call in self.history.done() if call.action == LOOK for problem in _wrong(call.answer, call)]

    def _at_once(self, database: Any, source: str, target: str, amount: int) -> Script:
        actions = self.table(database).actions
        yield database.transact_write([
            actions.update(id=source, add={"balance": -amount}, when=F.balance >= amount),
            actions.update(id=target, add={"balance": amount}),
        ])  # fmt: skip

    def _checked(self, database: Any, source: str, target: str, amount: int) -> Script:
        def unchanged(item: Item) -> Any:
            return F.balance == item["balance"]

        yield from checked(database, self.table(database), [source, target], _moved(source, target, amount), unchanged)

    def _unit(self, database: Any, source: str, target: str, amount: int) -> Script:
        yield from unit(database, self.table(database), [source, target], _moved(source, target, amount))


def _moved(source: str, target: str, amount: int) -> Any:
    """Decides the new balances: nothing moves where there is too little."""

    def decide(found: Mapping[str, Item]) -> Writes:
        left: Any = found[source]["balance"]
        held: Any = found[target]["balance"]
        if left < amount:
            return []
        new = {source: left - amount, target: held + amount}
        return [("update", {"id": key, "set": {"balance": balance}}) for key, balance in new.items()]

    return decide


def _wrong(balances: list[int], call: Any) -> list[str]:
    total = BALANCE * len(ACCOUNTS)
    found = [] if sum(balances) == total else [f"the sum is {sum(balances)}, not {total}: {call}"]
    return found if min(balances) >= 0 else [*found, f"a balance is below zero: {call}"]
