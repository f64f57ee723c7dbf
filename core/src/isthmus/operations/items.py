"""Reads and writes of one item, and the check of one inside a transaction."""

from __future__ import annotations

from typing import Self

from attrs import evolve, frozen

from isthmus.capabilities import Capability
from isthmus.expressions import Action as Change
from isthmus.expressions import Changes, Condition, Path, Set, SetIfAbsent
from isthmus.operations.base import ItemKey, MapItem, MapValue, Operation, Returning, Revision, TableOperation
from isthmus.values import Item


@frozen
class Get(TableOperation):
    """Read one item by its key.

    :param revision: whether the answer carries the revision of the whole item, also of one that is missing. A layer
        must not answer such a read from what it keeps
    """

    kind = "get"

    key: ItemKey
    projection: tuple[Path, ...] | None = None
    consistent: bool = True
    revision: bool = False

    def requires(self) -> tuple[Capability, ...]:
        wanted = () if self.projection is None else (Capability.PROJECTION,)
        if self.consistent:
            wanted = (*wanted, Capability.STRONG_READ)
        return (*wanted, Capability.REVISION) if self.revision else wanted


@frozen
class Create(TableOperation):
    """Write an item whose key must be free.

    :param unchanged: what was seen under the key; every action takes it. Where something else is there now, the action
        fails with ``ItemChanged``, whatever its condition says
    """

    kind = "create"
    writes = True

    item: Item
    returning: Returning = None
    unchanged: Revision | None = None

    @property
    def key(self) -> ItemKey:
        """The item's key attributes."""
        return self.table.key_of(self.item)

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.CONDITIONAL_WRITE, *_returning(self.returning), *_unchanged(self.unchanged))

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, item=function(self.item))


@frozen
class Put(TableOperation):
    """Write an item in place of whatever has its key."""

    kind = "put"
    writes = True

    item: Item
    condition: Condition | None = None
    returning: Returning = None
    unchanged: Revision | None = None

    @property
    def key(self) -> ItemKey:
        """The item's key attributes."""
        return self.table.key_of(self.item)

    @property
    def idempotent(self) -> bool:
        return self.condition is None and self.returning != "old" and self.unchanged is None

    def requires(self) -> tuple[Capability, ...]:
        return (*_conditional(self.condition), *_returning(self.returning), *_unchanged(self.unchanged))

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, item=function(self.item))


@frozen
class Update(TableOperation):
    """Change attributes of one item."""

    kind = "update"
    writes = True

    key: ItemKey
    changes: Changes
    condition: Condition | None = None
    upsert: bool = False
    returning: Returning = None
    expected_version: int | None = None
    unchanged: Revision | None = None

    def requires(self) -> tuple[Capability, ...]:
        upsert = (Capability.UPSERT,) if self.upsert else ()
        nested = (Capability.NESTED_UPDATE,) if any(len(action.path) > 1 for action in self.changes.actions) else ()
        conditions = (*_conditional(self.condition), *_unchanged(self.unchanged))
        return (Capability.UPDATE, *upsert, *nested, *conditions, *_returning(self.returning))

    def map_set_values(self, function: MapValue) -> Self:
        def mapped(change: Change) -> Change:
            if isinstance(change, (Set, SetIfAbsent)) and len(change.path) == 1:
                return evolve(change, value=function(str(change.path[0]), change.value))
            return change

        return evolve(self, changes=Changes(map(mapped, self.changes.actions)))


@frozen
class Delete(TableOperation):
    """Remove one item."""

    kind = "delete"
    writes = True

    key: ItemKey
    condition: Condition | None = None
    returning: Returning = None
    expected_version: int | None = None
    unchanged: Revision | None = None

    @property
    def idempotent(self) -> bool:
        plain = self.condition is None and self.returning is None
        return plain and self.expected_version is None and self.unchanged is None

    def requires(self) -> tuple[Capability, ...]:
        condition = () if self.condition is None else (Capability.CONDITIONAL_DELETE,)
        return (*condition, *_returning(self.returning), *_unchanged(self.unchanged))


@frozen
class Check(TableOperation):
    """Require a condition of one item inside a transaction, or that it was not changed, and lock it."""

    kind = "check"

    key: ItemKey
    condition: Condition | None
    unchanged: Revision | None = None

    def requires(self) -> tuple[Capability, ...]:
        return _unchanged(self.unchanged)


@frozen
class Resolve(Operation):
    """Find out what became of a write whose answer was lost.

    :param key: the key attributes of the item that it left
    :param operation_id: the id that it carried in its context
    """

    kind = "resolve"

    table_name: str
    key: ItemKey
    operation_id: str

    @property
    def table_names(self) -> tuple[str, ...]:
        return (self.table_name,)

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.OPERATION_ID,)


Action = Create | Put | Update | Delete | Check


def _conditional(condition: Condition | None) -> tuple[Capability, ...]:
    return () if condition is None else (Capability.CONDITIONAL_WRITE,)


def _unchanged(unchanged: Revision | None) -> tuple[Capability, ...]:
    return () if unchanged is None else (Capability.REVISION,)


def _returning(returning: Returning) -> tuple[Capability, ...]:
    if returning is None:
        return ()
    return (Capability.RETURN_OLD,) if returning == "old" else (Capability.RETURN_NEW,)
