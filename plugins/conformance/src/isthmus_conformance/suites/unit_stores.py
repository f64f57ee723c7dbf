"""What the suites of units of work share: what they need, and stores with a few items."""

from __future__ import annotations

from typing import Any

from isthmus import BoundTable, Capability, Database
from isthmus_conformance.base import OpenDatabase
from isthmus_conformance.faults import Fault, FaultyBackend

NEEDED = (Capability.TRANSACT_WRITE, Capability.TRANSACT_GET, Capability.REVISION)


def filled(table: BoundTable, *numbers: int) -> BoundTable:
    """The table with items ``1``, ``2`` … that hold these numbers."""
    for place, number in enumerate(numbers, 1):
        table.put({"id": f"{place}", "n": number})
    return table


def same_store(database: Database, open_database: OpenDatabase, *faults: Fault) -> tuple[Database, FaultyBackend]:
    """Another database on the same store."""
    backend = FaultyBackend(database.backend, faults)
    return open_database(backend), backend


def filled_items(*numbers: int) -> list[dict[str, Any]]:
    """What ``filled`` puts."""
    return [{"id": f"{place}", "n": number} for place, number in enumerate(numbers, 1)]
