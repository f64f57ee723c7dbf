"""Clients of one store, each as in a process of its own, which tests stop at any step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from attrs import define, field

from core.tests.fallback.keyvalue import KeyValueBackend
from isthmus import BoundTable, Database, F, Index, connect
from isthmus.errors import ConditionFailed
from isthmus.fallback.backend import FallbackBackend
from isthmus.fallback.store import LOCK, REV, Place
from isthmus.values import Item

START = 4_000_000_000
RECORDS = "isthmus_transactions"


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the client runs after it."""


@define
class Ticking:
    """A monotonic clock that goes on by itself, each time that it is read."""

    step: float = 1.0
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@define
class Wall:
    """Seconds since the epoch, which stand still."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@define(eq=False)
class Bank:
    """A store with accounts, and its clients."""

    wall: Wall = field(factory=Wall)
    requests: Counter[str] = field(factory=Counter)
    store: KeyValueBackend = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = KeyValueBackend(self.wall, self._count)

    def _count(self, kind: str, _place: Place) -> None:
        self.requests[kind] += 1

    def client(self, **options: Any) -> Database:
        """A client of its own, with its own view of leases; each look at its clock takes a second."""
        database = connect(self.store, clock=self.wall, fallback={"sweep_s": 1e9, **options})
        shared = fallback_of(database).shared
        shared.leases.monotonic = Ticking()
        shared.swept_at = 0.0  # it does not sweep by itself
        return database

    def patient(self) -> Database:
        """A client for which no lease runs out."""
        database = self.client()
        fallback_of(database).shared.leases.monotonic = lambda: 0.0
        return database

    def accounts(self, **amounts: int) -> BoundTable:
        """Accounts with that much on them."""
        table = self.table(self.client())
        for name, amount in amounts.items():
            table.put({"id": name, "n": amount})
        return table

    def table(self, client: Database) -> BoundTable:
        """The table of accounts."""
        index = Index("by_n", ("n", int))
        return client.table("accounts", partition_key="id", ttl="expires", indexes=[index]).ensure()

    def change_records(self, change: Callable[[Item], Item | None]) -> None:
        """Let something happen to all records that no client would do."""
        with self.store.memory._session as session:
            for key, item in list(session.stores[RECORDS].items.items()):
                session.stores[RECORDS].replace(key, change(item))

    # ---- what is stored ----

    def physical(self) -> dict[str, Item]:
        """The accounts as the store holds them."""
        return {cast("str", item["id"]): item for item in self.store.memory.native().get("accounts", [])}

    def records(self) -> list[Item]:
        """The records of transactions."""
        return self.store.memory.native().get(RECORDS, [])

    def locked(self) -> list[str]:
        """The accounts that are locked."""
        return sorted(name for name, item in self.physical().items() if LOCK in item)

    def amounts(self) -> dict[str, Any]:
        """What is on each account, by the store alone."""
        assert self.locked() == []
        return {name: item.get("n") for name, item in self.physical().items()}

    def touch(self, client: Database) -> None:
        """Try to write every account, which takes away locks that no record knows."""
        table = self.table(client)
        for name in self.locked():
            with suppress(ConditionFailed):
                table.delete(id=name, when=F.n == "never")

    def recovered(self) -> None:
        """Let somebody else recover everything, and see that nothing is left."""
        client = self.client()
        recover_often(client)
        self.touch(client)
        self.wall.now += 10_000
        client.recover()
        assert self.locked() == []
        assert self.records() == []
        assert [item for item in self.physical().values() if REV not in item] == []


def fallback_of(database: Database) -> FallbackBackend:
    """The protocol around the database's backend."""
    return cast("FallbackBackend", database.backend)


def at(step: str, act: Callable[[], Any]) -> Callable[[str], None]:
    """What calls ``act`` at one step, the first time."""
    left = [step]

    def told(name: str) -> None:
        if name in left:
            left.remove(name)
            act()

    return told


def recover_often(client: Database) -> None:
    """Recover until every lease has run out by the client's ticking clock."""
    for _ in range(8):
        client.recover()


def watch(database: Database, told: Callable[[str], None] | None) -> None:
    """Let a client tell its steps."""
    fallback_of(database).shared.at_step = told


def kill() -> None:
    """End the client."""
    raise Killed


def steps_of(client: Database, act: Callable[[], Any]) -> list[str]:
    """The names of all steps of a call."""
    names: list[str] = []
    watch(client, names.append)
    act()
    watch(client, None)
    return names


def transfer(table: BoundTable, amount: int = 10, **options: Any) -> Any:
    """Take something from ``a``, give it to ``b``, and look that ``c`` is there."""
    do = table.actions
    return table.database.transact_write(
        [
            do.update(id="a", add={"n": -amount}),
            do.update(id="b", add={"n": amount}),
            do.check(id="c", when=F.n.exists()),
        ],
        **options,
    )
