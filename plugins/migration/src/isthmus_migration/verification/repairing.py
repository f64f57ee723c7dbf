"""Repairing: the worker's side. Items that differ are copied again, each by its key or in a scan of the source."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

from attrs import frozen

from isthmus.slices import Slice
from isthmus.values import Item, dumps, loads
from isthmus_migration.digests import item_digest
from isthmus_migration.slices.account import Account, Move
from isthmus_migration.slices.claims import distinct
from isthmus_migration.slices.copying import moves_of, write_moves
from isthmus_migration.slices.existing import Existing
from isthmus_migration.slices.images import Image, keep_images
from isthmus_migration.slices.pace import Pace
from isthmus_migration.slices.worker import Worker
from isthmus_migration.tasks import Counts, SliceResult, SliceTask
from isthmus_migration.transforms import TransformError
from isthmus_migration.verification.lookups import Held, get_readable

WANTED_FILE: Final = "repair.keys"
_HASH: Final = 16


@frozen
class RepairPart:
    """What one unit of a repair does, written into its ``spec``.

    :param copy: keys of the source's items that are copied again
    :param delete: keys of the target's items that are deleted
    :param scan: a unit of the source that is read, where look-ups cost too much

    Only what belongs to the keys in ``repair.keys`` is copied.
    """

    copy: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    scan: str | None = None

    def to_text(self) -> str:
        """The text of a unit's ``spec``."""
        data = {"copy": self.copy, "delete": self.delete, "scan": self.scan}
        return b64encode(zlib.compress(json.dumps(data).encode())).decode()

    @classmethod
    def from_text(cls, text: str) -> RepairPart:
        """The part whose text this is."""
        data: dict[str, Any] = json.loads(zlib.decompress(b64decode(text)))
        return cls(tuple(data["copy"]), tuple(data["delete"]), data["scan"])


def repair_slice(worker: Worker, task: SliceTask) -> SliceResult:
    """Copy or delete the next items of a unit.

    :raises IsthmusError: a place can't be used now; the slice may be done again
    """
    part, pace = RepairPart.from_text(task.unit.spec), Pace(task.budget)
    account = Account(worker, worker.table(task.unit.table), task)
    if part.scan is not None:
        read, cursor = _scanned(account, part.scan)
    elif part.delete:
        deleted, cursor = _delete(account, part.delete)
        pace.keep(deleted, 0)
        return SliceResult(task, cursor, Counts(read=deleted, written=deleted), waited=pace.waited, owed=pace.owed)
    else:
        read, cursor = _fetched(account, part.copy)
    counts = _copy(account, read)
    pace.keep(len(read.items), account.size)
    dead, moved = tuple(account.dead), account.moved
    return SliceResult(task, cursor, counts, dead=dead, moved=moved, waited=pace.waited, owed=pace.owed)


def _run_of(keys: Sequence[str], task: SliceTask) -> tuple[list[Item], str | None]:
    """The next keys of a unit, and the cursor after them."""
    start = int(task.cursor or 0)
    end = start + task.budget.items
    return [cast("Item", loads(key)) for key in keys[start:end]], str(end) if end < len(keys) else None


# ---- reading ----


def _fetched(account: Account, keys: Sequence[str]) -> tuple[Slice, str | None]:
    """The items of the next keys; one that can't be read stays a mismatch."""
    run, cursor = _run_of(keys, account.task)
    found = get_readable(account.worker.source, account.work.plan.source, run)
    return Slice([item for item in found if item is not None and not isinstance(item, Held)]), cursor


def _scanned(account: Account, unit: str) -> tuple[Slice, str | None]:
    budget, place = account.task.budget, account.worker.source
    read = place.read(account.work.plan.source, unit, account.task.cursor, items=budget.items, size=budget.size)
    return read, read.cursor


# ---- copying ----


