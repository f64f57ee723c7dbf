"""Reads and writes of many items, not atomic."""

from __future__ import annotations

from typing import Self

from attrs import evolve, frozen

from isthmus.capabilities import Capability
from isthmus.expressions import Path
from isthmus.operations.base import ItemKey, MapItem, TableOperation
from isthmus.values import Item


@frozen
class GetMany(TableOperation):
    """Read many items by key, each answered at its place (rules BAT-2, BAT-5)."""

    kind = "get_many"

    keys: tuple[ItemKey, ...]
    projection: tuple[Path, ...] | None = None
    consistent: bool = True

    def requires(self) -> tuple[Capability, ...]:
        projection = () if self.projection is None else (Capability.PROJECTION,)
        strong = (Capability.STRONG_READ,) if self.consistent else ()
        return (Capability.BATCH_GET, *projection, *strong)


@frozen
class PutMany(TableOperation):
    """Write many items, without conditions and not atomically (rules BAT-6, BAT-7).

    :param new: whether most of the items are not stored yet: a backend may have a faster way for those, and whatever
        is stored is replaced all the same
    """

    kind = "put_many"
    writes = True

    items: tuple[Item, ...]
    new: bool = False

    @property
    def idempotent(self) -> bool:
        return True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.BATCH_WRITE,)

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, items=tuple(function(item) for item in self.items))


@frozen
class DeleteMany(TableOperation):
    """Remove many items, without conditions and not atomically."""

    kind = "delete_many"
    writes = True

    keys: tuple[ItemKey, ...]

    @property
    def idempotent(self) -> bool:
        return True

    def requires(self) -> tuple[Capability, ...]:
        return (Capability.BATCH_WRITE,)
