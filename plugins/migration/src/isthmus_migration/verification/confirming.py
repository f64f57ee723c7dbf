"""Looking every key that seems to differ up again on both sides, and writing down what differs indeed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar, cast

from attrs import define

from isthmus.errors import IsthmusError
from isthmus.values import Item, dumps, loads
from isthmus_migration.dead.replayed import replayed_items
from isthmus_migration.digests import bucket_of, item_digest
from isthmus_migration.errors import WorkDirectoryDamaged
from isthmus_migration.journal.journal import Journal
from isthmus_migration.plans.plan import TablePlan
from isthmus_migration.rollback.lost import lost_images
from isthmus_migration.slices.claims import CODE as COLLISION
from isthmus_migration.slices.images import files_of_table
from isthmus_migration.slices.worker import Worker
from isthmus_migration.transforms import TransformError
from isthmus_migration.verification.buckets import unpack_buckets
from isthmus_migration.verification.candidates import Candidate, Differences
from isthmus_migration.verification.expected import was_copied
from isthmus_migration.verification.judging import MISMATCHES, Rules, finding, judge
from isthmus_migration.verification.lookups import LookUp
from isthmus_migration.verification.parts import SidePart
from isthmus_migration.verification.planning import level_of
from isthmus_migration.verification.records import Record

_T = TypeVar("_T")
_NOT_FOR_WHAT_IT_HOLDS: Final = (COLLISION, "already_exists")
"""Codes of dead letters that another item is to blame for."""
_FEW: Final = 500
_MANY: Final = 10_000
"""Keys of one look-up, in places that know their keys and in those that have to be read for it."""


@define
class Confirming:
    """Confirms the candidates of a verification, table by table; the record says how far it came."""

    journal: Journal
    worker: Worker
    record: Record
    differences: Differences

    def run(self) -> None:
        """Confirm all candidates that are left.

        :raises IsthmusError: a place can't be used now; what was confirmed is journaled
        """
        for plan in self.worker.plan.tables:
            self._confirm(plan)

    def _confirm(self, plan: TablePlan) -> None:
        name, record = plan.source.name, self.record
        look_up = self.look_up(plan, insist=record.settings.level in ("sample", "full"))
        if level_of(record.settings, plan) in ("digest", "full"):
            self.differences.suspect_replayed(name, self._in_question(plan))
        if self._keeps(plan):
            self._require_images(name)
            self.differences.note_ours(name, _written_keys(self.worker.workdir / "images", name))
        for batch in batches(self._suspects(name), self.batch):
            rules = self.rules(plan, batch)
            judged = [(judge(both, rules), both) for both in look_up.both(batch)]
            found = [finding(both, kind, rules) for kind, both in judged if kind in MISMATCHES]
            kinds = Counter(kind for kind, _both in judged)
            sampled = len(batch) if record.settings.level == "sample" else 0
            record.after[name] = batch[-1].key
            record.tally(name, dead=kinds["dead"], expired=kinds["expired"], kept=kinds["kept"],
                         others=kinds["other"], sampled=sampled)  # fmt: skip
            record.save_with(self.journal, name, found)

    def look_up(self, plan: TablePlan, *, insist: bool = False) -> LookUp:
        """Looks keys of a table up on both sides."""
        name = plan.source.name
        self.differences.note_replayed(name, replayed_items(self.journal, name))
        replayed = partial(self.differences.replayed, name)
        return LookUp(self.worker, self.worker.table(name), insist=insist, replayed=replayed)

    def _in_question(self, plan: TablePlan) -> Callable[[str], bool]:
        """Tells whether the first phase left open if the target holds what it should under a key."""
        if self.record.settings.level == "full":
            return lambda _key: True
        units = (state.unit for state in self.journal.units("recheck") if state.unit.table == plan.source.name)
        unit = next(units, None)
        buckets = frozenset[int]() if unit is None else unpack_buckets(SidePart.from_json(unit.spec).buckets)
        names = plan.target.key_names
        return lambda key: bucket_of(cast("Item", loads(key))[name] for name in names) in buckets

    @property
    def batch(self) -> int:
        """How many keys are looked up at once."""
        return _FEW if self.worker.source.holds_keys and self.worker.target.holds_keys else _MANY

    def _suspects(self, name: str) -> Iterator[Candidate]:
        every = self.record.settings.level == "sample"
        found = self.differences.candidates(name, self.record.after.get(name, ""))
        return (candidate for candidate in found if every or candidate.differs)

    def _keeps(self, plan: TablePlan) -> bool:
        """Whether the migration left items as the target had them."""
        return plan.occupied and self.worker.plan.into_existing == "skip" and was_copied(self.journal)

    def _require_images(self, name: str) -> None:
        """Refuse to take what the migration wrote for what it left alone.

        :raises WorkDirectoryDamaged: it is not known any more what it wrote
        """
        images = self.worker.workdir / "images"
        lost = lost_images(self.journal, name, images)
        if lost:
            raise WorkDirectoryDamaged(
                f"{images} does not tell any more which {lost:,} items of table {name!r} the migration has written: "
                "restore it from a copy of the work directory, or use `isthmus verify`, for which no item is a kept one"
            )

    def rules(self, plan: TablePlan, batch: list[Candidate], *, extra: bool | None = None) -> Rules:
        """What is no mismatch, for some keys.

        :param extra: whether items that only the target has are one; as the verification was told when ``None``
        """
        name, settings = plan.source.name, self.record.settings
        keys = {one.key for one in batch} if self._keeps(plan) else set[str]()
        return Rules(
            extra=settings.counts_extra(occupied=plan.occupied) if extra is None else extra,
            dead=(dead := dead_keys(self.journal, name, batch)),
            originals=_originals(self.journal, name, dead) if self.worker.source.unique_keys else {},
            shared={} if self.worker.source.unique_keys else self._shared(name, dead),
            kept=frozenset(keys - self.differences.ours(name, keys)),
            alone=not was_copied(self.journal),
            with_fields=settings.level == "full",
        )

    def _shared(self, name: str, keys: Iterable[str]) -> dict[str, frozenset[int]]:
        """What dead letters would have come to whose keys other items of the source have too."""
        rows = self.journal.rows(
            "SELECT item_key, original, code FROM dead WHERE source_table = ? AND status != 'replayed' "
            "AND form = 'json' AND item_key IN (SELECT value FROM json_each(?))",
            (name, json.dumps(list(keys))),
        )
        collided = {key for key, _original, code in rows if code == COLLISION}
        found: dict[str, set[int]] = {key: set() for key in collided}
        for key, original, _code in rows:
            if key in collided:
                found[key] |= self._digest_of(name, original)
        return {key: frozenset(digests) for key, digests in found.items()}

    def _digest_of(self, name: str, original: bytes) -> set[int]:
        try:
            image = self.worker.table(name).transform(cast("Item", loads(original.decode())))
        except (IsthmusError, TransformError, ValueError):
            return set()
        return set() if image is None else {item_digest(image)}


def dead_keys(journal: Journal, table: str, batch: list[Candidate]) -> frozenset[str]:
    """The source's keys, of those in a batch, whose items are dead letters."""
    keys = [key for one in batch for key, _digest in one.sources if key is not None]
    rows = journal.rows(
        "SELECT DISTINCT item_key FROM dead WHERE source_table = ? AND status != 'replayed' "
        "AND item_key IN (SELECT value FROM json_each(?))",
        (table, json.dumps(keys)),
    )
    return frozenset(str(key) for (key,) in rows)


def _originals(journal: Journal, table: str, keys: Iterable[str]) -> dict[str, frozenset[int]]:
    """The digests that items had when they were refused for what they hold; of those that could not be read, none."""
    rows = journal.each(
        "SELECT item_key, form, original, code FROM dead WHERE source_table = ? AND status != 'replayed' "
        "AND item_key IN (SELECT value FROM json_each(?))",
        (table, json.dumps(list(keys))),
    )
    found: dict[str, set[int]] = {}
    others: set[str] = set()
    for key, form, original, code in rows:
        if code in _NOT_FOR_WHAT_IT_HOLDS:
            others.add(key)
        read = {item_digest(cast("Item", loads(original.decode())))} if form == "json" else set[int]()
        found.setdefault(key, set()).update(read)
    return {key: frozenset(digests) for key, digests in found.items() if key not in others}


def _written_keys(folder: Path, table: str) -> Iterator[str]:
    """The target's keys that the migration has written, by their pre-images."""
    for file in files_of_table(folder, table):
        yield from (dumps(image.key) for image in file.images())


def batches(things: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Things in lists of at most so many."""
    stream = iter(things)
    while batch := list(islice(stream, size)):
        yield batch
