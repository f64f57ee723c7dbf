"""Queries, scans and counts: which documents are read, in which order, and what is left to judge here."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from attrs import evolve, frozen
from bson.max_key import MaxKey

from isthmus.expressions import attributes_used
from isthmus.operations import KeyRange, Paged, Query, Scan
from isthmus.pages import position_names, used_index, visible_names
from isthmus.ranges import bounds, within
from isthmus.results import Page
from isthmus.schema import Index
from isthmus.values import Item, Value
from isthmus_mongodb.catalogue import Catalogue, Stored, mismatch
from isthmus_mongodb.expressions import literal, negated
from isthmus_mongodb.filters import filter_of
from isthmus_mongodb.layouts import Layout
from isthmus_mongodb.locks import LOCKED, WHOLE, count_stages, counted, decode_candidate
from isthmus_mongodb.names import escape
from isthmus_mongodb.native import Call
from isthmus_mongodb.operators import expired_test
from isthmus_mongodb.paging import PAGE_ITEMS, Filling
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.tables import index_fields, index_keys
from isthmus_mongodb.unreadable import beyond_id, item_or_fault
from isthmus_mongodb.values import decode_item, encode_key, encode_key_value

Plan = Generator[Any, Any, Any]
Match = dict[str, Any]

# How many documents are asked for first where nothing tells how large they are.
_PORTION = 250
_NOTHING: Match = {"$expr": literal(False)}


@frozen
class Order:
    """The order that is read: of the table itself, or of one of its indexes.

    :param fields: the index's own keys in the store; empty for the table
    :param sort: the order of the server
    """

    layout: Layout
    index: Index | None
    fields: tuple[str, ...]
    sort: list[tuple[str, int]]

    @property
    def hint(self) -> dict[str, Any]:
        """Which index the server has to use."""
        return {} if self.index is None else {"hint": dict(index_keys(self.fields))}


@frozen
class Reading:
    """How a page is read.

    :param match: what the server filters by
    :param operation: what is left to do with the documents
    """

    stored: Stored
    order: Order
    match: Match
    operation: Paged
    fields: Match | None

    @property
    def counted(self) -> bool:
        """Whether the server can answer with the number alone."""
        left = self.operation
        free = left.limit is None and left.max_bytes is None and left.max_examined is None
        return left.select == "count" and left.condition is None and free

    def request(self, size: int) -> Call:
        """The request for the first documents."""
        options = {"sort": self.order.sort, "limit": size, "batch_size": size, **self.order.hint}
        return Call(self.stored.collection, "find", (self.match, self.fields), options)


def page(catalogue: Catalogue, operation: Query | Scan) -> Plan:
    """The plan of one page."""
    stored = catalogue.recent(operation.table) or (yield from catalogue.find(operation.table))
    now = catalogue.clock()
    reading = reading_of(stored, operation, now)
    if reading.counted:
        return (yield from _count(reading))
    if isinstance(operation, Scan) and operation.report_unreadable:
        return (yield from past_faults(reading, operation, now))
    filling, size = Filling(reading.operation), _first_portion(operation)
    decode = decode_candidate if stored.place.locks else decode_item
    while True:
        documents = yield reading.request(size)
        items = [decode(stored.layout, document) for document in documents]
        filling.take(items)
        if filling.full or len(documents) < size:
            return filling.page()
        reading, size = reading_of(stored, evolve(operation, start=items[-1]), now), PAGE_ITEMS + 1


def past_faults(reading: Reading, scan: Scan, now: float) -> Plan:
    """The plan of a page of a scan that reports what it can't read, whatever the type of its ``_id``."""
    stored, filling, size = reading.stored, Filling(reading.operation), _first_portion(scan)
    others = [segment_match(scan), visible_match(stored.place, now)]
    match = {} if scan.start is None else beyond_id(encode_key(stored.layout, scan.start))
    decode = decode_candidate if stored.place.locks else decode_item
    while True:
        documents = yield evolve(reading, match=_all([match, *others])).request(size)
        filling.take([item_or_fault(stored.layout, document, decode) for document in documents])
        if filling.full or len(documents) < size:
            return filling.page()
        match, size = beyond_id(documents[-1]["_id"]), PAGE_ITEMS + 1


