"""Unique values of items that are there already: guards that are missing or left over, values that several have."""

from __future__ import annotations

from typing import Any, cast

from isthmus import operations as op
from isthmus.errors import AlreadyExists, ConditionFailed, Conflict, ItemNotFound, TransactionFailed, UniqueViolation
from isthmus.expressions import Condition, all_of
from isthmus.expressions import Field as PathField
from isthmus.repository.deadlines import Steps
from isthmus.repository.guards import KEY, OWNER, Guards
from isthmus.repository.mapper import Mapper
from isthmus.repository.unique_indexes import violation
from isthmus.repository.writing import Writes
from isthmus.requests import Requests
from isthmus.transactions import transact_write
from isthmus.values import Item


class Rebuilding:
    """One run over the items of a class.

    :param guards: what the class's guards would be; where indexes keep its values, they tell equal ones apart
    """

    def __init__(self, mapper: Mapper[Any], requests: Requests, guards: Guards, writes: Writes[Any]) -> None:
        self._mapper = mapper
        self._requests = requests
        self._guards = guards
        self._writes = writes
        self._seen: dict[str, Item] = {}
        self.violations: list[UniqueViolation] = []
        """A violation for each item whose values another one has; ``key`` is its key."""

    # ---- indexes ----

    def compare(self, item: Item) -> None:
        """Look for the item's values among those of the items before."""
        key = self._mapper.key_of(item)
        for constraint in self._guards.constraints:
            taken = self._guards.taken(constraint, item)
            if taken is not None and self._seen.setdefault(taken, key) is not key:
                self._found(key, violation(self._mapper.table.name, self._mapper.name, constraint))

    def _found(self, key: Item, error: UniqueViolation) -> None:
        error.key = key
        self.violations.append(error)

    # ---- guards ----

    def release(self, guard: Item) -> Steps[None]:
        """Remove a guard whose value its owner does not have."""
        value, owner = str(guard[KEY]), cast("Item", guard[OWNER])
        if not value.startswith(self._guards.prefix):
            return
        item = (yield self._requests.get(owner, {}, None, True, None)).item
        mine = item if item is not None and self._mapper.is_mine(item) else None
        if value in [self._guards.taken(constraint, mine) for constraint in self._guards.constraints]:
            return
        actions: list[op.Action] = [
            self._guards.freed(value, owner),
            self._requests.check(owner, {}, self._still(item)),
        ]
        try:
            yield transact_write(actions, None, self._requests.limits, self._requests.context(None))
        except (TransactionFailed, Conflict):
            return  # whoever writes the item sees to its guards

    def _still(self, item: Item | None) -> Condition:
        first = PathField((self._mapper.table.key_names[0],))
        if item is None:
            return first.not_exists()
        return all_of([first.exists(), self._writes.as_read(item, self._guards.relies_on)])

    def keep(self, item: Item) -> Steps[None]:
        """Write the guards of an item, unless another one has a value."""
        key = self._mapper.key_of(item)
        try:
            yield from self._writes.keep_guards(key)
        except (ItemNotFound, AlreadyExists, ConditionFailed):
            return
        except UniqueViolation as error:
            self._found(key, error)
