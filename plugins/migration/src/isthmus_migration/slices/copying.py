"""Copying one slice: read, transform, keep pre-images, write, and account for every item."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from attrs import define, field

from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.results import Unreadable
from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus.values import Item, dumps
from isthmus_migration.digests import BucketDigest, canonical_text, keyed
from isthmus_migration.places.base import Part, Receipt
from isthmus_migration.slices.images import Image, earlier_images, keep_images
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import TableWork, Worker
from isthmus_migration.tasks import Counts, DeadLetter, Phase, SliceResult, SliceTask
from isthmus_migration.transforms import TransformError

CLAIM_BYTES: Final = 16
"""Bytes of one claim."""


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
    """What became of the items of one slice."""

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
    claimed: list[bytes] = field(factory=list)
    fits: bool = False

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


def copy_slice(worker: Worker, task: SliceTask) -> SliceResult:
    """Copy the next items of a unit.

    :raises IsthmusError: a place can't be used now; the slice may be done again
    """
    work, pace = worker.table(task.unit.table), Pace(task.budget)
    budget, account = task.budget, Account(worker, work, task)
    read = worker.source.read(work.plan.source, task.unit.spec, task.cursor, items=budget.items, size=budget.size)
    for fault in read.unreadable:
        account.dead.append(_unreadable(work.plan.source, fault, worker.source.form))
    moves = without_collisions(account, _moves(account, read))
    moves, existing = _wanted(account, moves)
    _keep_images(account, moves, existing)
    receipt = _write(account, moves)
    pace.keep(len(read.items), account.size)
    return _result(account, read, moves, receipt, pace)


def _unreadable(table: Table, fault: Unreadable, form: str) -> DeadLetter:
    key = dumps(fault.key) if fault.key is not None else fault.name or "unknown key"
    original, stored = fault.original, fault.form or form
    return DeadLetter(table.name, key, "decode", fault.error.code, fault.error.message, original or b"", stored)


def _moves(account: Account, read: Slice) -> list[Move]:
    """The items with their transformed images; those that can't be transformed are dead, those filtered skipped."""
    transform = account.work.transform
    if transform.identity:
        return _identical(account, read.items)
    moves: list[Move] = []
    before, after = keyed(account.work.plan.source.key_names), keyed(account.target_table.key_names)
    for item in read.items:
        text = canonical_text(item)
        account.size += len(text)
        account.source.add_one(before(item), _hash(text))
        try:
            changed = transform(item)
        except TransformError as error:
            account.bury(item, "transform", error.code, error.message)
            continue
        if changed is None:
            account.skipped += 1
        else:
            moves.append(Move(item, changed, after(changed), _hash(canonical_text(changed))))
    return moves


def _identical(account: Account, items: Sequence[Item]) -> list[Move]:
    bucket, add, size, moves = keyed(account.target_table.key_names), account.source.add_one, 0, list[Move]()
    # A number with more digits than the target has room for shows as so many in the text; a text may look like one.
    search = account.work.long_number.search
    fits = account.work.same_limits
    for item in items:
        text = canonical_text(item)
        size += len(text)
        place, digest = bucket(item), _hash(text)
        add(place, digest)
        moves.append(Move(item, item, place, digest))
        fits = fits and search(text) is None
    account.size, account.fits = size, fits
    return moves


def _hash(text: bytes) -> int:
    return int.from_bytes(sha256(text).digest()[:16])


def without_collisions(account: Account, moves: list[Move]) -> list[Move]:
    """The moves without those whose key another one has, of this slice or of a journaled one: the first one stays."""
    names, seen, kept = account.target_table.key_names, set[tuple[Any, ...]](), []
    refused = account.task.refused
    for move in moves:
        key = tuple([move.target[name] for name in names])
        if key in seen or (refused and claim_of(account.target_table, dict(zip(names, key, strict=True))) in refused):
            account.bury(move.source, "transform", "key_collision", "another item of the source has this key")
        else:
            seen.add(key)
            kept.append(move)
    return kept


# ---- what the target has already ----


def _wanted(account: Account, moves: list[Move]) -> tuple[list[Move], dict[str, Item | None]]:
    """The moves that shall be written, and what the target holds under their keys."""
    if not moves or not _may_exist(account):
        return moves, {}
    names = account.target_table.key_names
    keys = [{name: move.target[name] for name in names} for move in moves]
    found = account.worker.target.get_many(account.target_table, keys)
    known = earlier_images(account.worker.workdir / "images", account.task)
    wanted: list[Move] = []
    existing: dict[str, Item | None] = {}
    for move, key, item in zip(moves, keys, found, strict=True):
        text = dumps(key)
        before = known[text].before if text in known else item
        if _is_wanted(account, move, before, item, seen=text in known):
            wanted.append(move)
            existing[text] = before
    return wanted, existing