def _count(reading: Reading) -> Plan:
    stored, hint = reading.stored, reading.order.hint
    if stored.place.locks:
        groups = yield Call(stored.collection, "aggregate", (count_stages(reading.match),), hint)
        return counted(stored.layout, groups)
    count = yield Call(stored.collection, "count_documents", (reading.match,), hint)
    return Page(count=count, examined=count)


def _first_portion(operation: Paged) -> int:
    """With one more than wanted, so that the page knows whether it is the last one."""
    wanted = [number for number in (operation.limit, operation.max_examined) if number is not None]
    return min(*wanted, PAGE_ITEMS) + 1 if wanted else _PORTION + 1


# ---- the plan ----


def reading_of(stored: Stored, operation: Query | Scan, now: float) -> Reading:
    """How one page is read.

    :param now: seconds since the epoch, by our own clock
    :raises SchemaMismatch: the index is declared but not stored
    """
    layout, order = stored.layout, order_of(stored, operation)
    parts = _visible(layout, now)
    left: Paged = operation
    # Where the caller counts candidates, each of them has to come here.
    if operation.condition is not None and operation.max_examined is None:
        found = filter_of(operation.condition, layout)
        parts += [] if found.query is None else [found.query]
        left = evolve(operation, condition=None) if found.exact else operation
    match = _all([_reach(order, operation), _or_held(stored.place, _all(parts))])
    return Reading(stored, order, match, left, _fields(stored.place, left))


def _or_held(place: Place, judged: Match) -> Match:
    """What is judged of the image that counts does not concern documents that a transaction holds."""
    return {"$or": [judged, LOCKED]} if judged and place.locks else judged


def _all(parts: list[Match]) -> Match:
    parts = [part for part in parts if part]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else {}


def order_of(stored: Stored, operation: Query | Scan) -> Order:
    """The order that is read.

    :raises SchemaMismatch: the index is declared but not stored
    """
    index = used_index(operation)
    if index is None:
        return Order(stored.layout, None, (), [("_id", 1 if _forward(operation) else -1)])
    if index not in stored.table.indexes:
        raise mismatch(f"index {index.name!r} is not stored as it is declared", operation.table, stored.table)
    fields = index_fields(stored.layout, index)
    direction = 1 if _forward(operation) else -1
    return Order(stored.layout, index, fields, [(field, direction) for field in (*fields[1:], "_id")])


def _forward(operation: Paged) -> bool:
    return operation.forward if isinstance(operation, Query) else True


def _visible(layout: Layout, now: float) -> list[Match]:
    """Expired items are absent (rule TTL-2)."""
    if layout.table.ttl is None:
        return []
    return [{"$expr": negated(expired_test(layout, now))}]


def visible_match(place: Place, now: float) -> Match:
    """Matches what is not expired, and what a transaction holds."""
    return _or_held(place, _all(_visible(place.layout, now)))


def _fields(place: Place, operation: Paged) -> Match | None:
    """The fields that are needed, or ``None`` for all."""
    index = used_index(operation)
    if operation.select == "count":
        names: frozenset[str] | None = frozenset()
    elif operation.projection is not None:
        names = frozenset(str(path[0]) for path in operation.projection)
    else:
        names = None if index is None else visible_names(operation.table, index)
    if names is None or operation.max_bytes is not None:
        return None
    used = attributes_used(operation.condition) if operation.condition is not None else frozenset()
    wanted = {*names, *used, *position_names(operation.table, index)}
    fields = {escape(name): 1 for name in sorted(wanted) if name not in place.layout.by_name}
    return {"_id": 1, **fields, **(WHOLE if place.locks else {})}


# ---- where to read ----


def _reach(order: Order, operation: Query | Scan) -> Match:
    if isinstance(operation, Scan):
        later = {} if operation.start is None else _beyond(order, operation, operation.start)
        return {**later, **segment_match(operation)}
    reach = KeyRange() if operation.range is None else bounds(operation.range)
    if order.index is not None:
        return _index_reach(order, operation, reach)
    return _key_reach(order.layout, operation, reach)


