"""Queries, scans and counts of mapped collections: the server finds candidates in order, all else is judged here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from attrs import evolve, frozen
from bson.max_key import MaxKey

from isthmus.errors import InvalidStoredValue, SchemaMismatch
from isthmus.expressions import attributes_used
from isthmus.operations import KeyRange, Paged, Query, Scan
from isthmus.pages import position_names, used_index
from isthmus.ranges import bounds, within
from isthmus.results import Unreadable
from isthmus.values import Item, type_name
from isthmus.writes import expired
from isthmus_mongodb.mapped_filters import narrowing
from isthmus_mongodb.mapped_keys import Term, greatest, key_terms, later, least
from isthmus_mongodb.mapped_tables import Mapped, index_keys
from isthmus_mongodb.mapped_values import decode_item
from isthmus_mongodb.mappings import ID, CollectionMapping, MappedKey
from isthmus_mongodb.native import Call
from isthmus_mongodb.paging import PAGE_ITEMS, Filling
from isthmus_mongodb.queries import segment_match
from isthmus_mongodb.unreadable import mapped_or_fault, place_of

Plan = Generator[Any, Any, Any]
Match = dict[str, Any]

_PORTION = 250
_TYPES = {"string": "string", "number": "number", "binary": "binData"}
_KIND_TYPES = {"object_id": "objectId", "date": "date", "expiry": "date"}


@frozen
class Route:
    """The order that is read.

    :param keys: of the index or of the table, partition key first
    :param terms: what is left to order inside of a partition, or for a scan everything
    """

    keys: tuple[MappedKey, ...]
    terms: list[Term]
    is_index: bool


def route_of(mapping: CollectionMapping, operation: Paged) -> Route:
    """The order that an operation reads.

    :raises SchemaMismatch: the mapping does not declare the index so
    """
    index = used_index(operation)
    if index is None:
        terms = key_terms(mapping)
        is_query = isinstance(operation, Query) and mapping.shape == "fields"
        return Route(mapping.keys, terms[1:] if is_query else terms, is_index=False)
    if index not in mapping.table.indexes:
        problem = f"index {index.name!r} is not in the mapping of table {mapping.table.name!r} as it is declared"
        raise SchemaMismatch(f"{problem}: add it to the mapping's indexes", differences=[problem])
    keys = index_keys(mapping, index)
    own = [Term(key.field, key) for key in keys[1:]]
    fields = {key.field for key in keys}
    return Route(keys, own + [term for term in key_terms(mapping) if term.field not in fields], is_index=True)


def page(mapped: Mapped, operation: Query | Scan) -> Plan:
    """The plan of one page."""
    mapping = mapped.mapping
    route, names = route_of(mapping, operation), _names(mapping, operation)
    accepts, read = _judge(mapped, route, operation), _reader(mapping, operation, names)
    filling, size, position = Filling(operation), _first_portion(operation), operation.start
    while True:
        match = match_of(mapping, route, evolve(operation, start=position))
        options = {"sort": _sort(route, operation), "limit": size, "batch_size": size}
        documents = yield Call(mapped.collection, "find", (match, fields_of(mapping, names)), options)
        found = [read(document) for document in documents]
        fresh = _fresh(mapping, route, operation, found, position)
        filling.take([item for item in fresh if isinstance(item, Unreadable) or accepts(item)])
        if filling.full or len(documents) < size:
            return filling.page()
        # Where the server finds nothing but what was there before, it has to be asked for more at once.
        places = [place for place in map(place_of, fresh) if place is not None]
        size = PAGE_ITEMS + 1 if places else 2 * size
        position = places[-1] if places else position


def _reader(
    mapping: CollectionMapping, operation: Paged, names: frozenset[str] | None
) -> Callable[[Mapping[str, Any]], Item | Unreadable]:
    if isinstance(operation, Scan) and operation.report_unreadable:
        return lambda document: mapped_or_fault(mapping, document)
    return lambda document: decode_item(mapping, document, names)


def _first_portion(operation: Paged) -> int:
    wanted = [number for number in (operation.limit, operation.max_examined) if number is not None]
    return min(*wanted, PAGE_ITEMS) + 1 if wanted else _PORTION + 1


def _names(mapping: CollectionMapping, operation: Paged) -> frozenset[str] | None:
    """The attributes that are needed, or ``None`` for all: what is not needed is not read, whatever it holds."""
    if operation.max_bytes is not None:
        return None
    if operation.select != "count" and operation.projection is None:
        return None
    shown = () if operation.select == "count" or operation.projection is None else operation.projection
    used = attributes_used(operation.condition) if operation.condition is not None else frozenset()
    ttl = {mapping.table.ttl} if mapping.table.ttl is not None else set()
    positions = position_names(operation.table, used_index(operation))
    return frozenset({*(str(path[0]) for path in shown), *map(str, used), *ttl, *positions})


def fields_of(mapping: CollectionMapping, names: frozenset[str] | None) -> Match | None:
    """The projection of the server, or ``None`` where all fields have to come."""
    if names is None or any("." in name or name.startswith("$") for name in names):
        return None
    keys = {key.path[0] for key in mapping.keys}
    own = mapping.table.key_names
    return {ID: 1, **dict.fromkeys(sorted(keys | {name for name in names if name not in own}), 1)}


# ---- where the server looks ----


def match_of(mapping: CollectionMapping, route: Route, operation: Query | Scan) -> Match:
    """What the server filters by."""
    parts = [_scanned(route, operation)] if isinstance(operation, Scan) else _reached(mapping, route, operation)
    if operation.condition is not None and operation.max_examined is None:
        parts.append(narrowing(operation.condition, mapping) or {})
    parts = [part for part in parts if part]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else {}


def _scanned(route: Route, scan: Scan) -> Match:
    segment = segment_match(scan)
    if scan.start is None:
        return segment
    branches = later(route.terms, scan.start, forward=True, any_type=True)
    return {"$and": [{"$or": branches}, segment]} if segment else {"$or": branches}


def _reached(mapping: CollectionMapping, route: Route, query: Query) -> list[Match]:
    partition = Term(route.keys[0].field, route.keys[0])
    whole = {route.keys[0].name: query.partition}
    reach = KeyRange() if query.range is None else bounds(query.range)
    if mapping.shape == "embedded" and not route.is_index:
        parts = [_embedded(mapping, query, reach)]
    else:
        limits = _limits(route.keys[1], reach) if len(route.keys) > 1 else {}
        parts = [partition.same(whole), {route.keys[1].field: limits} if limits else {}]
    if route.is_index:
        parts += [{key.field: {"$type": _type_of(key), "$not": {"$type": "array"}}} for key in route.keys]
    if query.start is None:
        return parts
    branches = later(route.terms, query.start, forward=query.forward)
    return [*parts, {"$or": branches} if branches else {"$nor": [{}]}]


def _type_of(key: MappedKey) -> str:
    return _TYPES[key.type] if key.kind is None else _KIND_TYPES[key.kind]


def _limits(key: MappedKey, reach: KeyRange) -> Match:
    low = None if reach.low is None else least(reach.low, key.kind)
    high = None if reach.high is None else greatest(reach.high, key.kind)
    return {**({} if low is None else {"$gte": low}), **({} if high is None else {"$lte": high})}


def _embedded(mapping: CollectionMapping, query: Query, reach: KeyRange) -> Match:
    """A range of whole ``_id`` documents, wide enough for each stored form of the partition key."""
    first = mapping.keys[0]
    value = query.partition
    low, high = {first.path[1]: least(value, first.kind)}, {first.path[1]: greatest(value, first.kind)}
    if len(mapping.keys) == 1:
        return {ID: {"$gte": low, "$lte": high}}
    second = mapping.keys[1]
    if low == high:
        limits = _limits(second, reach)
        low = {**low, **({second.path[1]: limits["$gte"]} if "$gte" in limits else {})}
        high = {**high, second.path[1]: limits.get("$lte", MaxKey())}
    else:
        high = {**high, second.path[1]: MaxKey()}
    return {ID: {"$gte": low, "$lte": high}}


def _sort(route: Route, operation: Paged) -> list[tuple[str, int]]:
    direction = 1 if not isinstance(operation, Query) or operation.forward else -1
    return [(term.field, direction) for term in route.terms] or [(ID, 1)]


# ---- what is judged here ----


def _judge(mapped: Mapped, route: Route, operation: Query | Scan) -> Callable[[Item], bool]:
    """Whether an item is a candidate of the operation: visible, of the partition, and inside the range."""
    now, table = mapped.clock(), mapped.mapping.table

    def accepts(item: Item) -> bool:
        if expired(table, item, now):
            return False
        if isinstance(operation, Scan):
            return True
        if any(key.name not in item or type_name(item[key.name]) != key.type for key in route.keys):
            return False
        if item[route.keys[0].name] != operation.partition:
            return False
        return len(route.keys) == 1 or within(operation.range, item[route.keys[1].name])

    return accepts


def _fresh(
    mapping: CollectionMapping,
    route: Route,
    operation: Paged,
    found: list[Item | Unreadable],
    position: Mapping[str, Any] | None,
) -> list[Item | Unreadable]:
    """The items after a position; only the first of those that the server found can be before it.

    What has no key has no place either: it is among them each time that the server finds it.

    :raises InvalidStoredValue: the server orders two items otherwise than their numbers are read, so that a page that
        ends between them would lose one
    """
    fresh: list[Item | Unreadable] = []
    begun = False
    for item in found:
        place = place_of(item)
        if place is None:
            fresh.append(item)
        elif position is None or _after(mapping, route, operation, place, position):
            fresh.append(item)
            position, begun = place, True
        elif begun:
            names = " or ".join(key.name for key in route.keys)
            raise InvalidStoredValue(
                f"{names!r} holds a double that is too close to a decimal to be put in order: store all in one form"
            )
    return fresh


def _after(mapping: CollectionMapping, route: Route, operation: Paged, item: Item, start: Mapping[str, Any]) -> bool:
    """Whether an item comes after a position, in the order that is read."""
    names = [key.name for key in (*(route.keys[1:] if route.is_index else ()), *mapping.keys)]
    here = [_ordered(item[name]) for name in names]
    there = [_ordered(start[name]) for name in names]
    return here > there if not isinstance(operation, Query) or operation.forward else here < there


def _ordered(value: Any) -> Any:
    """The server sorts binary values by length first."""
    return (len(value), value) if type(value) is bytes else value


# ---- what people see ----


def explain(mapped: Mapped, operation: Query | Scan) -> dict[str, Any]:
    """The request that reads a page, without its values."""
    route = route_of(mapped.mapping, operation)
    match = match_of(mapped.mapping, route, operation)
    return {
        "collection": mapped.collection,
        "command": "find",
        "fields": sorted(_shape(match)),
        "sort": dict(_sort(route, operation)),
        "evaluator": operation.condition is not None,
    }


def _shape(part: Any) -> set[str]:
    """The fields that a filter reads."""
    if isinstance(part, list):
        return {name for inner in part for name in _shape(inner)}
    found: set[str] = set()
    for name, value in part.items() if isinstance(part, dict) else ():
        found |= _shape(value) if name.startswith("$") else {name}
    return found
