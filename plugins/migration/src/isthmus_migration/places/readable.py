"""Items by their keys where some of what is stored can't be read: that is no reason to give up the others."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import BackendError, IsthmusError
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.places.base import Place
from isthmus_migration.places.faults import PLACE_FAULTS


def readable_items(place: Place, table: Table, keys: Sequence[Item]) -> list[Item | IsthmusError | None]:
    """The items of some keys; an error for one that can't be read, ``None`` for one that is not there.

    :raises IsthmusError: the place can't be used now
    """
    found = _readable(place, table, keys)
    check_reads(found)
    return found


def check_reads(found: Sequence[Item | IsthmusError | None]) -> None:
    """Take a store that fails over each key of some for broken, and no item for unreadable.

    :raises BackendError: it is broken
    """
    failed = [one for one in found if isinstance(one, BackendError)]
    if len(found) > 1 and len(failed) == len(found):
        raise failed[0]


def _readable(place: Place, table: Table, keys: Sequence[Item]) -> list[Item | IsthmusError | None]:
    try:
        return list(place.get_many(table, keys))
    except PLACE_FAULTS:
        raise
    except IsthmusError as error:
        if error.retryable:
            raise
        if len(keys) == 1:
            return [error]
    middle = len(keys) // 2
    return [*_readable(place, table, keys[:middle]), *_readable(place, table, keys[middle:])]
