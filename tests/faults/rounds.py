"""Rounds of writes under faults: what each call said, and how often it took effect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal

from isthmus import AsyncBoundTable, BoundTable
from isthmus.errors import IsthmusError
from isthmus.operations import Context

Said = str
"""``"applied"``, ``"not_applied"`` or ``"unknown"``, perhaps by ``resolve``; otherwise the error's class."""
Outcome = tuple[Said, int]
"""What was said of a write, and how often it took effect."""
Write = Literal["add", "create", "transaction"]


def started(table: BoundTable, count: int) -> list[str]:
    """The keys of as many rounds, each with a counter at 0."""
    keys = [f"round-{number:04}" for number in range(count)]
    for key in keys:
        write_long_ago(table, {"id": key, "n": 0})
    return keys


def write_long_ago(table: BoundTable, item: dict[str, Any]) -> None:
    """Put an item with the operation id of an hour ago, beneath the core: nobody has written it since, that tells."""
    context = Context(operation_id=f"{int((time.time() - 3600) * 1000):011x}{'0' * 13}")
    table.database.backend.execute(table.actions.put(item).with_context(context))


def write(table: BoundTable, kind: Write, key: str) -> Any:
    """One write that must happen once: it takes a counter from 0 to 1, makes an item, or does both."""
    if kind == "add":
        return table.update(id=key, add={"n": 1})
    if kind == "create":
        return table.create({"id": f"{key}-new", "n": 1})
    return table.database.transact_write(_both(table, key))


async def awrite(table: AsyncBoundTable, kind: Write, key: str) -> Any:
    """The async twin of ``write``."""
    if kind == "add":
        return await table.update(id=key, add={"n": 1})
    if kind == "create":
        return await table.create({"id": f"{key}-new", "n": 1})
    return await table.database.transact_write(_both(table, key))


def _both(table: BoundTable | AsyncBoundTable, key: str) -> list[Any]:
    return [table.actions.update(id=key, add={"n": 1}), table.actions.create({"id": f"{key}-new", "n": 1})]


def effects(table: BoundTable, kind: Write, key: str) -> int:
    """How often the write took effect; -1 for half a transaction."""
    counted, made = table.get(id=key)["n"], table.find(id=f"{key}-new") is not None
    assert isinstance(counted, int)
    if kind == "transaction":
        return counted if made == bool(counted) else -1
    return counted if kind == "add" else int(made)


def said(call: Callable[[], Any], table: BoundTable) -> Said:
    """What a call says of its write; where it says that this is unknown, what is found out later.

    :param table: reaches the engine without faults
    """
    try:
        call()
    except IsthmusError as error:
        return _settled(error, table)
    return "applied"


async def asaid(call: Awaitable[Any], table: BoundTable) -> Said:
    """The async twin of ``said``."""
    try:
        await call
    except IsthmusError as error:
        return _settled(error, table)
    return "applied"


def _settled(error: IsthmusError, table: BoundTable) -> Said:
    if error.maybe_applied and error.operation_id is not None:
        return table.database.resolve(error.operation_id)
    return type(error).__name__


def tally(outcomes: Iterable[Outcome]) -> Mapping[Outcome, int]:
    """How often each outcome came about."""
    return dict(Counter(outcomes))
