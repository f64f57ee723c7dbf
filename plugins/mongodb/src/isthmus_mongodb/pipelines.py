"""Conditional puts and updates as one command: a pipeline that writes the new item, or the document as it was.

The command answers with the document after it. An id that only this write leaves tells whether it was applied;
otherwise what is answered is the current item, from the same atomic command (rule CND-2).
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from isthmus.errors import IsthmusError
from isthmus.operations import Put, Update
from isthmus.values import Item, item_size
from isthmus.writes import write
from isthmus_mongodb.changes import NeedsEvaluator, Rebuilding
from isthmus_mongodb.expressions import TRUE, Expression, Reader, all_of, any_of, depth, literal, negated
from isthmus_mongodb.layouts import OPERATION, REVISION
from isthmus_mongodb.locks import IS_UNLOCKED, new_revision
from isthmus_mongodb.operators import MOST_BYTES, expired_test, tests_of
from isthmus_mongodb.swapping import Place, check_stored_indexes
from isthmus_mongodb.values import Document, encode_item, encode_key

_DEEPEST: Final = 180
"""Levels of a whole pipeline; the server refuses commands that are nested deeper than 200."""

_SURELY_SMALL: Final = 40_000
"""An item of this size, by the contract's formula, takes less than ``MOST_BYTES`` as BSON."""


@frozen
class Pipeline:
    """One update command.

    :param mark: the id that the new item has in its hidden field
    """

    filter: Document
    stages: list[Document]
    mark: str


def put_pipeline(place: Place, operation: Put, mark: str, now: float) -> Pipeline | None:
    """A put whose condition is true for a missing item, or ``None`` where the evaluator is needed."""
    tests = tests_of(operation, Reader(place.layout))
    if tests is None:
        return None
    document = {**encode_item(place.layout, operation.item), OPERATION: mark, **_revision(place)}
    key = document.pop("_id")
    allowed = all_of([any_of([expired_test(place.layout, now), all_of(tests)]), *_unapplied(place, operation)])
    stages = [{"$replaceWith": {"$cond": [allowed, literal(document), "$$ROOT"]}}]
    return Pipeline({"_id": key}, stages, mark)


def update_pipeline(place: Place, operation: Update, mark: str, now: float) -> Pipeline | None:
    """An update, or ``None`` where the evaluator is needed.

    A missing item is created only where the whole update is known to succeed for it. Otherwise what the pipeline would
    insert is an empty item.
    """
    fresh = _fresh(place, operation, now)
    if fresh is not None and item_size(fresh) > _SURELY_SMALL:
        return None
    renewed = fresh is not None and place.layout.table.ttl is not None
    reader = Reader(place.layout, "$$base." if renewed else "$")
    rebuilding = Rebuilding(place, reader, now)
    tests = tests_of(operation, reader)
    try:
        fields = rebuilding.fields(operation.changes)
    except NeedsEvaluator:
        return None
    if tests is None:
        return None
    expired = expired_test(place.layout, now)
    alive = [] if renewed or place.layout.table.ttl is None else [negated(expired)]
    allowed = all_of([*tests, *rebuilding.guards, *alive, *_unapplied(place, operation)] or [TRUE])
    marks = {name: literal(value) for name, value in {OPERATION: mark, **_revision(place)}.items()}
    body = _guarded(allowed, {**fields, **marks}, "$$base" if renewed else "$$ROOT")
    if renewed:
        base = {"$cond": [expired, {"_id": "$_id"}, "$$ROOT"]}
        body = {"$let": {"vars": {"base": base}, "in": body}}
    stages = [{"$replaceWith": body}]
    key = encode_key(place.layout, operation.key)
    return None if depth(stages) > _DEEPEST else Pipeline({"_id": key}, stages, mark)


def _guarded(allowed: Expression, fields: dict[str, Expression], base: str) -> Expression:
    """The document with new fields if that is allowed and small enough, else the document as it is."""
    new: Expression = base
    for stored, value in fields.items():
        new = {"$setField": {"field": literal(stored), "input": new, "value": value}}
    small = {"$cond": [{"$lte": [{"$bsonSize": "$$new"}, MOST_BYTES]}, "$$new", "$$ROOT"]}
    return {"$cond": [allowed, {"$let": {"vars": {"new": new}, "in": small}}, "$$ROOT"]}


def _fresh(place: Place, operation: Update, now: float) -> Item | None:
    """What the update makes of a missing item, ``None`` when it creates none."""
    if not operation.upsert:
        return None
    try:
        fresh = write(operation, None, place.limits, now)
        check_stored_indexes(place, operation, fresh)
    except IsthmusError:
        return None
    return fresh


def _revision(place: Place) -> Document:
    return {REVISION: new_revision()} if place.locks else {}


def _unapplied(place: Place, operation: Put | Update) -> list[Expression]:
    """That there is no lock, nor any trace of an earlier attempt: a late one must not follow its repetition."""
    mine: Any = operation.context.operation_id
    unlocked = [IS_UNLOCKED] if place.locks else []
    return unlocked if mine is None else [*unlocked, {"$ne": [f"${OPERATION}", mine]}]