def _copy(account: Account, read: Slice) -> Counts:
    wanted = _wanted_keys(account.worker.workdir / "verify" / WANTED_FILE)
    # The source's items may have got other keys since the verification found these.
    moves = [
        move
        for move in moves_of(account, read)
        if _was(account, move, wanted, missing=False) or _was(account, move, wanted, missing=True)
    ]
    existing = _differing(account, distinct(account, moves), wanted)
    _keep_images(account, existing)
    written, receipt = write_moves(account, existing)
    return Counts(len(read.items), written, account.unchanged, account.skipped, len(account.dead), account.size,
                  receipt.retried, receipt.throttled)  # fmt: skip


def _keep_images(account: Account, existing: Existing) -> None:
    """Keep what is overwritten, also in tables that the migration made: a rollback asks what repairs wrote there."""
    table = account.target_table
    images = (
        Image(table.key_of(move.target), item, f"{move.digest:032x}")
        for move, item in zip(existing.moves, existing.now, strict=True)
    )
    keep_images(account.worker.workdir / "images", account.task, images)


def _was(account: Account, move: Move, wanted: frozenset[bytes], *, missing: bool) -> bool:
    """Whether the verification found a move's key missing, or changed."""
    table, key = account.task.unit.table, dumps(account.target_table.key_of(move.target))
    expected = None if account.worker.source.unique_keys else move.digest
    return key_hash(table, key, expected, missing=missing) in wanted


def key_hash(table: str, key: str, expected: int | None, *, missing: bool) -> bytes:
    """What stands for a key of a table in ``repair.keys``.

    :param expected: digest of what the target should hold, where several items of the source may have the key
    :param missing: whether the target held nothing there, and not something else
    """
    kind = "missing" if missing else "changed"
    return sha256(f"{table}\0{key}\0{kind}\0{expected}".encode()).digest()[:_HASH]


def _wanted_keys(path: Path) -> frozenset[bytes]:
    return _hashes(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _hashes(path: Path, _changed: int) -> frozenset[bytes]:
    data = path.read_bytes()
    return frozenset(data[start : start + _HASH] for start in range(0, len(data), _HASH))


def _differing(account: Account, moves: list[Move], wanted: frozenset[bytes]) -> Existing:
    """The moves whose items the target does not hold yet, with what it holds in their places.

    What has come there since the verification is somebody's, who is not asked: it stays, and is reported. What can't be
    read there could not be put back, so it is overwritten only in tables that the migration made.
    """
    existing, table = Existing([]), account.target_table
    found = get_readable(account.worker.target, table, [table.key_of(move.target) for move in moves])
    for move, now in zip(moves, found, strict=True):
        if isinstance(now, Held) and not account.work.plan.created:
            continue
        item = None if isinstance(now, Held) else now
        before = None if item is None else item_digest(item)
        if before == move.digest:
            account.unchanged += 1
        elif before is None or not _was(account, move, wanted, missing=True):
            existing.moves.append(move)
            existing.now.append(item)
            existing.before.append(before)
    return existing


# ---- deleting ----


def _delete(account: Account, keys: Sequence[str]) -> tuple[int, str | None]:
    """Delete the next items, unless the source has them by now and they are to be moved; their pre-images are kept.

    What can't be read could not be put back, so it is deleted only from tables that the migration made.
    """
    worker, plan = account.worker, account.work.plan
    run, cursor = _run_of(keys, account.task)
    if not account.work.transform.changes_keys and worker.source.holds_keys:
        there = get_readable(worker.source, plan.source, run)
        run = [key for key, item in zip(run, there, strict=True) if item is None or _is_left_out(account, item)]
    found = zip(run, get_readable(worker.target, plan.target, run), strict=True)
    images = [
        Image(key, None if isinstance(item, Held) else item, "")
        for key, item in found
        if item is not None and (plan.created or not isinstance(item, Held))
    ]
    keep_images(worker.workdir / "images", account.task, images)
    worker.target.delete_many(plan.target, [image.key for image in images])
    return len(images), cursor


def _is_left_out(account: Account, item: Item | Held) -> bool:
    """Whether the plan leaves an item of the source out; nobody knows of one that can't be read, or not transformed."""
    try:
        return not isinstance(item, Held) and account.work.transform(item) is None
    except TransformError:
        return False
