"""Answers to reads: images become what the caller asked for, expired items are hidden, pages choose among images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import IsthmusError
from isthmus.evaluate import project
from isthmus.evaluate.conditions import predicate
from isthmus.expressions import Condition, Exists, Or
from isthmus.fallback.locks import settle
from isthmus.fallback.reads import image_of, read, read_all, snapshot
from isthmus.fallback.records import Image, chosen, identity_of, lock_of, released, stripped
from isthmus.fallback.session import Flow, Native, Session
from isthmus.fallback.store import LOCK, Place, Swap
from isthmus.fallback.writes import place_of
from isthmus.pages import cutter, used_index
from isthmus.ranges import within
from isthmus.values import Item
from isthmus.writes import visible


def answer(session: Session, operation: op.Get, image: Image) -> res.GetResult:
    """What a read of one item gives."""
    now, table = session.now(), operation.table
    item = visible(table, image.item, now)
    revision = image.revision(table, now) if operation.revision else None
    paths = operation.projection
    return res.GetResult(item if item is None or paths is None else project(item, paths), revision)


def get(session: Session, operation: op.Get) -> Flow[res.Result]:
    """Read one item, and tidy up after a dead client if it left a lock there."""
    place = place_of(operation)
    image = yield from read(session, place)
    yield from _help(session, place, image)
    return answer(session, operation, image)


def native_get(session: Session, operation: op.Get) -> Flow[res.Result]:
    """The same where the backend reads; the core is needed only for an item that is locked."""
    if operation.revision:
        return (yield from get(session, operation))
    result: res.GetResult = yield Native(operation)
    if result.item is None or LOCK not in result.item:
        return result
    place = place_of(operation)
    image = yield from image_of(session, place, result.item)
    yield from _help(session, place, image)
    return answer(session, operation, image)


def _help(session: Session, place: Place, image: Image) -> Flow[None]:
    """Take away a lock that nobody needs; a failure is none of the reader's business."""
    if image.idle is None:
        return
    try:
        if image.over:
            yield from session.swap("help", Swap(place, identity_of(image.idle), released(image.idle)))
        else:
            yield from settle(session, place, image.idle, patient=False)
    except IsthmusError:
        return


def get_many(session: Session, operation: op.GetMany) -> Flow[res.Result]:
    """Read many items, each by itself."""
    gets = [op.Get(operation.context, operation.table, key, operation.projection) for key in operation.keys]
    images = yield from read_all(session, [place_of(get) for get in gets])
    return res.GetManyResult([answer(session, get, image).item for get, image in zip(gets, images, strict=True)])


def native_get_many(session: Session, operation: op.GetMany) -> Flow[res.Result]:
    """The same where the backend reads."""
    result: res.GetManyResult = yield Native(operation)
    items = list(result.items)
    where = [number for number, item in enumerate(items) if item is not None and LOCK in item]
    if not where:
        return result
    gets = [
        op.Get(operation.context, operation.table, operation.keys[number], operation.projection) for number in where
    ]
    images = yield from _images(session, [place_of(get) for get in gets], [cast("Item", items[n]) for n in where])
    for number, get, image in zip(where, gets, images, strict=True):
        items[number] = answer(session, get, image).item
    return evolve(result, items=items)


def _images(session: Session, places: Sequence[Place], items: Sequence[Item]) -> Flow[list[Image]]:
    """The images that count of locked physical items; their records are read together."""
    locks = [lock_of(item) for item in items]
    ids = list(dict.fromkeys(lock.record for lock in locks if lock is not None))
    records = yield from session.records("page_records", ids)
    images = []
    for place, item, lock in zip(places, items, locks, strict=True):
        image = chosen(item, records.get(lock.record)) if lock is not None else None
        images += [image if image is not None else (yield from image_of(session, place, item))]
    return images


def transact_get(session: Session, operation: op.TransactGet) -> Flow[res.Result]:
    """Read several items as of one moment."""
    stored = yield from session.admitted([get.table for get in operation.gets])
    places = [Place(stored[get.table.name], get.table.key_of(get.key)) for get in operation.gets]
    images = yield from snapshot(session, places)
    found = [answer(session, get, image) for get, image in zip(operation.gets, images, strict=True)]
    revisions = [one.revision for one in found]
    return res.TransactGetResult([one.item for one in found], revisions if any(revisions) else ())


# ---- pages ----


def page(session: Session, operation: op.Paged) -> Flow[res.Result]:
    """One page from a backend that gives physical items."""
    condition = None if operation.condition is None else _or_locked(operation.condition)
    whole: Any = evolve(operation, condition=condition, projection=None, select="items")
    found: res.Page = yield Native(whole)
    cut = cutter(operation)
    chosen_items = yield from _chosen(session, operation, [item for item in found.items if LOCK in item])
    items = []
    for item in found.items:
        image = next(chosen_items) if LOCK in item else stripped(item)
        if image is not None:
            items.append(cut(image) if cut else image)
    return evolve(found, items=items if operation.select == "items" else (), count=len(items))


def native_page(session: Session, operation: op.Paged) -> Flow[res.Result]:
    """One page from a backend that gives its locked candidates whole, and all others as they were asked for."""
    found: res.Page = yield Native(operation)
    locked = [item for item in found.items if LOCK in item]
    if not locked:
        return found
    cut = cutter(operation)
    chosen_items = yield from _chosen(session, operation, locked)
    items: list[Item] = []
    more = 0
    for item in found.items:
        image = next(chosen_items) if LOCK in item else None
        more += image is not None
        if LOCK not in item:
            items.append(item)
        elif image is not None:
            items.append(cut(image) if cut else image)
    return evolve(found, items=items if operation.select == "items" else (), count=found.count + more)


def _or_locked(condition: Condition) -> Condition:
    return Or((condition, Exists((LOCK,))))


def _chosen(session: Session, operation: op.Paged, locked: Sequence[Item]) -> Flow[Any]:
    """For each locked candidate the image that counts, or ``None`` where that is not what was asked for."""
    table = operation.table
    places = [Place(table, table.key_of(item)) for item in locked]
    images = (yield from _images(session, places, locked)) if locked else []
    accepts = None if operation.condition is None else predicate(operation.condition)
    now = session.now()

    def judged(image: Image) -> Item | None:
        item = visible(table, image.item, now)
        if item is None or not _in_reach(operation, item) or (accepts is not None and not accepts(item)):
            return None
        return item

    return iter([judged(image) for image in images])


def _in_reach(operation: op.Paged, item: Mapping[str, Any]) -> bool:
    """Whether an image still belongs to what a query of an index reads."""
    index = used_index(operation)
    if index is None or not isinstance(operation, op.Query):
        return True
    if any(key.name not in item for key in index.keys) or item[index.partition_key.name] != operation.partition:
        return False
    return index.sort_key is None or within(operation.range, item[index.sort_key.name])
