"""Mutants that don't see what has changed."""

from __future__ import annotations

from attrs import evolve

from isthmus import operations as op
from isthmus.values import Item
from isthmus.writes import ABSENT, item_changed
from isthmus_conformance.mutants.base import Changing, Images, Judge
from isthmus_conformance.mutants.registry import mutant


@mutant("TXN-14", "TXN-16")
class RevisionsIgnored(Changing):
    """A write that depends on a revision is applied whatever is stored."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, unchanged=None))


@mutant("TXN-14", "TXN-16")
class OnlyReadNotValidated(Changing):
    """What a transaction only checks may have changed, so that write skew is possible."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, unchanged=None) if isinstance(action, op.Check) else action)


@mutant("TXN-14", "TXN-16")
class AbsenceNotValidated(Changing):
    """An item that was missing may be there by now."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        return usual(evolve(action, unchanged=None) if action.unchanged == ABSENT else action)


@mutant("TXN-14", "TXN-16")
class PresenceIsEnough(Changing):
    """An item counts as unchanged while there is one, whatever it holds."""

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        if action.unchanged is not None and (action.unchanged == ABSENT) != (old is None):
            raise item_changed(action)
        return usual(evolve(action, unchanged=None))
