"""Writes of single items that respect locks (rule R2): by the backend itself where it can, else by compare-and-swap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from attrs import frozen

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import Conflict, DeadlineExceeded, IsthmusError, OutcomeUnknown
from isthmus.fallback.locks import settle
from isthmus.fallback.records import (
    Image,
    identity_of,
    lock_of,
    new_id,
    unlocked_image,
    with_rev,
)
from isthmus.fallback.session import WAIT_CAP, Flow, Native, Session
from isthmus.fallback.store import ABSENT, REV, Locked, Place, Swap
from isthmus.leftovers import merged, part, with_error
from isthmus.schema import Table
from isthmus.values import Item, copy_item
from isthmus.writes import check_index_keys, require_unchanged, visible, write

Batch = op.PutMany | op.DeleteMany
_SENDINGS = 4


@frozen
class Written:
    """What a write did: the visible item before, and the item after."""

    old: Item | None
    new: Item | None


def place_of(action: op.Action | op.Get) -> Place:
    """The item that an action or a read names."""
    return Place(action.table, action.table.key_of(action.key))


# ---- by the backend ----


def native(session: Session, operation: op.Action) -> Flow[res.Result]:
    """Let the backend write, and settle what holds the item as often as something does."""
    while True:
        try:
            result: res.Result = yield Native(operation)
        except Locked:
            yield from unlock(session, place_of(operation))
        else:
            return result


def unlock(session: Session, place: Place) -> Flow[None]:
    """See to it that an item is not locked, at some moment."""
    item = yield from session.read("locked_read", place)
    if item is not None and lock_of(item) is not None:
        yield from settle(session, place, item)


def native_batch(session: Session, operation: Batch) -> Flow[res.Result]:
    """The same for the members of a batch; those that are not locked don't wait for the others."""
    result: Any = yield Native(operation)
    while places := [failure.position for failure in result.failures if isinstance(failure.error, Locked)]:
        try:
            for place in places:
                yield from unlock(session, _member(operation, place))
            result = merged(result, places, (yield Native(part(operation, places))))
        except IsthmusError as error:
            return with_error(result, places, error)
    return cast("res.Result", result)


def _member(operation: Batch, position: int) -> Place:
    member = operation.items[position] if isinstance(operation, op.PutMany) else operation.keys[position]
    return Place(operation.table, operation.table.key_of(member))


# ---- by compare-and-swap ----


def single(session: Session, action: op.Action) -> Flow[res.Result]:
    """One write, judged here."""
    stored = (yield from session.admitted([action.table]))[action.table.name]
    written = yield from swapped(session, action, stored)
    if isinstance(action, op.Delete):
        return res.DeleteResult(written.old if action.returning == "old" else None, existed=written.old is not None)
    returning = getattr(action, "returning", None)
    image = written.old if returning == "old" else written.new if returning else None
    return res.WriteResult(None if image is None else copy_item(image))


def swapped(session: Session, action: op.Action, stored: Table) -> Flow[Written]:
    """Read, judge and swap one item, until the swap meets what was judged.

    :param stored: the definition that the table is stored with
    :raises OutcomeUnknown: the answer to the swap was lost, and what it left can't be told from another's
    """
    place = Place(stored, stored.key_of(action.key))
    number = 0
    while True:
        item = yield from session.read("write_read", place)
        if item is not None and lock_of(item) is not None:
            yield from settle(session, place, item)
            continue
        written = judged(session, action, stored, unlocked_image(item))
        if written.new is None and item is None:
            return written
        if (yield from _sent(session, action, place, item, written.new)):
            return written
        if not (yield from session.wait(number, 0.001, WAIT_CAP)):
            raise Conflict(f"an item of table {stored.name!r} changes faster than it can be written: repeat the call")
        number += 1


def judged(session: Session, action: op.Action, stored: Table, image: Image) -> Written:
    """What an action makes of an image.

    :raises IsthmusError: why there can't be such an item
    """
    now = session.now()
    old = visible(stored, image.item, now)
    require_unchanged(action, image.revision(stored, now))
    new = write(action, old, session.shared.backend.limits, now)
    if new is not None and stored.indexes != action.table.indexes:
        check_index_keys(stored, new, session.shared.backend.limits)
    return Written(old, new)


def _sent(session: Session, action: op.Action, place: Place, item: Item | None, new: Item | None) -> Flow[bool]:
    """Whether the swap was done; ``False`` if it was not and never will be.

    After a lost answer the same swap is sent again for as long as what it expects is there: the identity of an item
    never comes back, so only one of them can be done. Absence comes back, so it is not sent twice.
    """
    rev = new_id()
    swap = Swap(place, identity_of(item), None if new is None else with_rev(new, rev))
    unsure = False
    for _ in range(_SENDINGS):
        answer = yield from session.swap("write", swap)
        if answer is True or (answer is False and not unsure):
            return bool(answer)
        unsure = True
        session.settle_in_time()
        try:
            now = yield from session.read("write_check", place)
        except IsthmusError as error:
            raise _unknown(action) from error
        if (now is None) if new is None else (now is not None and now.get(REV) == rev):
            if new is None and not action.idempotent:
                break  # perhaps another's delete, which a condition or an answer must not be made of
            return True
        if swap.expected is ABSENT or identity_of(now) != swap.expected:
            break
    raise _unknown(action)


def _unknown(action: op.Action) -> OutcomeUnknown:
    return OutcomeUnknown(f"the outcome of this {action.kind} is unknown: read the item before repeating it")


def many(session: Session, operation: Batch) -> Flow[res.Result]:
    """A batch, one write after the other."""
    stored = (yield from session.admitted([operation.table]))[operation.table.name]
    if isinstance(operation, op.PutMany) and stored.indexes != operation.table.indexes:
        for item in operation.items:
            check_index_keys(stored, item, session.shared.backend.limits)
    failures: list[res.Failure] = []
    members = list(_actions(operation))
    for position, action in enumerate(members):
        try:
            yield from swapped(session, action, stored)
        except DeadlineExceeded as error:
            error.maybe_applied = position > 0
            raise
        except IsthmusError as error:
            failures.append(res.Failure(position, error))
    return res.WriteManyResult(len(members) - len(failures), failures=failures)


def _actions(operation: Batch) -> Iterable[op.Put | op.Delete]:
    if isinstance(operation, op.PutMany):
        return (op.Put(operation.context, operation.table, item) for item in operation.items)
    return (op.Delete(operation.context, operation.table, key) for key in operation.keys)