def _may_exist(account: Account) -> bool:
    expected = account.work.plan.occupied or _collides(account) or bool(account.task.unsettled)
    return account.worker.target.holds_keys and expected


def _collides(account: Account) -> bool:
    """Whether two items of the source could have one key in the target."""
    return account.work.transform.changes_keys or not account.worker.source.unique_keys


def _is_wanted(account: Account, move: Move, before: Item | None, now: Item | None, *, seen: bool) -> bool:
    """Whether a move shall be written, by what the target held before the migration and what it holds now.

    :param seen: whether an earlier run of this slice meant to write it
    """
    plan = account.work.plan
    if now is not None and _hash(canonical_text(now)) == move.digest:
        account.unchanged += 1
        if _collides(account):
            account.claimed.append(claim_of(account.target_table, account.target_table.key_of(move.target)))
        account.expected.add_one(move.bucket, move.digest)
        if before is not None:
            account.replaced.add_one(move.bucket, _hash(canonical_text(before)))
        return False
    if before is None or seen:
        return True
    if not plan.occupied:
        return _judge_stranger(account, move)
    if account.worker.plan.into_existing == "skip":
        account.skipped += 1
        return False
    if account.worker.plan.into_existing == "fail":
        account.bury(move.source, "write", "already_exists", "the target has an item with this key")
        return False
    return True


def _judge_stranger(account: Account, move: Move) -> bool:
    """Another item stands in a place where the migration alone writes: a second run's own, or another one's."""
    if account.task.unsettled and not _collides(account):
        return True
    account.bury(move.source, "transform", "key_collision", "the target holds another item under this key")
    return False


def _keep_images(account: Account, moves: list[Move], existing: dict[str, Item | None]) -> None:
    plan = account.work.plan
    if plan.created or not account.worker.plan.keep_images:
        return
    names, images = account.target_table.key_names, []
    for move in moves:
        key = {name: move.target[name] for name in names}
        images.append(Image(key, existing.get(dumps(key)), f"{move.digest:032x}"))
    keep_images(account.worker.workdir / "images", account.task, images)
    for move, image in zip(moves, images, strict=True):
        if image.before is not None:
            account.replaced.add_one(move.bucket, _hash(canonical_text(image.before)))


# ---- writing ----


def _write(account: Account, moves: list[Move]) -> Receipt:
    part = Part(account.task.unit.id, account.task.sequence)
    items = [move.target for move in moves]
    receipt = account.worker.target.put_many(account.target_table, items, part, normal=account.fits)
    refused = {refusal.position for refusal in receipt.refusals}
    for refusal in receipt.refusals:
        account.bury_for(moves[refusal.position].source, refusal.error)
    if not refused and account.fits and len(moves) == account.source.items:
        account.expected = account.source
        return receipt
    for position, move in enumerate(moves):
        if position not in refused:
            account.expected.add_one(move.bucket, move.digest)
    return receipt


def _result(account: Account, read: Slice, moves: list[Move], receipt: Receipt, pace: Pace) -> SliceResult:
    counts = Counts(
        len(read.items) + len(read.unreadable), len(moves) - len(receipt.refusals), account.unchanged, account.skipped,
        len(account.dead), account.size, receipt.retried, receipt.throttled,
    )  # fmt: skip
    source = account.source.pack()
    expected = source if account.expected is account.source else account.expected.pack()
    digests = {"source": source, "expected": expected}
    if account.replaced.buckets:
        digests["replaced"] = account.replaced.pack()
    return SliceResult(
        account.task, read.cursor, counts, digests, tuple(account.dead), _claims(account, moves), waited=pace.waited
    )


def _claims(account: Account, moves: list[Move]) -> bytes:
    """Hashes of the target's keys, where two items could have one: no key may be journaled twice."""
    if not _collides(account):
        return b""
    names = account.target_table.key_names
    stored = b"".join(claim_of(account.target_table, {name: move.target[name] for name in names}) for move in moves)
    return stored + b"".join(account.claimed)


def claim_of(table: Table, key: Item) -> bytes:
    """The hash of a key of the target."""
    data = table.name.encode() + b"\0" + canonical_text([key[name] for name in table.key_names])
    return sha256(data).digest()[:CLAIM_BYTES]
