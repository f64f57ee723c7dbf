"""Copying one slice: read, transform, keep pre-images, write, and account for every item."""

from __future__ import annotations

import time
from collections.abc import Sequence

from attrs import evolve

from isthmus.errors import InvalidArgument
from isthmus.results import Unreadable
from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus.values import Item, dumps, equal
from isthmus.writes import expired
from isthmus_migration.digests import canonical_text, keyed
from isthmus_migration.places.base import Part, Receipt, Refusal
from isthmus_migration.slices.account import Account, Move, digest_of
from isthmus_migration.slices.claims import claims_of, distinct, fingerprint, granted, may_collide
from isthmus_migration.slices.existing import Existing, keep_images_of, look_up
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, DeadLetter, SliceResult, SliceTask
from isthmus_migration.transforms import TransformError


def copy_slice(worker: Worker, task: SliceTask) -> SliceResult:
    """Copy the next items of a unit, or only claim their keys where keys can collide.

    :raises IsthmusError: a place can't be used now; the slice may be done again
    """
    done = _copy(worker, task)
    while not isinstance(done, SliceResult):
        done = _copy(worker, evolve(task, budget=evolve(task.budget, items=done)))
    return done


def _copy(worker: Worker, task: SliceTask) -> SliceResult | int:
    """Do it, or say to how many items the slice has to be cut before anything is written."""
    work, pace = worker.table(task.unit.table), Pace(task.budget)
    budget, account = task.budget, Account(worker, work, task)
    read = worker.source.read(work.plan.source, task.unit.spec, task.cursor, items=budget.items, size=budget.size)
    for fault in read.unreadable:
        account.dead.append(unreadable(work.plan.source, fault, worker.source.form))
    moves = distinct(account, moves_of(account, read))
    if may_collide(account):
        claims = claims_of(account, moves)
        text = b"".join(claims)
        # Where all items went meanwhile, none is claimed: that is asked for too, so that their keys are free again.
        asked = fingerprint(text) if claims or task.granted else b""
        if asked != task.granted:
            pace.keep(len(read.items), account.size)
            counts = Counts(read=len(read.items) + len(read.unreadable))
            return SliceResult(task, read.cursor, counts, claims=text, pending=True, waited=pace.waited, owed=pace.owed)
        moves = granted(account, moves, claims)
    existing = look_up(account, moves)
    if existing.cut is not None:
        cut = existing.cut.source
        return next(place for place, item in enumerate(read.items) if item is cut)
    keep_images_of(account, existing)
    written, receipt = write_moves(account, existing)
    pace.keep(len(read.items), account.size)
    return _result(account, read, written, receipt, pace)


def unreadable(table: Table, fault: Unreadable, form: str) -> DeadLetter:
    """The dead letter of a stored item that could not be read."""
    key = dumps(fault.key) if fault.key is not None else fault.name or "unknown key"
    original, stored = fault.original, fault.form or form
    return DeadLetter(table.name, key, "decode", fault.error.code, fault.error.message, original or b"", stored)


def moves_of(account: Account, read: Slice) -> list[Move]:
    """The items with their transformed images; those that can't be transformed are dead, those filtered skipped."""
    transform = account.work.transform
    if transform.identity:
        return _identical(account, read.items)
    moves: list[Move] = []
    before, after = keyed(account.work.plan.source.key_names), keyed(account.target_table.key_names)
    for item in read.items:
        text = canonical_text(item)
        account.size += len(text)
        account.source.add_one(before(item), digest_of(text))
        try:
            changed = transform(item)
        except TransformError as error:
            account.bury(item, "transform", error.code, error.message)
            continue
        if changed is None:
            account.skipped += 1
        else:
            account.moved = account.moved or (transform.changes_keys and _is_moved(account, item, changed))
            moves.append(Move(item, changed, after(changed), digest_of(canonical_text(changed))))
    return moves


def _is_moved(account: Account, before: Item, after: Item) -> bool:
    return not equal(account.work.plan.source.key_of(before), account.target_table.key_of(after))


def _identical(account: Account, items: Sequence[Item]) -> list[Move]:
    bucket, add, size, moves = keyed(account.target_table.key_names), account.source.add_one, 0, list[Move]()
    # A number with more digits than the target has room for shows as so many in the text; a text may look like one.
    may_be_long = account.work.may_hold_long_number
    fits = account.work.same_limits
    for item in items:
        text = canonical_text(item)
        size += len(text)
        place, digest = bucket(item), digest_of(text)
        add(place, digest)
        moves.append(Move(item, item, place, digest))
        fits = fits and not may_be_long(text)
    account.size, account.fits = size, fits
    return moves


# ---- writing ----


def write_moves(account: Account, existing: Existing) -> tuple[int, Receipt]:
    """Write the moves; how many were written."""
    moves, part = existing.moves, Part(account.task.unit.id, account.task.sequence)
    items = [move.target for move in moves]
    new = not any(existing.now)
    receipt = account.worker.target.put_many(account.target_table, items, part, normal=account.fits, new=new)
    refused = {refusal.position for refusal in receipt.refusals}
    for refusal in receipt.refusals:
        _refuse(account, moves[refusal.position], refusal)
    for position, before in enumerate(existing.before):
        if before is not None and position not in refused:
            account.replaced.add_one(moves[position].bucket, before)
    if not refused and account.fits and len(moves) == account.source.items:
        account.expected = account.source
        return len(moves), receipt
    for position, move in enumerate(moves):
        if position not in refused:
            account.expected.add_one(move.bucket, move.digest)
    return len(moves) - len(refused), receipt


def _refuse(account: Account, move: Move, refusal: Refusal) -> None:
    """Account for an item that the target refused: one whose time has come is left out, as the source does itself."""
    account.lost.append(move)
    if isinstance(refusal.error, InvalidArgument) and expired(account.target_table, move.target, time.time()):
        account.skipped += 1
    else:
        account.bury_for(move.source, refusal.error)


def _result(account: Account, read: Slice, written: int, receipt: Receipt, pace: Pace) -> SliceResult:
    counts = Counts(
        len(read.items) + len(read.unreadable), written, account.unchanged, account.skipped, len(account.dead),
        account.size, receipt.retried, receipt.throttled,
    )  # fmt: skip
    source = account.source.pack()
    expected = source if account.expected is account.source else account.expected.pack()
    digests = {"source": source, "expected": expected}
    if account.replaced.buckets:
        digests["replaced"] = account.replaced.pack()
    given_back = b"".join(claims_of(account, account.lost)) if may_collide(account) else b""
    return SliceResult(
        account.task, read.cursor, counts, digests, tuple(account.dead), given_back,
        moved=account.moved, waited=pace.waited, owed=pace.owed,
    )  # fmt: skip
