"""What becomes of the items of one slice that is copied."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from attrs import define, field

from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.schema import Table
from isthmus.values import Item, dumps
from isthmus_migration.digests import BucketDigest
from isthmus_migration.slices.worker import TableWork, Worker
from isthmus_migration.tasks import DeadLetter, Phase, SliceTask


class Move(NamedTuple):
    """An item on its way; a tuple, because there is one for each item.

    ``source`` is the item as it was read, ``target`` as it shall be written; ``bucket`` belongs to the target's key and
    ``digest`` to the target's item.
    """

    source: Item
    target: Item
    bucket: int
    digest: int


@define
class Account:
    """Everything that one slice has to account for.

    :ivar replaced: what stood in the target before, and was overwritten or would have been
    :ivar lost: moves that were not written, so that another item may have their keys
    :ivar moved: whether an item has another key in the target than in the source
    :ivar fits: whether all items are known to be within the target's limits
    """

    worker: Worker
    work: TableWork
    task: SliceTask
    dead: list[DeadLetter] = field(factory=list)
    skipped: int = 0
    unchanged: int = 0
    size: int = 0
    source: BucketDigest = field(factory=BucketDigest)
    expected: BucketDigest = field(factory=BucketDigest)
    replaced: BucketDigest = field(factory=BucketDigest)
    lost: list[Move] = field(factory=list)
    fits: bool = False
    moved: bool = False

    @property
    def target_table(self) -> Table:
        """The target's table."""
        return self.work.plan.target

    def bury(self, item: Item, phase: Phase, code: str, reason: str) -> None:
        """Make a dead letter of an item that was read."""
        table = self.work.plan.source
        self.dead.append(DeadLetter(table.name, dumps(table.key_of(item)), phase, code, reason, dumps(item).encode()))

    def bury_for(self, item: Item, error: IsthmusError) -> None:
        """Make a dead letter of an item that the target refused."""
        self.bury(item, "encode" if isinstance(error, InvalidArgument) else "write", error.code, error.message)


def digest_of(text: bytes) -> int:
    """The digest of an item whose canonical text this is."""
    return int.from_bytes(sha256(text).digest()[:16])
