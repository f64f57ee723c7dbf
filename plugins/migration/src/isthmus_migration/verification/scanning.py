"""The slices of a verification: digests, counts, comparisons, and lists of the items of some buckets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from heapq import nsmallest
from typing import Any, Final

from attrs import evolve

from isthmus.values import dumps, equal
from isthmus_migration.digests import BucketDigest, canonical_text
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, SliceResult, SliceTask
from isthmus_migration.verification.buckets import unpack_buckets
from isthmus_migration.verification.lookups import Held, get_readable
from isthmus_migration.verification.parts import SidePart, Work, place_of
from isthmus_migration.verification.reading import Reading, Seen, is_stored_as_is, read_part

RANKS: Final = 1 << 63
"""Random ranks of keys are below this."""
_COUNTED_AT_ONCE: Final = 20
_TYPICAL_ITEM: Final = 400
"""Bytes of an item, for rates by size, where nobody has measured."""

Found = list[dict[str, Any]]
_Function = Callable[[Worker, Reading, BucketDigest], Found]


def verify_slice(worker: Worker, task: SliceTask) -> SliceResult:
    """Do the next slice of a part of one side.

    :raises IsthmusError: a place can't be used now; the slice may be done again
    """
    part, pace = SidePart.from_json(task.unit.spec), Pace(task.budget)
    if part.work == "count" and is_stored_as_is(worker.table(task.unit.table), part.side):
        return _counted(worker, task, part, pace)
    reading, digest = read_part(worker, task, part), BucketDigest()
    found = _WORK[part.work](worker, reading, digest)
    pace.keep(reading.read, reading.read * _TYPICAL_ITEM)
    counts = Counts(read=reading.read, skipped=reading.skipped, dead=reading.dead)
    digests: dict[str, bytes] = {part.side: digest.pack()} if digest.buckets else {}
    return SliceResult(
        task, reading.found.cursor, counts, digests, found=tuple(found), waited=pace.waited, owed=pace.owed
    )


def _counted(worker: Worker, task: SliceTask, part: SidePart, pace: Pace) -> SliceResult:
    """Let the place count: it need not send the items."""
    place, plan = place_of(worker, part.side), worker.table(task.unit.table).plan
    table = plan.source if part.side == "source" else plan.target
    # Where nobody has set a rate, what is only counted may be more at once.
    is_held = task.budget.items_per_second or task.budget.read_units
    items = task.budget.items * (1 if is_held else _COUNTED_AT_ONCE)
    found = place.count(table, part.unit, task.cursor, items=items)
    pace.keep(found.count, 0)
    digests: dict[str, bytes] = {part.side: BucketDigest({0: (found.count, 0)}).pack()} if found.count else {}
    return SliceResult(task, found.cursor, Counts(read=found.count), digests, waited=pace.waited, owed=pace.owed)


def pass_over(worker: Worker, task: SliceTask) -> SliceResult:
    """Count the next item as one that can't be transformed: whoever tries to dies. The copy has a dead letter of it."""
    reading = read_part(worker, evolve(task, budget=evolve(task.budget, items=1)), SidePart.from_json(task.unit.spec))
    return SliceResult(task, reading.found.cursor, Counts(read=reading.read, dead=reading.read))


def _digest(_worker: Worker, reading: Reading, digest: BucketDigest) -> Found:
    if reading.plain:
        digest.add(reading.found.items, reading.work.plan.target.key_names)
        return []
    for seen in reading.told():
        digest.add_one(seen.bucket, seen.digest)
    return []


def _count(_worker: Worker, reading: Reading, digest: BucketDigest) -> Found:
    count = reading.read if reading.plain else sum(1 for _seen in reading.told())
    if count:
        digest.buckets[0] = count, 0
    return []


def _compare(worker: Worker, reading: Reading, digest: BucketDigest) -> Found:
    """Compare each item with the target's, as values and not by digest."""
    expected = list(reading.items())
    for seen in expected:
        if seen.item is not None:
            digest.add_one(seen.bucket, seen.digest)
    there = get_readable(worker.target, reading.work.plan.target, [seen.key for seen in expected])
    return [
        {**_candidate(reading, seen), "side": "compared"}
        for seen, item in zip(expected, there, strict=True)
        if item is None or isinstance(item, Held) or not equal(seen.item, item)
    ]


def _list(_worker: Worker, reading: Reading, _digest: BucketDigest) -> Found:
    buckets = unpack_buckets(reading.part.buckets)
    return [_candidate(reading, seen) for seen in reading.items() if seen.bucket in buckets]


def _pick(_worker: Worker, reading: Reading, _digest: BucketDigest) -> Found:
    """The keys with the lowest ranks: a sample in which every key is as likely as any other, in whatever order."""
    part = reading.part
    seed = part.seed.to_bytes(16, signed=True)
    ranked = ((_rank(seed, seen, reading.work.plan.target.key_names), seen) for seen in reading.items())
    chosen = nsmallest(part.sample, (pair for pair in ranked if pair[0] < part.below), key=lambda pair: pair[0])
    return [{**_candidate(reading, seen), "rank": rank} for rank, seen in chosen]


def _rank(seed: bytes, seen: Seen, names: Sequence[str]) -> int:
    return int.from_bytes(sha256(seed + canonical_text([seen.key[name] for name in names])).digest()[:8]) >> 1


def _candidate(reading: Reading, seen: Seen) -> dict[str, Any]:
    source_key = None if seen.source_key is None else dumps(seen.source_key)
    return {
        "kind": "candidate", "side": reading.part.side, "key": dumps(seen.key), "source_key": source_key,
        "digest": f"{seen.digest:032x}",
    }  # fmt: skip


_WORK: Final[dict[Work, _Function]] = {
    "digest": _digest, "count": _count, "compare": _compare, "list": _list, "pick": _pick,
}  # fmt: skip
