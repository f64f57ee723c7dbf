"""What the target holds already under the keys of a slice, and what that means for its items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from attrs import define, field

from isthmus.errors import IsthmusError
from isthmus.values import Item, dumps
from isthmus_migration.digests import canonical_text
from isthmus_migration.places.readable import readable_items
from isthmus_migration.slices.account import Account, Move, digest_of
from isthmus_migration.slices.images import Image, forget_images, images_file, keep_images, read_images
from isthmus_migration.tasks import SliceTask

_FIRST_RUN: Final = 20
_RUN: Final = 200
"""So many keys are looked up at first, and at most at once."""
_RUN_BYTES: Final = 2_000_000
"""About so many bytes of canonical text are looked up at once."""
_MOST_BYTES: Final = 8_000_000
"""So many bytes of canonical text of what is there are held at once; as values they take ten times as much and more."""


@define
class Former:
    """What earlier runs of a slice knew of a key.

    :param before: digest of what stood there before the first of them, ``None`` where nothing did
    :param written: digests of what they meant to write, ``None`` for deleting
    """

    before: int | None
    written: set[int | None] = field(factory=set)

    def learn(self, image: Image) -> None:
        """Take a later image: unless it shows an item of ours, somebody else wrote in between."""
        seen = digest_or_none(image.before)
        if seen not in self.written:
            self.before = seen
        self.written.add(image.written_digest)


@define
class Existing:
    """The moves that shall be written, with what stands in their places.

    :param now: the target's items, in the order of the moves; empty where nothing can be there
    :param before: digests of what was there before the migration, where something was
    :param cut: the first move that was not looked up, because what is there takes too much memory
    """

    moves: list[Move]
    now: list[Item | None] = field(factory=list)
    before: list[int | None] = field(factory=list)
    cut: Move | None = None


@define
class _Sizes:
    """How large the target's items have been so far, which says how many keys to look up at once."""

    items: int = 0
    size: int = 0

    def take(self, text: bytes) -> None:
        self.items += 1
        self.size += len(text)

    @property
    def run(self) -> int:
        if not self.items:
            return min(_FIRST_RUN, _RUN)
        return max(1, min(_RUN, _RUN_BYTES * self.items // max(self.size, 1)))


def look_up(account: Account, moves: list[Move]) -> Existing:
    """Look up the keys of the moves in the target, if anything can be there; items that stay out are accounted for.

    What is there may be far larger than what comes: it ends early where that would take too much memory.
    """
    if not moves or not _may_exist(account):
        return Existing(moves)
    # Without images, what is in a table that was empty is what an earlier run of this slice wrote.
    kept = _has_images(account)
    known = former(account.worker.workdir / "images", account.task) if kept else {}
    wanted, sizes = Existing([]), _Sizes()
    for move, now in _found(account, moves, sizes):
        if isinstance(now, IsthmusError):
            leave_unreadable(account, move)
            continue
        text = b"" if now is None else canonical_text(now)
        sizes.take(text)
        if sizes.size > _MOST_BYTES and move is not moves[0]:
            wanted.cut = move
            break
        digest = digest_of(text) if text else None
        earlier = known.get(dumps(account.target_table.key_of(move.target))) if known else None
        ours = earlier is not None and digest in earlier.written
        before = earlier.before if earlier is not None and ours else digest if kept else None
        if digest == move.digest:
            _keep_as_it_is(account, move, before)
        elif _is_wanted(account, move, before, ours=ours):
            wanted.moves.append(move)
            wanted.now.append(now)
            wanted.before.append(before)
    return wanted


def _found(account: Account, moves: list[Move], sizes: _Sizes) -> Iterator[tuple[Move, Item | IsthmusError | None]]:
    """The moves with what the target holds under their keys, looked up in runs."""
    table, left = account.target_table, iter(moves)
    while run := list(islice(left, sizes.run)):
        keys = [table.key_of(move.target) for move in run]
        yield from zip(run, readable_items(account.worker.target, table, keys), strict=True)


def _may_exist(account: Account) -> bool:
    return account.worker.target.holds_keys and (account.work.plan.occupied or bool(account.task.unsettled))


def _keep_as_it_is(account: Account, move: Move, before: int | None) -> None:
    account.unchanged += 1
    account.expected.add_one(move.bucket, move.digest)
    if before is not None:
        account.replaced.add_one(move.bucket, before)


def _is_wanted(account: Account, move: Move, before: int | None, *, ours: bool) -> bool:
    """Whether a move shall be written, by what the target held before the migration.

    :param ours: whether the target holds what an earlier run of this slice wrote
    """
    if before is None or ours or not account.work.plan.occupied:
        return True
    if account.worker.plan.into_existing == "upsert":
        return True
    account.lost.append(move)
    if account.worker.plan.into_existing == "skip":
        account.skipped += 1
    else:
        account.bury(move.source, "write", "already_exists", "the target has an item with this key")
    return False


def leave_unreadable(account: Account, move: Move) -> None:
    """Account for an item in whose place the target holds what can't be read: it could not be put back."""
    account.lost.append(move)
    if account.work.plan.occupied and account.worker.plan.into_existing == "skip":
        account.skipped += 1
    else:
        account.bury(
            move.source, "write", "already_exists", "the target has an item with this key that can't be read"
        )  # fmt: skip


def keep_images_of(account: Account, existing: Existing) -> None:
    """Keep what stands in the places of the moves, unless the migration made the table.

    Where nobody wants to roll back, it is still needed to tell what was there from what a run that died has written; so
    it is kept until the slice is journaled. Where items of others stay, verifications ask later what is ours: there the
    images, which hold no items then, are always kept.
    """
    if not _has_images(account):
        return
    if not account.worker.plan.keep_images and account.worker.plan.into_existing != "skip":
        forget_images(account.worker.workdir / "images", account.task)
    now: Iterable[Item | None] = existing.now or [None] * len(existing.moves)
    table = account.target_table
    images = (
        Image(table.key_of(move.target), item, f"{move.digest:032x}")
        for move, item in zip(existing.moves, now, strict=True)
    )
    keep_images(account.worker.workdir / "images", account.task, images)


def _has_images(account: Account) -> bool:
    return not account.work.plan.created and (account.work.plan.occupied or account.worker.plan.keep_images)


def former(folder: Path, task: SliceTask) -> dict[str, Former]:
    """What earlier runs of this slice kept, by the text of the key."""
    known: dict[str, Former] = {}
    for number in sorted(task.unsettled):
        for image in read_images(images_file(folder, task.phase, task.unit.id, number)):
            text = dumps(image.key)
            if text not in known:
                known[text] = Former(digest_or_none(image.before))
            known[text].learn(image)
    return known


def digest_or_none(item: Item | None) -> int | None:
    """The digest of an item, if there is one."""
    return None if item is None else digest_of(canonical_text(item))
