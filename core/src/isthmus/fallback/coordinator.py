"""Transactional writes: look, record, lock, commit, apply, finish; again from the start while others are in the way."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from attrs import evolve, frozen

from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    Conflict,
    IdempotencyMismatch,
    InvalidArgument,
    IsthmusError,
    ItemChanged,
    ItemNotFound,
    ItemTooLarge,
    OutcomeUnknown,
    TransactionFailed,
)
from isthmus.fallback.attempts import Attempt, Judged, Member, Verdict
from isthmus.fallback.locks import finish, stop
from isthmus.fallback.metrics import ATTEMPTS, UNKNOWN
from isthmus.fallback.reads import read_all, snapshot
from isthmus.fallback.records import RECORD_TABLE, Image, Record
from isthmus.fallback.session import WAIT_BASE, WAIT_CAP, Flow, Session
from isthmus.fallback.store import Place
from isthmus.fallback.writes import judged, swapped
from isthmus.operation_ids import attempt_id
from isthmus.operations import Action, Check, TransactWrite
from isthmus.results import TransactWriteResult
from isthmus.tokens import content_digest
from isthmus.values import canonical_bytes, item_size

BACK_OFF_BASE: Final = 0.01
BACK_OFF_CAP: Final = 0.5
LOCK_BYTES: Final = 4_096
"""What a lock adds to an item besides the image after, at most."""
_REASONS = (AlreadyExists, ConditionFailed, InvalidArgument, ItemChanged, ItemNotFound)


@frozen
class _Lookup:
    """What a token's record says: the transaction was applied, or which record a new attempt takes over."""

    applied: bool = False
    before: Record | None = None


def transact_write(session: Session, operation: TransactWrite) -> Flow[TransactWriteResult]:
    """Apply all actions or none.

    :raises TransactionFailed: with one reason for each action
    :raises Conflict: others were in the way until there was no more time
    :raises OutcomeUnknown: the store did not answer the commit
    """
    actions = operation.actions
    if operation.token is None and len(actions) == 1 and not isinstance(actions[0], Check):
        return (yield from _one(session, actions[0]))
    if operation.token is None and all(isinstance(action, Check) for action in actions):
        return (yield from _only_checks(session, actions))
    return (yield from _Transaction(session, operation).run())


def was_applied(session: Session, operation: TransactWrite) -> Flow[bool]:
    """Whether a record tells that the transaction was applied under its token.

    :raises IdempotencyMismatch: the token was used for other content
    """
    found = yield from _Transaction(session, operation).looked_up()
    return found.applied


def _places(session: Session, actions: Sequence[Action]) -> Flow[list[Place]]:
    """The items that actions name, in tables as they are stored."""
    stored = yield from session.admitted([action.table for action in actions])
    return [Place(stored[action.table.name], action.table.key_of(action.key)) for action in actions]


def _one(session: Session, action: Action) -> Flow[TransactWriteResult]:
    """A transaction of one action is a single write."""
    stored = yield from session.admitted([action.table])
    try:
        yield from swapped(session, action, stored[action.table.name])
    except _REASONS as error:
        raise _failed([error]) from error
    return TransactWriteResult()


def _only_checks(session: Session, actions: Sequence[Action]) -> Flow[TransactWriteResult]:
    """Checks alone are a snapshot that is judged: nothing is locked, nothing is written."""
    places = yield from _places(session, actions)
    images = yield from snapshot(session, places)
    _judge_all(session, actions, places, images)
    return TransactWriteResult()


def _judge_all(
    session: Session, actions: Sequence[Action], places: Sequence[Place], images: Sequence[Image]
) -> list[Judged]:
    """What each action makes of its item.

    :raises TransactionFailed: some can't be done; all are judged
    """
    outcomes = [
        _judge(session, action, place, image) for action, place, image in zip(actions, places, images, strict=True)
    ]
    reasons = [outcome if isinstance(outcome, IsthmusError) else None for outcome in outcomes]
    if any(reasons):
        raise _failed(reasons)
    return [outcome for outcome in outcomes if isinstance(outcome, Judged)]


def _failed(reasons: Sequence[IsthmusError | None]) -> TransactionFailed:
    return TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)


def _judge(session: Session, action: Action, place: Place, image: Image) -> Judged | IsthmusError:
    try:
        return judge(session, action, place, image)
    except IsthmusError as error:
        return error


def judge(session: Session, action: Action, place: Place, image: Image) -> Judged:
    """What an action makes of an image, and whether the store can hold both.

    :raises IsthmusError: the action's reason
    """
    after = judged(session, action, place.table, image).new
    if after is not None and not isinstance(action, Check):
        before = 0 if image.item is None else item_size(image.item)
        if before + item_size(after) + LOCK_BYTES > session.store.item_bytes:
            raise ItemTooLarge(
                f"an item of table {place.table.name!r} is too large for a transaction: the store holds it before and"
                f" after in one place, {session.store.item_bytes} bytes at most"
            )
    return Judged(image, after)


