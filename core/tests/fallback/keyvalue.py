"""The smallest backend that transactions can run over: it gives physical items, and swaps one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Unsupported
from isthmus.embedded import NO_OPERATION_IDS
from isthmus.errors import AlreadyExists, SchemaMismatch, TableNotFound
from isthmus.fallback.records import identity_of
from isthmus.fallback.store import BlockingItemStore, Place, Swap
from isthmus.memory import MemoryBackend
from isthmus.schema import Table
from isthmus.values import Item

MISSING = Unsupported("one item at a time")


class KeyValueBackend(Backend):
    """Tables and pages are those of the memory backend, of physical items; single items go through ``get`` and ``cas``.

    ``told`` is called with ``"get"`` or ``"cas"`` and the place, before each request.
    """

    name = "keyvalue"
    blocking = False
    limits = Limits(depth=40)
    capabilities = Capabilities.full_except({
        Capability.TRANSACT_WRITE: MISSING, Capability.TRANSACT_GET: MISSING, Capability.IDEMPOTENCY_TOKEN: MISSING,
        Capability.REVISION: MISSING, Capability.OPERATION_ID: NO_OPERATION_IDS, Capability.DURABLE: MISSING,
        Capability.WIDE_NUMBERS: MISSING,        Capability.SHARED_BY_PROCESSES: MISSING,
    })  # fmt: skip

    def __init__(self, clock: Clock, told: Callable[[str, Place], None] = lambda _kind, _place: None) -> None:
        self.clock = clock
        self.told = told
        self.memory = MemoryBackend(clock)
        self.tables: dict[str, Table] = {}
        self.item_store = self.swaps = BlockingItemStore(
            self.get, self.cas, self.scan, self.create, self.find, blocking=False
        )

    def execute(self, operation: op.Operation) -> res.Result:
        match operation:
            case op.CreateTable(table=table):
                self.memory.execute(evolve(operation, table=whole(table)))
                self.tables[table.name] = table
            case op.DescribeTable(name=name):
                self.memory.execute(operation)
                return res.TableResult(self.tables.get(name, operation))  # type: ignore[arg-type]  # it exists
            case op.Query() | op.Scan():
                return self.memory.execute(evolve(operation, table=whole(operation.table)))
            case op.ListTables() | op.DropTable():
                return self.memory.execute(operation)
            case _:
                # The core answers everything else from get and cas: what comes here went past it.
                raise AssertionError(f"the core left {operation.kind} to a store that has only get and cas")
        return res.TableResult(table)

    def find(self, table: Table) -> Table:
        """The definition that a table was created with."""
        self.memory.execute(op.DescribeTable(op.Context(), table.name))
        stored = self.tables[table.name]
        if stored.keys != table.keys:
            differences = table.differences(stored)
            raise SchemaMismatch("stored with another key", differences=differences)
        return stored

    def get(self, place: Place) -> Item | None:
        """The physical item."""
        self.told("get", place)
        with self.memory.session(op.ListTables(op.Context())) as session:
            if session.find_table(place.table.name) is None:
                if place.table.name == "isthmus_transactions":
                    return None
                raise TableNotFound(f"table {place.table.name!r} does not exist")
            return session.read(place.table, place.key)

    def cas(self, swap: Swap) -> bool:
        """Put an item in the place of exactly the one that was expected."""
        self.told("cas", swap.place)
        with self.memory.session(op.ListTables(op.Context())) as session:
            if identity_of(session.read(swap.place.table, swap.place.key)) != swap.expected:
                return False
            session.replace(whole(swap.place.table), swap.place.key, swap.new)
            return True

    def scan(self, table: Table, start: Item | None, limit: int) -> tuple[list[Item], Item | None]:
        """Some records."""
        with self.memory.session(op.ListTables(op.Context())) as session:
            if session.find_table(table.name) is None:
                return [], None
            found: Any = list(session.scan(table, op.Scan(op.Context(), table, start=start)))
        return found[:limit], found[limit - 1] if len(found) > limit else None

    def create(self, table: Table) -> None:
        """Make sure that there is a table of records."""
        try:
            self.memory.execute(op.CreateTable(op.Context(), table))
        except AlreadyExists:
            return


def whole(table: Table) -> Table:
    """The table with indexes that hold whole items, because hidden attributes must be in them."""
    return evolve(table, indexes=[evolve(index, projection="all") for index in table.indexes])
