"""What a workload is: tables, scripts of clients, and what their history must hold."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Literal

from attrs import frozen

from isthmus import AsyncDatabase, Backend, Capability, Layer, Plugin, RetryPolicy, Table, aconnect, connect, hookimpl
from isthmus.errors import IsthmusError
from tests.isolation.clients import Client, Script, aplay, in_tasks, in_threads, play
from tests.isolation.faults import Telling
from tests.isolation.history import History

Surface = Literal["threads", "tasks"]
CLIENTS = 8
KILLED = 2
LOOKS = 20
OPTIONS: dict[str, Any] = {
    "retry_policy": RetryPolicy(attempts=6, base=0.002, cap=0.02, budget=10_000),
    "fallback": {"lease_ms": 200},
}
"""Clients try again at once, and soon give up waiting for one that may be dead."""


class Workload(ABC):
    """Base of all workloads; one object serves one run.

    :cvar needs: what a backend must offer
    :cvar least: successful calls without which a run says nothing
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[Capability, ...]] = (Capability.TRANSACT_WRITE, Capability.TRANSACT_GET)
    least: ClassVar[int] = 40

    def __init__(self) -> None:
        self.history = History()
        self.schema = Table(f"isolation-{secrets.token_hex(6)}", "id")

    @abstractmethod
    def prepare(self, database: Any) -> Script:
        """Write what is there at the beginning."""

    @abstractmethod
    def act(self, database: Any, client: Client) -> Script:
        """One more call of a client, or a few."""

    @abstractmethod
    def look(self, database: Any) -> Script:
        """Read what is there in the end, when all clients are done."""

    @abstractmethod
    def problems(self, *, strict: bool) -> list[str]:
        """What the history must not hold, each in words.

        :param strict: whether transactions must see all that ended before they began
        """

    def table(self, database: Any) -> Any:
        """The table, of the sync or the async database."""
        return database.table(self.schema)


class Layers(Plugin):
    """Gives a database further layers."""

    name = "layers-of-the-test"

    def __init__(self, kinds: Sequence[type[Layer]]) -> None:
        super().__init__()
        self._kinds = kinds

    @hookimpl
    def isthmus_layers(self, database: object) -> list[Layer]:
        return [Telling(), *(kind() for kind in self._kinds)]


@frozen
class Run:
    """How a workload is run.

    :param calls: of each client
    :param seconds: after which no client begins anything more, unless too little was done by then
    :param killed: how many clients die in the middle of a call
    :param layers: further ones of the database
    """

    surface: Surface
    seed: int = 0
    calls: int = 30
    seconds: float = 1.5
    killed: int = KILLED
    layers: Sequence[type[Layer]] = ()

    def of(self, workload: Workload, backend: Backend) -> Workload:
        """Run a workload on a backend, which is closed in the end."""
        if self.surface == "threads":
            self._in_threads(workload, backend)
        else:
            asyncio.run(self._in_tasks(workload, backend))
        return workload

    def _in_threads(self, workload: Workload, backend: Backend) -> None:
        with connect(backend, plugins=[Layers(self.layers)], **OPTIONS) as database:
            database.tables.create(workload.schema)
            play(workload.prepare(database))
            in_threads([(client, self._script(workload, database, client)) for client in self._clients()])
            play(_looked(workload, database))
            database.tables.drop(workload.schema.name)

    async def _in_tasks(self, workload: Workload, backend: Backend) -> None:
        async with aconnect(backend, plugins=[Layers(self.layers)], **OPTIONS) as database:
            await database.tables.create(workload.schema)
            await aplay(workload.prepare(database))
            await in_tasks([(client, self._script(workload, database, client)) for client in self._clients()])
            await aplay(_looked(workload, database))
            await database.tables.drop(workload.schema.name)

    def _clients(self) -> list[Client]:
        chance = Random(self.seed)
        dying = set(chance.sample(range(CLIENTS), self.killed))
        latest = max(2, self.calls * 2)
        return [
            Client(number, self.seed, chance.randrange(2, latest) if number in dying else None)
            for number in range(CLIENTS)
        ]

    def _script(self, workload: Workload, database: Any, client: Client) -> Script:
        until = time.monotonic() + self.seconds
        for _ in range(self.calls):
            if time.monotonic() > until and len(workload.history.done()) >= workload.least:
                break
            yield from workload.act(database, client)


def _looked(workload: Workload, database: Any) -> Script:
    """Look at the end until every answer comes: dead clients may hold up others for a while.

    :raises IsthmusError: they do so for good, or something else is wrong
    """
    calls = workload.history.calls
    errors: list[IsthmusError] = []
    for _ in range(LOOKS):
        before = len(calls)
        yield from workload.look(database)
        errors = [call.error for call in calls[before:] if call.error is not None]
        if not errors:
            return
    raise errors[0]


def is_async(database: Any) -> bool:
    """Whether calls of a database are awaited."""
    return isinstance(database, AsyncDatabase)
