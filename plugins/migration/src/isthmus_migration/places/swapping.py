"""Writes that hold only while a stored item is what it was when somebody looked: what others changed since is left.

Each item is read and written by itself. Transactions would do many at once; but some stores keep what a transaction
of a killed process has touched locked for a minute, from those who go on and from everybody else.
"""

from __future__ import annotations

from typing import cast

from attrs import evolve

from isthmus import errors
from isthmus.bound_table import BoundTable
from isthmus.errors import IsthmusError
from isthmus.results import GetResult
from isthmus.values import Item
from isthmus_migration.places.base import Change, Seen
from isthmus_migration.places.faults import PLACE_FAULTS


def look(bound: BoundTable, key: Item) -> Seen:
    """What is stored under a key, with its revision.

    :raises IsthmusError: the database can't be used now
    """
    try:
        answer = cast("GetResult", bound.database.execute(evolve(bound.actions.get(key), revision=True)))
    except IsthmusError as error:
        if is_place_s(error):
            raise
        return Seen(error)
    return Seen(answer.item, answer.revision)


def swap(bound: BoundTable, change: Change) -> None:
    """Put an item in place of what was seen, or remove that.

    :raises ItemChanged: something else is there by now
    :raises IsthmusError: the database can't be used now, or refuses the item
    """
    action = bound.actions.delete(change.key) if change.item is None else bound.actions.put(change.item)
    bound.database.execute(evolve(action, unchanged=change.seen.revision))


def is_place_s(error: IsthmusError) -> bool:
    """Whether an error is no item's fault."""
    return not isinstance(error, errors.ItemChanged) and (error.retryable or isinstance(error, PLACE_FAULTS))