class _Transaction:
    """A transaction with a record, over as many attempts as it takes."""

    def __init__(self, session: Session, operation: TransactWrite) -> None:
        self.session = session
        self.actions = operation.actions
        self.token = operation.token
        self.digest = None if operation.token is None else content_digest(operation)

    def run(self) -> Flow[TransactWriteResult]:
        """Try until it is applied or refused."""
        number = 0
        while True:
            found = yield from self.looked_up()
            if found.applied:
                return TransactWriteResult(replayed=True)
            number += 1
            result = yield from self._attempt(number, found.before)
            if result is not None:
                self.session.measured(ATTEMPTS, number)
                return result
            if not (yield from self.session.wait(number - 1, BACK_OFF_BASE, BACK_OFF_CAP)):
                self.session.measured(ATTEMPTS, number)
                raise Conflict("other writers were in the way of this transaction, nothing was applied: repeat it")

    # ---- tokens ----

    def looked_up(self) -> Flow[_Lookup]:
        """What is known of the token, once nobody is at work under it (rule R16)."""
        if self.token is None:
            return _Lookup()
        session, waited = self.session, 0
        while True:
            record = yield from session.record("token", f"t:{self.token}")
            if record is None:
                return _Lookup()
            if record.state in ("aborted", "done") and _forgotten(record, session.now()):
                yield from session.swap_record("token_purge", record, None)
                continue
            if record.state == "aborted" and record.digest == self.digest:
                return _Lookup(before=record)
            if (yield from self._known(record)):
                return _Lookup(applied=True)
            if session.shared.leases.run_out(record):
                yield from stop(session, record)
            elif not (yield from session.wait(waited, WAIT_BASE, WAIT_CAP)):
                raise Conflict("a transaction with this token is under way: repeat the call")
            waited += 1

    def _known(self, record: Record) -> Flow[bool]:
        """Whether the record is that of our transaction, applied; it is rolled forward then.

        :raises IdempotencyMismatch: the token was used for something else
        """
        if record.digest != self.digest:
            raise IdempotencyMismatch("this token was used for other content: use a new token")
        if record.state == "committed":
            yield from finish(self.session, record)
        return record.state in ("committed", "done")

    # ---- attempts ----

    def _attempt(self, number: int, before: Record | None) -> Flow[TransactWriteResult | None]:
        """One attempt; ``None``: others were in the way."""
        places = yield from _places(self.session, self.actions)
        images = yield from read_all(self.session, places)
        try:
            outcomes = _judge_all(self.session, self.actions, places, images)
        except TransactionFailed:
            # A twin with our token may have been faster, which is why we are refused (rule R16).
            if self.token is not None and (yield from self._twin_was_applied()):
                return TransactWriteResult(replayed=True)
            raise
        attempt = Attempt(self.session, self._members(places, outcomes), token=self.token, digest=self.digest)
        if not (yield from attempt.begin(before)):
            return None
        return (yield from self._carried_out(attempt, patient=number > self.session.shared.options.bulk_attempts))

    def _twin_was_applied(self) -> Flow[bool]:
        record = yield from self.session.record("token_again", f"t:{self.token}")
        if record is None or record.digest != self.digest or record.state not in ("committed", "done"):
            return False
        return (yield from self._known(record))

    def _members(self, places: Sequence[Place], outcomes: Sequence[Judged]) -> list[Member]:
        """What is to be locked, in the order that all clients lock in."""
        order = [canonical_bytes([place.table.name, place.key]) for place in places]
        return [
            self._member(self.actions[number], places[number], outcomes[number])
            for number in sorted(range(len(places)), key=order.__getitem__)
        ]

    def _member(self, action: Action, place: Place, outcome: Judged) -> Member:
        return Member(place, action, outcome, lambda image: judge(self.session, action, place, image))

    def _carried_out(self, attempt: Attempt, *, patient: bool) -> Flow[TransactWriteResult | None]:
        try:
            ready = (yield from attempt.lock(patient=patient or not self.session.store.bulk)) and (
                yield from attempt.renew()
            )
        except Conflict:
            ready = False
        except IsthmusError:
            yield from attempt.give_up()
            raise
        verdict = (yield from attempt.commit()) if ready else Verdict.ABORTED
        if verdict is Verdict.UNKNOWN:
            raise self._unknown(attempt)
        if verdict is Verdict.ABORTED:
            yield from attempt.give_up()
            return None
        yield from self._finished(attempt)
        return TransactWriteResult()

    def _unknown(self, attempt: Attempt) -> OutcomeUnknown:
        self.session.measured(UNKNOWN)
        error = OutcomeUnknown(
            "the store did not answer the commit of this transaction: pass the error's operation_id to resolve()"
        )
        record = attempt.record
        error.operation_id = attempt_id(RECORD_TABLE.name, record.id, record.attempt)
        return error

    def _finished(self, attempt: Attempt) -> Flow[None]:
        """Apply what is committed, and forget the record. It is a success already, whatever is left for others."""
        self.session.settle_in_time()
        committed = evolve(attempt.record, state="committed")
        kept = self.session.shared.options.token_retention_s
        done = evolve(committed, state="done", purge_at=ceil(self.session.now() + kept))
        try:
            if (yield from attempt.apply()):
                yield from self.session.swap_record("finish", committed, None if self.token is None else done)
        except IsthmusError:
            return


def _forgotten(record: Record, now: float) -> bool:
    return record.purge_at is not None and record.purge_at <= now
