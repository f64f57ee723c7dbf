"""Base of the state machines: operations run on a table and on a model made of a dictionary and the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from isthmus import BoundTable, Database
from isthmus.errors import AlreadyExists, ConditionFailed, ItemNotFound
from isthmus.evaluate import apply_changes, predicate
from isthmus.expressions import Changes, Condition, Delete, Remove
from isthmus.values import Item, copy_item
from isthmus_conformance.base import stored_items
from isthmus_conformance.comparing import assert_agree, assert_same_items, typed
from isthmus_conformance.counting import EXAMPLES
from isthmus_conformance.profiles import profile


class Model:
    """What a table holds, in a dictionary; meaning comes from the evaluator alone."""

    def __init__(self, *key_names: str) -> None:
        self._key_names = key_names
        self._items: dict[Any, Item] = {}

    def place(self, item: Mapping[str, Any]) -> Any:
        """The hashable place of an item or key."""
        return tuple(typed(item[name]) for name in self._key_names)

    @property
    def items(self) -> list[Item]:
        """Copies of all items."""
        return [copy_item(item) for item in self._items.values()]

    def find(self, key: Mapping[str, Any]) -> Item | None:
        """A copy of the item, or ``None``."""
        item = self._items.get(self.place(key))
        return None if item is None else copy_item(item)

    def get(self, key: Mapping[str, Any]) -> Item:
        """A copy of the item, or ``ItemNotFound``."""
        item = self.find(key)
        if item is None:
            raise ItemNotFound("model")
        return item

    def require(self, key: Mapping[str, Any], when: Condition | None) -> None:
        """Judge a condition; a missing item has no attributes (rule CND-1)."""
        if when is not None and not predicate(when)(self.find(key) or {}):
            raise ConditionFailed("model", current=self.find(key))

    def put(self, item: Item, when: Condition | None = None) -> Item | None:
        """Write an item; the one before."""
        old = self.find(item)
        self.require(item, when)
        self._items[self.place(item)] = copy_item(item)
        return old

    def create(self, item: Item) -> None:
        """Write an item whose key must be free."""
        if self.find(item) is not None:
            raise AlreadyExists("model")
        self._items[self.place(item)] = copy_item(item)

    def update(
        self, key: Mapping[str, Any], changes: Changes, when: Condition | None = None, *, upsert: bool = False
    ) -> tuple[Item | None, Item | None]:
        """Change an item; the images before and after."""
        self.require(key, when)
        old = self.find(key)
        if old is None and not upsert:
            raise ItemNotFound("model")
        if old is None and changes.actions and all(isinstance(part, (Remove, Delete)) for part in changes.actions):
            return None, None
        new = apply_changes(changes, dict(key) if old is None else old)
        self._items[self.place(key)] = copy_item(new)
        return old, new

    def delete(self, key: Mapping[str, Any], when: Condition | None = None) -> bool:
        """Remove an item; whether there was one."""
        self.require(key, when)
        return self._items.pop(self.place(key), None) is not None

    def matching(self, condition: Condition) -> list[Item]:
        """The items for which the condition holds."""
        return [item for item in self.items if predicate(condition)(item)]


class ModelMachine(RuleBasedStateMachine):
    """A state machine over one table. Subclasses add rules that call ``agree`` with both sides."""

    def __init__(self, database: Database, table: BoundTable) -> None:
        super().__init__()
        EXAMPLES.add()
        self.database = database
        self.table = table
        self.model = Model(*table.schema.key_names)
        clear(table)

    def agree(self, expected: Callable[[], Any], actual: Callable[[], Any]) -> Any:
        """Fail unless both sides return the same or raise the same class of error."""
        return assert_agree(expected, actual)

    def teardown(self) -> None:
        """What is stored at the end, beneath all layers, is what the model holds."""
        assert_same_items(self.model.items, stored_items(self.database, self.table))


def clear(table: BoundTable) -> None:
    """Remove all items, so that one table serves many examples."""
    keys = [table.schema.key_of(item) for item in table.scan()]
    table.delete_many(keys).raise_for_failures()


def run_machine(factory: Callable[[], RuleBasedStateMachine], *, steps: int = 20, share: float = 1.0) -> None:
    """Run a state machine with the settings of the profile.

    :param factory: makes one machine for each example
    :param steps: operations in one example
    :param share: part of the profile's number of examples
    """
    run_state_machine_as_test(factory, settings=profile(steps, share))  # type: ignore[arg-type]  # any callable will do
