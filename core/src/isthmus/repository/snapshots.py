"""What entities looked like in the store when they were read or written, beside them: the classes stay plain."""

from __future__ import annotations

import weakref
from typing import Any

from isthmus.values import Item


class Snapshot(weakref.ref[Any]):
    """A weak reference to an entity, with its item.

    ``today`` is the item as ``upgrade`` made it, and the item itself where it is of today's shape.
    """

    __slots__ = ("item", "owner", "place", "today")

    owner: object
    item: Item
    today: Item
    place: int


class Snapshots:
    """By identity, because entities need be neither hashable nor different from each other."""

    __slots__ = ("_forget", "_known", "claims")

    def __init__(self) -> None:
        known: dict[int, Snapshot] = {}

        def forget(snapshot: Snapshot) -> None:
            # The place may have been taken by another snapshot of the same entity.
            if known.get(snapshot.place) is snapshot:
                del known[snapshot.place]

        self._known = known
        self.claims: dict[Any, Any] = {}
        """In a unit of work: the unique values that were taken in it."""
        self._forget = forget

    def keep(self, owner: object, entity: Any, item: Item, today: Item | None = None) -> None:
        """Remember an entity's item; one of a class without weak references is not remembered."""
        try:
            snapshot = Snapshot(entity, self._forget)
        except TypeError:
            return
        snapshot.owner, snapshot.item, snapshot.place = owner, item, id(entity)
        snapshot.today = item if today is None else today
        self._known[snapshot.place] = snapshot

    def of(self, owner: object, entity: Any) -> Snapshot | None:
        """The snapshot that the same owner kept of an entity."""
        found = self._known.get(id(entity))
        return found if found is not None and found() is entity and found.owner is owner else None

    def carry(self, owner: object, source: Any, target: Any) -> None:
        """What is known of an entity is known of its changed copy too."""
        found = None if source is target else self.of(owner, source)
        if found is not None:
            self.keep(owner, target, found.item, found.today)

    def drop(self, entity: Any) -> None:
        """Forget an entity."""
        self._known.pop(id(entity), None)

    def __len__(self) -> int:
        return len(self._known)


class WaitingSnapshots(Snapshots):
    """Those of a unit of work. Whether what it wrote of an entity is stored, nobody knows outside."""

    __slots__ = ("_outside",)

    def __init__(self, outside: Snapshots) -> None:
        super().__init__()
        self._outside = outside

    def keep(self, owner: object, entity: Any, item: Item, today: Item | None = None) -> None:
        """Remember an entity's item here, and forget what is known of it outside."""
        self._outside.drop(entity)
        super().keep(owner, entity, item, today)

    def drop(self, entity: Any) -> None:
        """Forget an entity, here and outside."""
        self._outside.drop(entity)
        super().drop(entity)
