"""What anybody may do about a lock that is in the way, and about the transaction behind it (rules R8 to R10)."""

from __future__ import annotations

from enum import Enum
from math import ceil

from attrs import evolve

from isthmus.errors import Conflict
from isthmus.fallback.metrics import LOCK_WAIT, SETTLED, STOPPED
from isthmus.fallback.records import Lock, Record, State, applied, identity_of, lock_of, released
from isthmus.fallback.session import WAIT_BASE, WAIT_CAP, Flow, Session
from isthmus.fallback.store import LOST, Place, Swap
from isthmus.values import Item

_TRIES = 8


class Fate(Enum):
    """What a look at a record came to.

    Alive ones are at work, or may be until their lease has run out; overdue ones seem not to be, which a second look
    tells. Kept ones have ended, and are remembered for a while.
    """

    ALIVE = "alive"
    OVERDUE = "overdue"
    FINISHED = "finished"
    UNDONE = "undone"
    KEPT = "kept"
    FORGOTTEN = "forgotten"


def settle(session: Session, place: Place, item: Item, *, patient: bool = True) -> Flow[None]:
    """Take away the lock that ``item`` was just read with, if its transaction has ended or does not go on.

    :param patient: whether to wait for a transaction that may still be alive
    :raises Conflict: it is still alive, and there is no more time to wait
    """
    lock = lock_of(item)
    number = 0
    while lock is not None:
        record = yield from session.record("settle_record", lock.record)
        if record is None or not record.is_of(lock) or record.state != "pending":
            # Nothing can commit it any more, or it is committed; the swap looks whether the lock is still there.
            committed = record is not None and record.is_of(lock) and record.state == "committed"
            yield from _settled(session, "settle", place, item, committed=committed)
            return
        if session.shared.leases.run_out(record):
            yield from stop(session, record)
            yield from recover(session, lock.record)
        elif not patient or not (yield from _waited(session, number)):
            raise Conflict(f"a transaction holds an item of table {place.table.name!r}: repeat the call")
        number += 1
        now = yield from session.read("settle_again", place)
        if now is None or lock_of(now) != lock:
            return
        item = now


def _waited(session: Session, number: int) -> Flow[bool]:
    started = session.shared.leases.monotonic()
    waited: bool = yield from session.wait(number, WAIT_BASE, WAIT_CAP)
    if waited:
        session.measured(LOCK_WAIT, session.shared.leases.monotonic() - started)
    return waited


def _settled(session: Session, step: str, place: Place, item: Item, *, committed: bool) -> Flow[bool]:
    """Take a lock away, if it is still there; whether it was this client that did so."""
    swap = Swap(place, identity_of(item), applied(item) if committed else released(item))
    done = (yield from session.swap(step, swap)) is True
    if done:
        session.measured(SETTLED, image="after" if committed else "before")
    return done


def stop(session: Session, record: Record) -> Flow[None]:
    """Abort a pending transaction through its record, whoever it belongs to; safe at any time (rule R8)."""
    if (yield from session.swap_record("stop", record, ended(session, record, "aborted"))) is True:
        session.measured(STOPPED)


def ended(session: Session, record: Record, state: State) -> Record:
    """The record of a transaction that has come to an end, which is remembered for a while."""
    options = session.shared.options
    kept = options.retention_s if record.digest is None or state == "aborted" else options.token_retention_s
    return evolve(record, state=state, purge_at=ceil(session.now() + kept))


def recover(session: Session, record_id: str) -> Flow[Fate]:
    """Finish or undo one transaction, if its lease has run out; let it be forgotten, if its time has come."""
    fate = Fate.KEPT
    for _ in range(_TRIES):
        record = yield from session.record("recover_record", record_id)
        if record is None:
            return Fate.FORGOTTEN if fate is Fate.KEPT else fate
        if record.state in ("pending", "committed"):
            if not session.shared.leases.run_out(record):
                return Fate.OVERDUE if session.shared.leases.overdue(record) else Fate.ALIVE
            if record.state == "pending":
                yield from stop(session, record)
                fate = Fate.UNDONE
            elif (yield from finish(session, record)):
                return Fate.FINISHED
            continue
        if record.state == "aborted":
            yield from _end_items(session, record, committed=False)
        purged = yield from _purged(session, record)
        return Fate.FORGOTTEN if purged and fate is Fate.KEPT else fate
    return fate


def finish(session: Session, record: Record) -> Flow[bool]:
    """Roll a committed transaction forward; ``False`` if an item could not be (rule R10)."""
    if not (yield from _end_items(session, record, committed=True)):
        return False
    yield from session.swap_record("done", record, ended(session, record, "done"))
    return True


def _end_items(session: Session, record: Record, *, committed: bool) -> Flow[bool]:
    """See each item without the lock of this attempt; ``False`` if that did not come about."""
    for named in record.items:
        place = yield from session.place_of(named.table, named.key)
        if place is not None and not (yield from _end_item(session, place, record.lock, committed=committed)):
            return False
    return True


def _end_item(session: Session, place: Place, lock: Lock, *, committed: bool) -> Flow[bool]:
    for _ in range(_TRIES):
        item = yield from session.read("recover_read", place)
        if item is None or lock_of(item) != lock:
            return True
        if (yield from _settled(session, "recover", place, item, committed=committed)):
            return True
    return False


def _purged(session: Session, record: Record) -> Flow[bool]:
    """Remove an ended record whose time has come."""
    if record.purge_at is None or record.purge_at > session.now():
        return False
    return (yield from session.swap_record("purge", record, None)) is not LOST
