"""Items that a transaction of the core holds, as a client leaves them that dies in the middle of one."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any, Literal

from attrs import frozen

from isthmus import BoundTable
from isthmus.fallback.records import (
    NOTHING,
    RECORD_TABLE,
    Lock,
    Named,
    Record,
    identity_of,
    locked,
    new_id,
    unlocked_image,
)
from isthmus.fallback.store import Identity, Place, Swap
from isthmus.operations import Context, Delete, Put
from isthmus.planned import drive
from isthmus.values import Item

LATER = 5_000_000_000

State = Literal["pending", "committed", "aborted", "none"]


@frozen
class Holder:
    """Holds items of a table.

    :param state: of the record; with none the locks are orphans
    """

    table: BoundTable
    state: State

    @property
    def fallback(self) -> Any:
        """The core's part of the database."""
        return self.table.database.backend

    def run(self, plan: Generator[Any, Any, Any]) -> Any:
        """What a plan of the item store returns."""
        return drive(plan, lambda request: self.fallback.store.send(request, None))

    def hold(self, after: Mapping[str, Item | None]) -> list[Any]:
        """Hold items, each with what it will be; whether each is held."""
        stored = self.run(self.fallback.store.admit(self.table.schema))
        attempt = new_id()
        lock = Lock(f"x:{attempt.hex()}", attempt)
        places = [Place(stored, {"id": key}) for key in after]
        if self.state != "none":
            self.record(lock, places)
        items = self.run(self.fallback.store.read_many(places))
        swaps = [
            locking(place, item, lock, image) for place, item, image in zip(places, items, after.values(), strict=True)
        ]
        found: list[Any] = self.run(self.fallback.store.swap_many(swaps))
        return found

    def record(self, lock: Lock, places: list[Place]) -> None:
        """Write the record that says what becomes of the locks."""
        named = tuple(Named(place.table.name, place.key) for place in places)
        state: Any = self.state
        record = Record(lock.record, lock.attempt, state, named, 1, int(time.time() * 1000))
        self.run(self.fallback.store.create_records(RECORD_TABLE))
        place = Place(RECORD_TABLE, {"id": record.id})
        assert self.run(self.fallback.store.swap(Swap(place, None, record.to_item()))) is True


def locking(place: Place, item: Item | None, lock: Lock, after: Item | None) -> Swap:
    """What puts a lock on an item."""
    image = NOTHING if item is None else unlocked_image(item)
    action = Delete(Context(), place.table, place.key) if after is None else Put(Context(), place.table, after)
    expected: Identity | None = identity_of(item)
    return Swap(place, expected, locked(image, place.key, place.table, lock, action, after))


def raw(table: BoundTable, key: str) -> Any:
    """The document of an item."""
    return table.database.native().get_default_database()[table.name].find_one({"_id": {"id": key}})


def sums(items: Any) -> dict[str, int]:
    """The number of each item."""
    return {item["id"]: item["n"] for item in items if item is not None}
