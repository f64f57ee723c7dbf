"""One attempt of a transaction: its record, its locks, its commit, and how it is given up (rules R3 to R7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from attrs import define, evolve, field, frozen

from isthmus.errors import DeadlineExceeded, IsthmusError
from isthmus.fallback.locks import ended, settle
from isthmus.fallback.records import (
    Image,
    Named,
    Record,
    applied,
    identity_of,
    lock_of,
    locked,
    new_id,
    released,
    unlocked_image,
)
from isthmus.fallback.session import WAIT_BASE, WAIT_CAP, Flow, Session
from isthmus.fallback.store import LOST, Answer, Place, Swap
from isthmus.operations import Action
from isthmus.values import Item

_TRIES = 8


class Verdict(Enum):
    """How a commit ended."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


@frozen
class Judged:
    """What an action makes of an image."""

    image: Image
    after: Item | None


@define(eq=False)
class Member:
    """One item of a transaction.

    :param action: ``None`` only holds the item as it is
    :param judge: what the action makes of an image; raises its reason
    """

    place: Place
    action: Action | None
    judged: Judged
    judge: Callable[[Image], Judged]
    physical: Item | None = field(default=None, init=False)
    """The locked item that we wrote, once we know that it is there."""

    def swap(self, record: Record) -> Swap:
        """What locks it."""
        image = self.judged.image
        table, key = self.place.table, self.place.key
        new = locked(image, key, table, record.lock, self.action, self.judged.after)
        return Swap(self.place, identity_of(image.physical), new)


def kept(place: Place, image: Image) -> Member:
    """A member that only holds its item as it was seen."""
    return Member(place, None, Judged(image, None), lambda found: Judged(found, None))


