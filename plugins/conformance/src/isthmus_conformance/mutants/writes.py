"""Mutants that write single items differently."""

from __future__ import annotations

import time

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.embedded import ItemSession
from isthmus.errors import ConditionFailed
from isthmus.memory import MemoryBackend
from isthmus.values import Item
from isthmus_conformance.mutants.base import Changing, Images, Judge
from isthmus_conformance.mutants.registry import mutant


@mutant("CND-3")
class CreateReplaces(Changing):
    """create replaces an item that is there already."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        if isinstance(action, op.Create):
            action = op.Put(action.context, action.table, action.item)
        return usual(action)


@mutant("CND-4")
class DeleteAlwaysFindsSomething(MemoryBackend):
    """Deleting a missing item tells that there was one."""

    def execute(self, operation: op.Operation) -> res.Result:
        found = super().execute(operation)
        return evolve(found, existed=True) if isinstance(found, res.DeleteResult) else found


@mutant("CND-2")
class FailureWithoutCurrent(Changing):
    """A failed condition does not carry the current item."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        try:
            return usual(action)
        except ConditionFailed as error:
            raise ConditionFailed(error.message) from None


@mutant("CND-2")
class PutWithoutCondition(Changing):
    """A put ignores its condition."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, condition=None) if isinstance(action, op.Put) else action)


@mutant("CND-2", "CND-5")
class DeleteWithoutCondition(Changing):
    """A delete ignores its condition."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, condition=None) if isinstance(action, op.Delete) else action)


@mutant("CND-9", "TAB-6")
class LostUpdate(MemoryBackend):
    """Writes read, wait and write without a lock: of two writers one is forgotten."""

    def execute(self, operation: op.Operation) -> res.Result:
        if isinstance(operation, (op.Create, op.Put, op.Update, op.Delete)):
            return self._answers[type(operation)](self._session, operation)
        return super().execute(operation)

    def _apply(self, session: ItemSession, action: op.Action) -> Images:
        table = self._stored(session, action.table)
        old, new = self._judge(session, table, action)
        time.sleep(0.002)
        with self._session:
            session.replace(table, action.key, new)
        return old, new


@mutant("UPD-13")
class OldImageForNew(MemoryBackend):
    """returning="new" gives the item as it was before."""

    def execute(self, operation: op.Operation) -> res.Result:
        if isinstance(operation, op.Update) and operation.returning == "new":
            operation = evolve(operation, returning="old")
        return super().execute(operation)


@mutant("UPD-13")
class OnlyChangedReturned(MemoryBackend):
    """returning gives only what the update changed."""

    def execute(self, operation: op.Operation) -> res.Result:
        found = super().execute(operation)
        if not isinstance(operation, op.Update):
            return found
        names = {str(change.path[0]) for change in operation.changes.actions} | set(operation.key)
        return found.map_items(lambda item: {name: value for name, value in item.items() if name in names})


@mutant("CND-3", "CND-2")
class PutMerges(Changing):
    """A put keeps attributes of the item before that the new one does not have."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        _old, new = usual(action)
        return old, {**old, **new} if isinstance(action, op.Put) and old and new else new
