"""Writes whose answer is lost: what the suites about them share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import pytest

from isthmus import BoundTable, Capability, F, Unsupported
from isthmus.errors import Unavailable
from isthmus.operations import Action, Context
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, skip_unsupported
from isthmus_conformance.faults import Fault, FaultyBackend
from isthmus_conformance.suites.retries import QUICK

Write = Callable[[BoundTable], Any]


def _transacted(table: BoundTable) -> Any:
    actions: list[Action] = [table.actions.update(id="1", add={"n": 1}), table.actions.create({"id": "2", "n": 1})]
    return table.database.transact_write(actions)


ONCE: Final[Mapping[str, Write]] = {
    "create": lambda table: table.create({"id": "2", "n": 1}),
    "conditional put": lambda table: table.put({"id": "1", "n": 2}, when=F.n == 1),
    "conditional put of a new item": lambda table: table.put({"id": "2"}, when=F.n.not_exists()),
    "increment": lambda table: table.update(id="1", add={"n": 1}),
    "append": lambda table: table.update(id="1", append={"list": ["x"]}),
    "conditional update": lambda table: table.update(id="1", set={"n": 2}, when=F.n == 1),
    "upsert": lambda table: table.update(id="2", add={"n": 1}, upsert=True),
    "transaction": _transacted,
}
"""Writes that leave an item, on a table that holds ``{"id": "1", "n": 1, "list": []}``."""


def id_of(moment: float) -> str:
    """An operation id of a moment, in seconds since the epoch."""
    return f"{int(moment * 1000):011x}{'0' * 13}"


def lost(*, applied: bool = True, then: Callable[[], None] | None = None) -> Fault:
    """An answer that never arrives."""
    return Fault(Unavailable("the connection broke", maybe_applied=True), applied=applied, then=then)


class Connect(Protocol):
    """Opens the table under test through a backend with planned faults."""

    def __call__(self, *plan: Fault) -> BoundTable: ...


class LostAnswersSuite(Suite):
    """A table of the backend under test, and connections to it that lose answers."""

    @pytest.fixture
    def plain(self, make_table: MakeTable) -> BoundTable:
        """The table, without faults; its item has the id of an older write."""
        table = make_table()
        write_long_ago(table, {"id": "1", "n": 1, "list": []})
        return table

    @pytest.fixture
    def connected(self, plain: BoundTable, open_database: OpenDatabase) -> Connect:
        """Opens the table with faults between the core and the backend under test."""

        def connect(*plan: Fault) -> BoundTable:
            backend = FaultyBackend(plain.database.backend, plan, identifying=True)
            return open_database(backend, retry_policy=QUICK).table(plain.schema)

        return connect

    @pytest.fixture
    def expected(self, make_table: MakeTable) -> Callable[[Write], list[Any]]:
        """What a table holds after a write that met no fault."""

        def after(write: Write) -> list[Any]:
            table = make_table()
            table.put({"id": "1", "n": 1, "list": []})
            write(table)
            return contents(table)

        return after


def write_long_ago(table: BoundTable, item: Mapping[str, Any]) -> None:
    """Put an item with the operation id of an hour ago, beneath the core."""
    context = Context(operation_id=id_of(time.time() - 3600))
    table.database.backend.execute(table.actions.put(item).with_context(context))


def contents(table: BoundTable) -> list[Any]:
    """All items, by their key."""
    return sorted(table.scan(), key=lambda item: str(item["id"]))


def skip_without_transactions(table: BoundTable, write: str) -> None:
    """Skip the test where this write of ``ONCE`` is a transaction and the backend has none."""
    if write == "transaction":
        level = table.database.capabilities[Capability.TRANSACT_WRITE]
        if isinstance(level, Unsupported):
            skip_unsupported(Capability.TRANSACT_WRITE, level)