class Attempt:
    """Takes the members, which stand in lock order, from nothing to the commit, or back."""

    def __init__(
        self, session: Session, members: Sequence[Member], *, token: str | None = None, digest: bytes | None = None
    ) -> None:
        attempt, lease_ms = new_id(), session.shared.options.lease_ms
        record_id = f"x:{attempt.hex()}" if token is None else f"t:{token}"
        items = tuple(Named(member.place.table.name, member.place.key) for member in members)
        self.session = session
        self.members = members
        self.record = Record(record_id, attempt, "pending", items, lease_ms, self._lease_end(lease_ms), digest=digest)
        self._renewed = session.shared.leases.monotonic()
        self._unsure = False
        """Whether there may be locks that we don't know of, now or later."""

    def _lease_end(self, lease_ms: int) -> int:
        return int(self.session.now() * 1000) + lease_ms

    # ---- the record ----

    def begin(self, before: Record | None = None) -> Flow[bool]:
        """Create the record, once; ``False`` if it is not there.

        :param before: an aborted record whose token this attempt takes over
        """
        yield from self.session.ensure_records()
        answer = yield from self.session.swap_record("record", before, self.record)
        return answer is True or (yield from self.is_pending())

    def is_pending(self) -> Flow[bool]:
        """Whether the record is there, and nobody has stopped it."""
        found = yield from self.session.record("check_record", self.record.id)
        return found is not None and found.is_of(self.record.lock) and found.state == "pending"

    def renew(self) -> Flow[bool]:
        """Renew the lease if half of it is gone; ``False`` if somebody has stopped this attempt."""
        now = self.session.shared.leases.monotonic()
        if (now - self._renewed) * 2000 < self.record.lease_ms:
            return True
        beat = evolve(self.record, beat=self.record.beat + 1, lease_until=self._lease_end(self.record.lease_ms))
        answer = yield from self.session.swap_record("renew", self.record, beat)
        if answer is LOST:
            found = yield from self.session.record("check_record", self.record.id)
            answer = found is not None and found.identity == beat.identity
        if answer:
            self.record, self._renewed = beat, now
        return bool(answer)

    # ---- locks ----

    def lock(self, *, patient: bool) -> Flow[bool]:
        """Lock every item; ``False`` when one can't be, or is not as it was judged any more.

        :param patient: whether to lock one by one, wait for others, and judge items anew that have changed. Without
            it the locks go out together, and the first obstacle ends the attempt
        """
        if not patient and self.session.store.bulk:
            return (yield from self._lock_together())
        for number, member in enumerate(self.members):
            if not (yield from self.renew()) or not (yield from self._lock_one(number, member, patient=patient)):
                return False
        return True

    def _lock_together(self) -> Flow[bool]:
        swaps = [member.swap(self.record) for member in self.members]
        self._unsure = True
        answers: list[Answer] = yield from self.session.swap_many("lock", swaps)
        lost = []
        for member, swap, answer in zip(self.members, swaps, answers, strict=True):
            if answer is True:
                member.physical = swap.new
            elif answer is LOST:
                lost.append((member, swap))
        items = yield from self.session.read_many("lock_check", [member.place for member, _swap in lost])
        for (member, swap), item in zip(lost, items, strict=True):
            if lock_of(item) == self.record.lock:
                member.physical = swap.new
        self._unsure = False
        return all(member.physical is not None for member in self.members)

    def _lock_one(self, number: int, member: Member, *, patient: bool) -> Flow[bool]:
        step = f"lock_{number + 1}"
        for tried in range(_TRIES):
            swap = member.swap(self.record)
            answer = yield from self.session.swap(step, swap)
            self._unsure = answer is LOST
            item = swap.new if answer is True else (yield from self.session.read("lock_check", member.place))
            if lock_of(item) == self.record.lock:
                member.physical = item
                return True
            if answer is LOST or not patient:  # a lost one may still land, so it is never sent again
                return False
            if item is not None and lock_of(item) is not None:
                yield from settle(self.session, member.place, item)
                item = yield from self.session.read("lock_check", member.place)
                if lock_of(item) is not None:
                    yield from self.session.wait(tried, WAIT_BASE, WAIT_CAP)
                    continue
            try:
                member.judged = member.judge(unlocked_image(item))
            except IsthmusError:
                return False  # the next attempt looks at all items, and finds all reasons
        return False

    # ---- the end ----

    def commit(self) -> Flow[Verdict]:
        """Commit, at one point. Once its answer is lost, only the record can tell (rule R7).

        Where it was refused or never sent, the attempt still has to be given up.
        """
        committed = evolve(self.record, state="committed")
        unsure = False
        number = 0
        while True:
            try:
                answer = yield from self.session.swap_record("commit", self.record, committed)
            except DeadlineExceeded:
                return Verdict.UNKNOWN if unsure else Verdict.ABORTED
            except IsthmusError:
                answer = LOST if unsure else False
            if answer is True:
                return Verdict.COMMITTED
            if answer is False and not unsure:
                return Verdict.ABORTED
            unsure = True
            verdict = yield from self._asked()
            if verdict is not None:
                return verdict
            if not (yield from self.session.wait(number, WAIT_BASE, WAIT_CAP)):
                return Verdict.UNKNOWN
            number += 1

    def _asked(self) -> Flow[Verdict | None]:
        """What the record says of a commit without an answer; ``None``: still pending, so it may be sent again."""
        self.session.settle_in_time()
        try:
            found = yield from self.session.record("commit_check", self.record.id)
        except IsthmusError:
            return None
        if found is None or not found.is_of(self.record.lock):
            return Verdict.UNKNOWN
        if found.state == "pending":
            return None
        return Verdict.ABORTED if found.state == "aborted" else Verdict.COMMITTED

    def apply(self) -> Flow[bool]:
        """Put the images after in place; whether nothing is left to do. Whoever meets what is left does it."""
        left = [member.physical for member in self.members]
        swaps = [
            Swap(member.place, identity_of(member.physical), applied(physical))
            for member, physical in zip(self.members, left, strict=True)
            if physical is not None
        ]
        return (yield from self._sent("apply", swaps))

    def give_up(self) -> Flow[None]:
        """End an attempt whose commit was not sent: first its locks go, then its record.

        A client that dies in between leaves a record by which recovery finds the rest. For the same reason the record
        stays, aborted, where there may be locks that we don't know of. The order differs from the design's, which was
        checked again with it: nothing but liveness depends on it.
        """
        self.session.settle_in_time()
        try:
            released_all = yield from self.release()
            doubtful = self._unsure or not released_all
            aborted = ended(self.session, self.record, "aborted") if doubtful else None
            yield from self.session.swap_record("give_up", self.record, aborted)
        except IsthmusError:
            return

    def release(self) -> Flow[bool]:
        """Take the own locks away; whether each is known to be gone."""
        held = [member for member in self.members if member.physical is not None]
        return (
            yield from self._sent(
                "release",
                [Swap(one.place, identity_of(one.physical), released(one.physical)) for one in held if one.physical],
            )
        )

    def _sent(self, step: str, swaps: Sequence[Swap]) -> Flow[bool]:
        """Send swaps until each has an answer, a few times at most; whether each has one."""
        left = list(swaps)
        for _ in range(3):
            answers = yield from self.session.swap_many(step, left)
            left = [swap for swap, answer in zip(left, answers, strict=True) if answer is LOST]
            if not left:
                return True
        return False
