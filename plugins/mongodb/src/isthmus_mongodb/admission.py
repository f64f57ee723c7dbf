"""Which collections may take part in transactions of the core: those that refuse nothing which the core has judged.

A transaction is committed before its items are written. A unique index or a validator that refused one then would leave
the transaction half applied for good (S7).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final

from isthmus.capabilities import Capability, refuse
from isthmus.errors import UnsupportedOperation
from isthmus_mongodb.catalogue import Stored
from isthmus_mongodb.native import Call, Command

# How long a collection that was looked at is believed to be so, seconds.
_BELIEVED: Final = 10.0


class Admission:
    """Remembers which collections were looked at.

    :param name: the backend's name, for messages
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._admitted: dict[str, tuple[Any, float]] = {}

    def check(self, stored: Stored) -> Generator[Any, Any, None]:
        """Look at the collection of a table, unless that was done a moment ago.

        :raises UnsupportedOperation: it has a unique index or a validator
        """
        made, until = self._admitted.get(stored.collection, (None, 0.0))
        if made == stored.made and time.monotonic() < until:
            return
        problem = yield from _problem(stored.collection)
        if problem:
            raise self.refusal(stored.table.name, problem)
        self._admitted[stored.collection] = (stored.made, time.monotonic() + _BELIEVED)

    def refusal(self, table: str, problem: str) -> UnsupportedOperation:
        """The error for a table that can't take part."""
        reason = f"table {table!r} can't take part in transactions on a server that runs alone: {problem}"
        return refuse(Capability.TRANSACT_WRITE, reason, self._name)


def _problem(collection: str) -> Generator[Any, Any, str]:
    indexes = yield Call(collection, "list_indexes")
    unique = [index["name"] for index in indexes if index.get("unique")]
    if unique:
        names = ", ".join(map(repr, unique))
        return (
            f"its collection has a unique index, {names}, which could refuse a committed item; drop it, and keep"
            " unique values as items of their own, created in the same transaction"
        )
    answer = yield Command({"listCollections": 1, "filter": {"name": str(collection)}})
    found = answer["cursor"]["firstBatch"]
    if found and found[0].get("options", {}).get("validator"):
        return "its collection has a validator, which could refuse a committed item; remove it with collMod"
    return ""
