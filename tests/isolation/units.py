"""Several reads and writes as one transaction, in each of the ways that Isthmus offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus import Capability
from isthmus.values import Item
from tests.isolation.clients import Script, function_of
from tests.isolation.workload import is_async

Writes = Sequence[tuple[str, Mapping[str, Any]]]
"""Names and arguments of actions."""
Decide = Callable[[Mapping[str, Item]], Writes]
"""What is to be written, by what was read."""


def checked(database: Any, table: Any, keys: Sequence[str], decide: Decide, unchanged: Callable[[Item], Any]) -> Script:
    """Read together, then write together on the condition that nothing that was read has changed.

    :param unchanged: the condition that an item is still as it was read
    :return: what was read
    """
    found = dict(zip(keys, (yield database.transact_get([table.actions.get(id=key) for key in keys])), strict=True))
    actions = {arguments["id"]: (name, arguments) for name, arguments in decide(found)}
    if actions:
        yield database.transact_write([
            getattr(table.actions, name)(**arguments, when=unchanged(found[key]))
            for key in keys
            for name, arguments in [actions.get(key, ("check", {"id": key}))]
        ])  # fmt: skip
    return found


def has_units(database: Any) -> bool:
    """Whether units of work can be used, which need revisions."""
    return bool(database.capabilities.supports(Capability.REVISION))


def unit(database: Any, table: Any, keys: Sequence[str], decide: Decide) -> Script:
    """The same in a unit of work, whose callback runs again after a conflict.

    :return: what the run that was committed has read
    """

    def body(opened: Any) -> Script:
        inside = opened.table(table)
        found = {}
        for key in keys:
            found[key] = yield inside.get(id=key)
        for name, arguments in decide(found):
            yield getattr(inside, name)(**arguments)
        return found

    return (yield database.run_transaction(function_of(body, is_async=is_async(database))))
