"""Reading one side of a table as it is in the target, or should be there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from attrs import define, field, frozen

from isthmus.slices import Slice
from isthmus.values import Item
from isthmus.writes import expired
from isthmus_migration.digests import bucket_of, item_digest, keyed
from isthmus_migration.slices.worker import TableWork, Worker
from isthmus_migration.tasks import SliceTask
from isthmus_migration.transforms import TransformError
from isthmus_migration.verification.parts import Side, SidePart, place_of

UNREADABLE = 0
"""The digest that stands for what can't be told, a stored item that can't be read say: no item has it."""


@frozen
class Seen:
    """An item of one side.

    :param key: the target's key attributes
    :param source_key: the source's, where they are known
    :param item: as it is in the target, or should be; ``None`` where it can't be read, or not be transformed
    """

    key: Item
    bucket: int
    source_key: Item | None
    item: Item | None

    @property
    def digest(self) -> int:
        """The item's digest, or ``UNREADABLE``."""
        return UNREADABLE if self.item is None else item_digest(self.item)


def is_stored_as_is(work: TableWork, side: Side) -> bool:
    """Whether a side's items are what is in the target, or should be there, with nothing to leave out."""
    return (side == "target" or work.transform.identity) and work.plan.target.ttl is None


@define
class Reading:
    """A slice of one side; its counts are complete once all of ``items`` was taken.

    :param dead: items that could not be read or transformed, for the target those whose key is unknown
    """

    work: TableWork
    part: SidePart
    found: Slice
    skipped: int = 0
    dead: int = 0
    expired: int = 0
    now: float = field(factory=time.time)

    @property
    def read(self) -> int:
        """How many stored items the slice holds."""
        return len(self.found.items) + len(self.found.unreadable)

    @property
    def plain(self) -> bool:
        """Whether the slice's items are as they are in the target, with nothing to leave out."""
        return is_stored_as_is(self.work, self.part.side) and not self.found.unreadable

    def items(self) -> Iterator[Seen]:
        """What is in the target, or should be there."""
        return self._of_target() if self.part.side == "target" else self._of_source()

    def told(self) -> Iterator[Seen]:
        """The same, without what the source has and nobody can tell the image of."""
        return (seen for seen in self.items() if self.part.side == "target" or seen.item is not None)

    def _of_target(self) -> Iterator[Seen]:
        table = self.work.plan.target
        bucket = keyed(table.key_names)
        for item in self.found.items:
            if expired(table, item, self.now):
                self.expired += 1
            else:
                yield Seen(table.key_of(item), bucket(item), None, item)
        for fault in self.found.unreadable:
            if fault.key is None:
                self.dead += 1
            else:
                yield Seen(fault.key, bucket_of(fault.key[name] for name in table.key_names), None, None)

    def _of_source(self) -> Iterator[Seen]:
        source, target, transform = self.work.plan.source, self.work.plan.target, self.work.transform
        bucket = keyed(target.key_names)
        for fault in self.found.unreadable:
            self.dead += 1
            if fault.key is not None:
                yield from self._untold(fault.key)
        for item in self.found.items:
            try:
                image = transform(item)
            except TransformError:
                self.dead += 1
                yield from self._untold(source.key_of(item))
                continue
            if image is None:
                self.skipped += 1
            elif expired(target, image, self.now):
                self.expired += 1
            else:
                yield Seen(target.key_of(image), bucket(image), source.key_of(item), image)

    def _untold(self, key: Item) -> Iterator[Seen]:
        """An item of the source that has no image, where its key in the target is known all the same."""
        if not self.work.transform.changes_keys:
            yield Seen(key, bucket_of(key[name] for name in self.work.plan.target.key_names), key, None)


def read_part(worker: Worker, task: SliceTask, part: SidePart) -> Reading:
    """Read the next slice of a part."""
    work = worker.table(task.unit.table)
    table = work.plan.source if part.side == "source" else work.plan.target
    place, budget = place_of(worker, part.side), task.budget
    return Reading(work, part, place.read(table, part.unit, task.cursor, items=budget.items, size=budget.size))
