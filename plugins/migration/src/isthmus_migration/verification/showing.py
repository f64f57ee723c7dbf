"""What both sides hold under a key that differs: read from the stores when somebody asks, and never written down."""

from __future__ import annotations

import json

from attrs import field, frozen

from isthmus.errors import ItemNotFound
from isthmus.values import Item, dumps
from isthmus_migration.journal.journal import Journal
from isthmus_migration.slices.worker import Worker
from isthmus_migration.verification.candidates import Candidate
from isthmus_migration.verification.lookups import Held, LookUp
from isthmus_migration.verification.results import Mismatch


@frozen
class BothItems:
    """The items of a key as they are now.

    :param expected: what the target should hold: the source's item after its transform; ``None`` where there is none
    :param found: what it holds; ``None`` where it holds nothing
    :param unreadable: whether the target holds something that can't be read
    """

    expected: Item | None = field(repr=False)
    found: Item | None = field(repr=False)
    unreadable: bool = False


def both_items(worker: Worker, journal: Journal, mismatch: Mismatch) -> BothItems:
    """The items of a mismatch, read now; a place that is an export is searched for it.

    :raises ItemNotFound: the last verification has no such mismatch
    """
    key = dumps(mismatch.key)
    rows = journal.rows("SELECT detail FROM mismatch WHERE source_table = ? AND item_key = ?", (mismatch.table, key))
    if not rows:
        raise ItemNotFound(f"the last verification found no difference of this key in table {mismatch.table!r}")
    source_key = json.loads(rows[0][0]).get("source_key")
    candidate = Candidate(key, () if source_key is None else ((source_key, 0),))
    (both,) = LookUp(worker, worker.table(mismatch.table), insist=True).both([candidate])
    return BothItems(_item(both.sources), _item(both.targets), any(held.item is None for held in both.targets))


def _item(held: tuple[Held, ...]) -> Item | None:
    return held[0].item if held else None
