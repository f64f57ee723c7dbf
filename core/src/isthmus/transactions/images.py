"""One item inside a unit of work: what was read, what the work made of it, and the action that brings it about."""

from __future__ import annotations

from attrs import define, evolve, field

from isthmus import operations as op
from isthmus.capabilities import Limits
from isthmus.errors import ConditionFailed
from isthmus.schema import Table
from isthmus.validation import ValidationLayer, explained
from isthmus.values import Item, copy_item
from isthmus.writes import item_changed, require, write


@define(eq=False)
class Entry:
    """One item.

    :param table: as it was declared where the item was met first; by it the item expires
    :param revision: what was seen when it was read; ``None`` if it was written without having been read
    :param stored: the item as it was read, ``None`` where there was none
    :param image: the item as the unit of work leaves it
    :param written: the writes of it, in order
    """

    table: Table
    key: op.ItemKey
    revision: op.Revision | None
    stored: Item | None
    image: Item | None
    written: list[op.Action] = field(factory=list)

    def action(self, context: op.Context) -> op.Action:
        """The one action that is sent for this item.

        What the caller's conditions were judged on is what ``unchanged`` requires, so they are not sent again.
        """
        if len(self.written) == 1:
            return self._expiring(self._alone(self.written[0]))
        if self.image is not None:
            return self._expiring(self._left(context, self.image))
        if self.written and self.stored is None and self.revision is None:
            return op.Delete(context, self.table, self.key)
        if self.written and self.stored is not None:
            return op.Delete(context, self.table, self.key, unchanged=self.revision)
        return op.Check(context, self.table, self.key, None, self.revision)

    def _alone(self, action: op.Action) -> op.Action:
        if isinstance(action, op.Create):
            return evolve(action, returning=None, unchanged=self.revision)
        if isinstance(action, op.Put):
            return evolve(action, condition=None, returning=None, unchanged=self.revision)
        if isinstance(action, (op.Update, op.Delete)):
            return evolve(action, condition=None, returning=None, expected_version=None, unchanged=self.revision)
        return action

    def _left(self, context: op.Context, image: Item) -> op.Action:
        """Several writes as the item that they left."""
        table = self._maintained()
        if self.revision is not None and self.stored is None:
            return op.Create(context, table, image, unchanged=self.revision)
        return op.Put(context, table, self._as_next_version(image, table.version), unchanged=self.revision)

    def _maintained(self) -> Table:
        """The table as the last writer declared it that has a version or timestamps maintained, if one has."""
        if self.revision is None:  # nobody knows of a version to count on from
            return self.table
        return next((one.table for one in reversed(self.written) if one.table.managed), self.table)

    def _expiring(self, action: op.Action) -> op.Action:
        """The action, with expiry judged as it was when the item was read."""
        if action.table.ttl == self.table.ttl:
            return action
        return evolve(action, table=evolve(action.table, ttl=self.table.ttl))

    def _as_next_version(self, image: Item, name: str | None) -> Item:
        """The image at the version that was read: the core counts on from there."""
        if name is None or self.stored is None:
            return image
        rest = {attribute: value for attribute, value in image.items() if attribute != name}
        return rest if name not in self.stored else {**rest, name: self.stored[name]}


def judged(
    action: op.Action, entry: Entry, current: Item | None, rules: ValidationLayer, limits: Limits, now: float
) -> Item | None:
    """What an action makes of the visible item of a unit of work.

    Versions and timestamps stay as they were read: they are counted and set when the unit of work is committed.

    :raises IsthmusError: what the action would raise alone
    """
    if action.unchanged is not None and action.unchanged != entry.revision:
        raise item_changed(action)
    managed = rules.managed(action)
    if isinstance(action, op.Create) or isinstance(managed, op.Create):
        return write(action, current, limits, now)
    try:
        require(managed.condition, current)
    except ConditionFailed as error:
        error.current = None if current is None else copy_item(current)
        better = explained(action, error)
        raise better from (None if better is error else error)
    return write(evolve(action, condition=None), current, limits, now)
