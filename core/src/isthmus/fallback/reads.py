"""Reads that see whole transactions: they never wait for a lock, and never write to answer (rules R12, R13)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from attrs import evolve

from isthmus.errors import Conflict, IsthmusError
from isthmus.fallback.attempts import Attempt, kept
from isthmus.fallback.locks import settle
from isthmus.fallback.metrics import PINNED
from isthmus.fallback.records import Image, chosen, image_before, lock_of, unlocked_image
from isthmus.fallback.session import WAIT_BASE, WAIT_CAP, Flow, Session
from isthmus.fallback.store import Place
from isthmus.values import Item


def read(session: Session, place: Place) -> Flow[Image]:
    """The image of one item that counts."""
    item = yield from session.read("read", place)
    return (yield from image_of(session, place, item))


def image_of(session: Session, place: Place, item: Item | None) -> Flow[Image]:
    """The image that counts of a physical item as it was just read."""
    while True:
        lock = lock_of(item)
        if item is None or lock is None:
            return unlocked_image(item)
        record = yield from session.record("read_record", lock.record)
        image = chosen(item, record)
        if image is not None and record is not None:
            # A client that goes on needs no help, be its transaction committed or not.
            idle = record.state in ("pending", "committed") and session.shared.leases.run_out(record)
            return evolve(image, idle=item) if idle else image
        # The record is gone or another's. The lock proves nothing by itself: its transaction may just have ended.
        again = yield from session.read("read_again", place)
        if again is not None and lock_of(again) == lock:
            return image_before(again, over=True)
        item = again


def read_all(session: Session, places: Sequence[Place]) -> Flow[list[Image]]:
    """The image of each item, by itself; the records of all locks are read together."""
    items = yield from session.read_many("look", places)
    locks = {lock.record: lock for item in items if (lock := lock_of(item)) is not None}
    records = (yield from session.records("look_records", list(locks))) if locks else {}
    images = []
    for place, item in zip(places, items, strict=True):
        lock = lock_of(item)
        if item is None or lock is None:
            images.append(unlocked_image(item))
            continue
        image = chosen(item, records.get(lock.record))
        images += [image if image is not None else (yield from read(session, place))]
    return images


def snapshot(session: Session, places: Sequence[Place]) -> Flow[list[Image]]:
    """The images of several items as of one moment (rule R13).

    :raises Conflict: they change faster than they can be read
    """
    if len(places) == 1:
        return [(yield from read(session, places[0]))]
    for number in range(session.shared.options.snapshot_rounds):
        found = yield from _collected(session, places)
        if found is not None:
            return found
        if not (yield from session.wait(number, WAIT_BASE, WAIT_CAP)):
            break
    number = 0
    while True:
        found = yield from pinned(session, places, range(len(places)), (yield from read_all(session, places)))
        if found is not None:
            return found
        if not (yield from session.wait(number, WAIT_BASE, WAIT_CAP)):
            raise Conflict("the items of this transact_get change faster than they can be read: repeat it")
        number += 1


def _collected(session: Session, places: Sequence[Place]) -> Flow[list[Image] | None]:
    """Everything read twice without a change, if there was none."""
    first: list[Image] = yield from read_all(session, places)
    gone = [number for number, image in enumerate(first) if image.absent]
    if len(gone) > 1:
        return (yield from pinned(session, places, gone, first))
    for number in gone:  # the moment of the snapshot: an absence has no version, it may come back
        if not (yield from read(session, places[number])).absent:
            return None
    return first if (yield from _same_again(session, places, first, gone)) else None


def _same_again(session: Session, places: Sequence[Place], first: list[Image], but: Sequence[int]) -> Flow[bool]:
    """Whether all items but some still have the versions that were read first."""
    others = [number for number in range(len(places)) if number not in set(but)]
    second = yield from read_all(session, [places[number] for number in others])
    return all(image.version == first[number].version for number, image in zip(others, second, strict=True))


def pinned(
    session: Session, places: Sequence[Place], pins: Sequence[int], first: list[Image]
) -> Flow[list[Image] | None]:
    """The images read first, if they held together while some of the items were locked; else ``None``."""
    session.measured(PINNED)
    attempt = Attempt(session, [kept(places[number], first[number]) for number in pins])
    if not (yield from attempt.begin()):
        return None
    try:
        good = yield from attempt.lock(patient=False)
        good = good and (yield from _same_again(session, places, first, pins))
        good = good and (yield from attempt.is_pending())
    except IsthmusError:
        yield from attempt.give_up()
        raise
    yield from attempt.give_up()
    if good:
        return first
    yield from _cleared(session, [places[number] for number in pins])
    return None


def _cleared(session: Session, places: Sequence[Place]) -> Flow[None]:
    """Take away what dead clients left in these places, else it would be in the way of every further round."""
    items = yield from session.read_many("pin_read", places)
    for place, item in zip(places, items, strict=True):
        if item is not None and lock_of(item) is not None:
            with suppress(Conflict):
                yield from settle(session, place, item, patient=False)
