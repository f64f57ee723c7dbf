"""Trying one dead letter again, through everything that an item of the copy goes through."""

from __future__ import annotations

from typing import cast

from attrs import define, evolve, frozen

from isthmus.errors import IsthmusError, ItemNotFound
from isthmus.slices import Slice
from isthmus.values import Item, dumps, loads
from isthmus_migration.dead.letters import Letter, Original
from isthmus_migration.journal.journal import Journal
from isthmus_migration.places.faults import PLACE_FAULTS
from isthmus_migration.places.readable import readable_items
from isthmus_migration.slices.account import Account, Move
from isthmus_migration.slices.claims import CODE, REASON, claim_of, may_collide
from isthmus_migration.slices.copying import moves_of, write_moves
from isthmus_migration.slices.existing import Existing, digest_or_none, former, leave_unreadable
from isthmus_migration.slices.images import Image, keep_images
from isthmus_migration.slices.worker import TableWork, Worker
from isthmus_migration.tasks import DeadLetter, Phase, SliceTask, Unit

PHASE = "replay"


@frozen
class Attempt:
    """What became of a letter.

    :param failure: the letter anew, where it stays one
    :param decoded: whether its item could be read only now
    :param stored: whether the target holds its item
    :param move: what the target holds, where another transform than the plan's has made it
    """

    account: Account
    failure: DeadLetter | None
    decoded: bool = False
    stored: bool = False
    move: Move | None = None


@define
class Replaying:
    """Tries letters again.

    :param work: with the transform of the replay
    :param planned: with the plan's transform
    """

    worker: Worker
    journal: Journal
    work: TableWork
    planned: TableWork

    def try_again(self, letter: Letter, original: Original, task: SliceTask) -> Attempt:
        """Try a letter again.

        :raises IsthmusError: a place can't be used now
        """
        account = Account(self.worker, self.work, task)
        item = original.item
        if item is None or self.worker.source.holds_keys:
            # It may have been mended in the source since.
            read = self._read_again(letter)
            if not isinstance(read, DeadLetter):
                item = read
            elif item is None or read.code != ItemNotFound.code:
                return Attempt(account, evolve(read, original=original.data, form=original.form))
        moves = moves_of(account, Slice([item]))
        stored = bool(moves) and self._write(account, moves[0])
        failure = account.dead[0] if account.dead else None
        move = moves[0] if stored and self.work is not self.planned else None
        return Attempt(account, failure, decoded=original.item is None, stored=stored, move=move)

    def _read_again(self, letter: Letter) -> Item | DeadLetter:
        """The item that the source has under the letter's key by now."""
        source, table = self.worker.source, self.work.plan.source
        try:
            key = loads(letter.key)
        except (IsthmusError, ValueError):
            key = None
        if not isinstance(key, dict) or not source.holds_keys:
            return _dead(letter, "decode", letter.code, "it can't be read again by its key: mend it and migrate anew")
        try:
            (item,) = source.get_many(table, [cast("Item", key)])
        except PLACE_FAULTS:
            raise
        except IsthmusError as error:
            return _dead(letter, "decode", error.code, error.message)
        return item or _dead(letter, "decode", ItemNotFound.code, "the source has no item with this key any more")

    def _write(self, account: Account, move: Move) -> bool:
        if self._is_taken(account, move):
            account.bury(move.source, "transform", CODE, REASON)
            return False
        table, task = account.target_table, account.task
        key = table.key_of(move.target)
        (now,) = readable_items(self.worker.target, table, [key])
        if isinstance(now, IsthmusError):
            leave_unreadable(account, move)
            return False
        earlier = former(self.worker.workdir / "images", task).get(dumps(key))
        digest = digest_or_none(now)
        ours = earlier is not None and digest in earlier.written
        before = earlier.before if earlier is not None and ours else digest
        if digest == move.digest and (ours or not self._moves_keys):
            account.unchanged += 1
            account.expected.add_one(move.bucket, move.digest)
            if before is not None:
                account.replaced.add_one(move.bucket, before)
            return True
        if now is not None and not ours and not self._may_replace(account, move):
            return False
        keep_images(self.worker.workdir / "images", task, [Image(key, now, f"{move.digest:032x}")])
        write_moves(account, Existing([move], [now], [before]))
        return not account.lost

    def _may_replace(self, account: Account, move: Move) -> bool:
        """Whether an item that stands there is replaced: as the plan says, and never one that was just copied."""
        how = self.worker.plan.into_existing if account.work.plan.occupied else "refuse"
        if how == "upsert" and not self._moves_keys:
            return True
        account.lost.append(move)
        if how == "skip":
            account.skipped += 1
        else:
            account.bury(move.source, "write", "already_exists", "the target has an item with this key")
        return False

    @property
    def _moves_keys(self) -> bool:
        """Whether items get other keys than the copy gave them, while the copy claimed none."""
        claimed = self.planned.transform.changes_keys or not self.worker.source.unique_keys
        return self.work.transform.changes_keys and not claimed

    def _is_taken(self, account: Account, move: Move) -> bool:
        if self._moves_keys and self._is_in_source(account, move):
            return True
        if not (may_collide(account) or self.planned.transform.changes_keys):
            return False
        return bool(self.journal.claim(account.task.unit.id, claim_of(account.target_table, move.target)))

    def _is_in_source(self, account: Account, move: Move) -> bool:
        """Whether the source has another item that keeps this key, copied or still to be copied."""
        table, key = self.work.plan.source, account.target_table.key_of(move.target)
        if table.keys != account.target_table.keys or key == table.key_of(move.source):
            return False
        return readable_items(self.worker.source, table, [key]) != [None]


def _dead(letter: Letter, phase: Phase, code: str, reason: str) -> DeadLetter:
    return DeadLetter(letter.table, letter.key, phase, code, reason, b"")


def unit_of(letter: Letter) -> Unit:
    """The unit of a letter's replay: its own, so that an interrupted replay is found again."""
    return Unit(f"{PHASE}-{letter.id:09d}", letter.table, str(letter.id))
