"""The quickest form of an update: ``$set``, ``$inc`` and ``$unset`` of whole attributes, with conditions in the filter.

It is used where it means the same as the contract, and applies only then: a counter that is no 64-bit integer, an item
that might become too large and an expired item don't match, and compare-and-swap decides about them.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import define, field, frozen

from isthmus.errors import InvalidKey
from isthmus.expressions import Action, Add, Remove, Set
from isthmus.operations import Delete, Put, Update
from isthmus.values import Item, Value, value_size
from isthmus.writes import check_index_keys, is_number
from isthmus_mongodb.conditions import test_of
from isthmus_mongodb.expressions import FALSE, Expression, Reader, all_of, is_numeric, literal, negated
from isthmus_mongodb.layouts import EXPIRY, OPERATION, REVISION, Layout
from isthmus_mongodb.locks import UNLOCKED, new_revision
from isthmus_mongodb.names import escape
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.values import HIGHEST, LOWEST, Document, encode_key, encode_value, hidden_fields, moment

MOST_BYTES: Final = 320_000
"""BSON bytes below which an item surely is within the limit of the contract (rule SIZ-6)."""

# BSON needs up to this many times the bytes of DynamoDB's formula: a null in a list takes two there and eight here.
_GROWTH: Final = 8
_OVERHEAD: Final = 64
# The most that a number takes by the contract's formula.
_NUMBER_BYTES: Final = 21


@frozen
class Operators:
    """One update command: it matches only where its effect is what the contract says."""

    filter: Document
    update: Document


def operators_of(place: Place, operation: Update, now: float) -> Operators | None:
    """The update as operators, or ``None`` when it needs a form that can do more."""
    builder = _Builder(place, now)
    if operation.upsert or not all(map(builder.take, operation.changes.actions)):
        return None
    tests = [] if operation.condition is None else tests_of(operation, Reader(place.layout))
    if tests is None:
        return None
    room = MOST_BYTES - builder.growth
    if room <= 0:
        return None
    if operation.context.operation_id is not None:
        builder.sets[OPERATION] = operation.context.operation_id
    if place.locks:
        builder.sets[REVISION] = new_revision()
    update: Document = {}
    for name, part in (("$set", builder.sets), ("$inc", builder.sums), ("$unset", builder.removed)):
        if part:
            update[name] = part
    tests.append({"$lte": [{"$bsonSize": "$$ROOT"}, room]})
    where = filter_for(place, operation, tests, now)
    where.update(builder.types)
    return Operators(where, update) if update else None


def tests_of(operation: Put | Update | Delete, reader: Reader) -> list[Expression] | None:
    """The operation's condition as tests of the document, or ``None`` where the evaluator is needed."""
    if operation.condition is None:
        return []
    test = test_of(operation.condition, reader)
    return None if test is None else [test.value, *test.guards]


def filter_for(place: Place, operation: Put | Update | Delete, tests: list[Expression], now: float) -> Document:
    """Matches the visible item of the operation's key if the tests hold and no attempt of it was applied.

    An item that a transaction holds does not match.
    """
    found: Document = {"_id": encode_key(place.layout, operation.key), **(UNLOCKED if place.locks else {})}
    if operation.context.operation_id is not None:
        found[OPERATION] = {"$ne": operation.context.operation_id}
    if place.layout.table.ttl is not None:
        tests = [*tests, negated(expired_test(place.layout, now))]
    if tests:
        found["$expr"] = all_of(tests)
    return found


def expired_test(layout: Layout, now: float) -> Expression:
    """Whether the document is an expired item; only a number expires one (rule TTL-1)."""
    if layout.table.ttl is None:
        return FALSE
    expires = f"${escape(layout.table.ttl)}"
    return all_of([is_numeric(expires), {"$lte": [expires, literal(moment(now))]}])


@define
class _Builder:
    """Collects the operators of an update's actions."""

    place: Place
    now: float
    sets: Document = field(factory=dict)
    sums: Document = field(factory=dict)
    removed: Document = field(factory=dict)
    types: Document = field(factory=dict)
    growth: int = _OVERHEAD

    def take(self, action: Action) -> bool:
        """Take up one action, if operators can express it."""
        kind, path = type(action), action.path
        if len(path) != 1:
            return False
        name = str(path[0])
        if isinstance(action, (Set, Add)):
            return self.set(name, action.value) if kind is Set else self.add(name, action.value)
        return kind is Remove and self.remove(name)

    def set(self, name: str, value: Value) -> bool:
        if not may_be_set(self.place, name, value, self.now):
            return False
        self.growth += growth_of(name, value)
        self.sets[escape(name)] = encode_value(value)
        if name in self.place.layout.watched:
            self.derive(name, {name: value})
        return True

    def remove(self, name: str) -> bool:
        self.removed[escape(name)] = ""
        if name in self.place.layout.watched:
            self.derive(name, {})
        return True

    def derive(self, name: str, item: Item) -> None:
        """Keep the hidden fields that are derived from an attribute."""
        layout = self.place.layout
        derived = hidden_fields(layout, item)
        self.sets.update(derived)
        hidden = layout.indexed.get(name, EXPIRY)
        if hidden not in derived:
            self.removed[hidden] = ""

    def add(self, name: str, value: Any) -> bool:
        if type(value) is not int or not may_be_added(self.place, name, value) or not LOWEST <= value <= HIGHEST:
            return False
        stored = escape(name)
        self.growth += growth_of(name, value)
        self.sums[stored] = encode_value(value)
        # `$inc` rounds decimals; what is no number at all, and a sum that overflows, is an error of the server.
        self.types[stored] = {"$not": {"$type": ["decimal", "double"]}}
        return True


def may_be_set(place: Place, name: str, value: Any, now: float) -> bool:
    """Whether putting a value in place of an attribute is surely allowed, as an index key and as an expiry time."""
    layout = place.layout
    if name == layout.table.ttl and is_number(value) and value <= now:
        return False
    if name not in layout.index_names:
        return True
    try:
        check_index_keys(layout.table, {name: value}, place.limits)
    except InvalidKey:
        return False
    return True


def may_be_added(place: Place, name: str, value: Any) -> bool:
    """Whether an integer may be added to an attribute: not where that may leave a number as a key of another type."""
    layout = place.layout
    if name in layout.watched:
        return False
    return name not in layout.index_names or may_be_set(place, name, value, 0.0)


def growth_of(name: str, value: Any) -> int:
    """At most this many BSON bytes are added by an attribute."""
    size = _NUMBER_BYTES if is_number(value) else value_size(value)
    return _OVERHEAD + 4 * len(name) + _GROWTH * size
