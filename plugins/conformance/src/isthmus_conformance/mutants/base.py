"""What backend mutants are made of: the memory backend, opened at the places where defects go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.embedded import ItemSession
from isthmus.memory import MemoryBackend
from isthmus.schema import Table
from isthmus.values import Item

Images = tuple[Item | None, Item | None]
"""The item before and after an action."""

Judge = Callable[[op.Action], Images]


class Paging(MemoryBackend):
    """Queries and scans go through ``page``."""

    def page(self, operation: op.Paged) -> res.Page:
        """Answer a query or scan."""
        return cast("res.Page", super().execute(operation))

    def execute(self, operation: op.Operation) -> res.Result:
        return self.page(operation) if isinstance(operation, op.Paged) else super().execute(operation)

    def whole(self, operation: op.Paged) -> tuple[Item, ...]:
        """All items of a query or scan from its beginning, before the filter."""
        unlimited = evolve(
            operation, condition=None, projection=None, limit=None, start=None, max_examined=None, max_bytes=None,
            select="items",
        )  # fmt: skip
        return Paging.page(self, unlimited).items


class Changing(MemoryBackend):
    """Single writes, and those of transactions, go through ``judge``."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        """The images of an action on the item ``old``; ``usual`` gives the right ones for any action on that item."""
        return usual(action)

    def _judge(self, session: ItemSession, table: Table, action: op.Action) -> Images:
        def usual(changed: op.Action) -> Images:
            return MemoryBackend._judge(self, session, table, changed)  # noqa: SLF001  # the base's own method

        return self.judge(action, self._read(session, table, action.key), usual)


class Distorting(MemoryBackend):
    """Every value that is read goes through ``distort``."""

    def distort(self, value: Any) -> Any:
        """The value that comes back for one without members."""
        return value

    def execute(self, operation: op.Operation) -> res.Result:
        return super().execute(operation).map_items(self.distorted)

    def distorted(self, item: Item) -> Item:
        """An item or map with distorted values."""
        return {name: self.walk(value) for name, value in item.items()}

    def walk(self, value: Any) -> Any:
        """A value with distorted members."""
        if isinstance(value, dict):
            return self.distorted(value)
        return [self.walk(part) for part in value] if isinstance(value, list) else self.distort(value)