def _beyond(order: Order, operation: Query | Scan, start: Item) -> Match:
    """What comes after a key in the order of keys, whether or not its item is still there."""
    return {"_id": {"$gt" if _forward(operation) else "$lt": encode_key(order.layout, start)}}


def segment_match(scan: Scan) -> Match:
    """Documents belong to segments by a hash of their key, which stays the same."""
    if scan.segments == 1:
        return {}
    count = scan.segments
    remainder = {"$mod": [{"$toHashedIndexKey": "$_id"}, count]}
    positive = {"$mod": [{"$add": [remainder, count]}, count]}
    return {"$expr": {"$eq": [positive, scan.segment]}}


def _index_reach(order: Order, query: Query, reach: KeyRange) -> Match:
    match: Match = {order.fields[0]: {"$eq": encode_key_value(query.partition)}}
    later = {} if query.start is None else _beyond(order, query, query.start)
    if order.index is None or order.index.sort_key is None:
        return {**match, **later}
    field, name = order.fields[1], order.index.sort_key.name
    if query.start is None:
        # What the partial index is made of has to be repeated, else the server does not use it.
        return {**match, field: _limits(reach) or {"$exists": True}}
    value = query.start[name]
    # Two branches, each a range of the index, which the server merges in order.
    branches = [{**match, field: _limits(_from(reach, value, forward=query.forward))}]
    if within(reach, value):
        branches.insert(0, {**match, field: {"$eq": encode_key_value(value)}, **later})
    return {"$or": branches}


def _limits(reach: KeyRange) -> Match:
    found: Match = {}
    if reach.low is not None:
        found["$gte" if reach.low_inclusive else "$gt"] = encode_key_value(reach.low)
    if reach.high is not None:
        found["$lte" if reach.high_inclusive else "$lt"] = encode_key_value(reach.high)
    return found


def _key_reach(layout: Layout, query: Query, reach: KeyRange) -> Match:
    """A range of whole ``_id`` documents, which compare field by field (rule KEY-7)."""
    partition = {layout.keys[0].stored: encode_key_value(query.partition)}
    if len(layout.keys) == 1:
        return {"_id": {"$eq": partition}} if query.start is None else _NOTHING
    field = layout.keys[1]
    reach = reach if query.start is None else _from(reach, query.start[field.name], forward=query.forward)
    low: Match = {"$gte": partition}
    high: Match = {"$lt": {**partition, field.stored: MaxKey()}}
    if reach.low is not None:
        low = {"$gte" if reach.low_inclusive else "$gt": {**partition, field.stored: encode_key_value(reach.low)}}
    if reach.high is not None:
        high = {"$lte" if reach.high_inclusive else "$lt": {**partition, field.stored: encode_key_value(reach.high)}}
    return {"_id": {**low, **high}}


def _from(reach: KeyRange, start: Value, *, forward: bool) -> KeyRange:
    """The part of a range that comes after a sort key."""
    value: Any = start
    if forward:
        return reach if reach.low is not None and reach.low > value else evolve(reach, low=value, low_inclusive=False)
    return reach if reach.high is not None and reach.high < value else evolve(reach, high=value, high_inclusive=False)


# ---- what people see ----


def explain(stored: Stored, operation: Query | Scan, now: float) -> dict[str, Any]:
    """The request that reads a page, without its values, and whether items are judged here too."""
    reading = reading_of(stored, operation, now)
    return {
        "collection": stored.collection,
        "command": "count" if reading.counted else "find",
        "filter": _shape(reading.match),
        "sort": dict(reading.order.sort),
        "index": "_id" if reading.order.index is None else reading.order.index.name,
        "evaluator": reading.operation.condition is not None,
    }


def _shape(part: Any, expression: bool = False) -> Any:
    """The form of a filter.

    :param expression: whether a text that begins with ``$`` is the path of a field, and not a value
    """
    if isinstance(part, dict):
        return {name: _part(name, value, expression) for name, value in part.items()}
    if isinstance(part, list):
        return [_shape(member, expression) for member in part]
    return part if expression and isinstance(part, str) and part.startswith("$") else "?"


def _part(name: str, value: Any, expression: bool) -> Any:
    return "?" if name == "$literal" else _shape(value, expression or name == "$expr")
