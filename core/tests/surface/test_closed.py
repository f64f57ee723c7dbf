"""What goes past the chains of a closed database, and explaining without holding up the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

import isthmus
from isthmus import operations as op
from isthmus.errors import Closed
from isthmus.memory import MemoryBackend


class Explaining(MemoryBackend):
    """Tells in which thread it explains."""

    blocking = True

    def explain(self, operation: op.Operation) -> Mapping[str, Any]:
        return {"kind": operation.kind, "thread": threading.get_ident()}


def test_a_closed_database_gives_no_driver_and_no_plan() -> None:
    """``native`` and ``explain`` are refused like every operation."""
    with isthmus.connect("memory://") as database:
        selection = database.table("things", partition_key="id").scan()
        assert selection.explain()["operation"] == "scan"
    with pytest.raises(Closed):
        database.native()
    with pytest.raises(Closed):
        selection.explain()


def test_a_closed_async_database_gives_no_driver_and_no_plan() -> None:
    """The same of its twin."""

    async def use() -> None:
        async with isthmus.aconnect("memory://") as database:
            selection = database.table("things", partition_key="id").scan()
            assert (await selection.explain())["operation"] == "scan"
        with pytest.raises(Closed):
            database.native()
        with pytest.raises(Closed):
            await selection.explain()

    asyncio.run(use())


def test_a_blocking_backend_explains_in_a_thread() -> None:
    """The event loop goes on meanwhile."""

    async def use() -> Any:
        async with isthmus.aconnect(Explaining()) as database:
            return (await database.table("things", partition_key="id").scan().explain())["native"]

    native = asyncio.run(use())
    assert native["kind"] == "scan"
    assert native["thread"] != threading.get_ident()
