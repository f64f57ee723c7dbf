"""Batches, in requests of as many members as the service takes (rules BAT-1, BAT-3).

What a request leaves undone is reported as failed, so that the core sends it again under its policy. Once a request
was carried out, a later one that fails does not hide it: its members, and those after it, are reported as failed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Final

from isthmus import operations as op
from isthmus.errors import DeadlineExceeded, IsthmusError, Throttled
from isthmus.planned import Plan
from isthmus.results import Failure, GetManyResult, WriteManyResult
from isthmus.schema import Table
from isthmus.values import Item, item_size
from isthmus.writes import check_index_keys
from isthmus_dynamodb.failures import translated
from isthmus_dynamodb.native import AnswerLost, Json, NotSent, Request, ServiceError
from isthmus_dynamodb.point_reads import found_item, projected
from isthmus_dynamodb.refusals import look_again
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.values import Attributes, decode, decode_item, encode_item

Batch = op.GetMany | op.PutMany | op.DeleteMany
# The places of one request's members, and what each of them is there.
_Chunk = dict[int, Json]
_Identity = tuple[Any, ...]

_GETS: Final = 100
_WRITES: Final = 25
# An answer this large was cut by the limit of 16 MB, not by a lack of capacity.
_FULL_ANSWER: Final = 15_000_000


def get_many(operation: op.GetMany, service: Service) -> Plan:
    """Many items, each at its place."""
    yield from service.admit(operation.table)
    name = service.table(operation.table)
    found: list[Item | None] = [None] * len(operation.keys)
    failures: list[Failure] = []
    options = _get_options(operation)
    waiting = {place: encode_item(key) for place, key in enumerate(operation.keys)}
    places = {_identity(operation.table, key): place for place, key in enumerate(operation.keys)}
    begun = False
    while waiting:
        chunk = _first(waiting, _GETS)
        wanted = {name: {"Keys": list(chunk.values()), **options}}
        try:
            answer = yield Request("BatchGetItem", {"RequestItems": wanted})
        except (ServiceError, NotSent, AnswerLost, IsthmusError) as error:
            failures += yield from _given_up(error, operation, waiting, service, begun=begun)
            break
        begun = True
        items = answer["Responses"].get(name, ())
        _place(operation, items, found, places, service)
        left = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", ())
        undone = {places[_identity(operation.table, decode_item(key))] for key in left}
        if undone and not _is_full(items):
            failures += [Failure(place, _throttled(operation)) for place in undone]
            undone = set()
        waiting = {place: key for place, key in waiting.items() if place not in chunk or place in undone}
    return GetManyResult(found, failures=_ordered(failures))


def put_many(operation: op.PutMany, service: Service) -> Plan:
    """Write many items."""
    yield from service.admit(operation.table)
    stored = service.known.complete(operation.table)
    if stored is not operation.table:
        for item in operation.items:
            check_index_keys(stored, item, service.limits)
    requests = {place: {"PutRequest": {"Item": encode_item(item)}} for place, item in enumerate(operation.items)}
    return (yield from _write_many(operation, operation.items, requests, service))


def delete_many(operation: op.DeleteMany, service: Service) -> Plan:
    """Remove many items."""
    requests = {place: {"DeleteRequest": {"Key": encode_item(key)}} for place, key in enumerate(operation.keys)}
    return (yield from _write_many(operation, operation.keys, requests, service))


def _write_many(
    operation: op.PutMany | op.DeleteMany,
    members: Sequence[Mapping[str, Any]],
    waiting: _Chunk,
    service: Service,
) -> Plan:
    yield from service.admit(operation.table)
    name = service.table(operation.table)
    failures: list[Failure] = []
    begun = False
    while waiting:
        chunk = _first(waiting, _WRITES)
        try:
            answer = yield Request("BatchWriteItem", {"RequestItems": {name: list(chunk.values())}})
        except (ServiceError, NotSent, AnswerLost, IsthmusError) as error:
            failures += yield from _given_up(error, operation, waiting, service, begun=begun)
            break
        begun = True
        left = answer.get("UnprocessedItems", {}).get(name, ())
        if left:
            places = {_identity(operation.table, members[place]): place for place in chunk}
            undone = [places[_identity(operation.table, _member(request))] for request in left]
            failures += [Failure(place, _throttled(operation)) for place in undone]
        waiting = {place: request for place, request in waiting.items() if place not in chunk}
    return WriteManyResult(len(members) - len(failures), failures=_ordered(failures))


def _given_up(
    error: Exception, operation: Batch, waiting: _Chunk, service: Service, *, begun: bool
) -> Generator[Any, Any, list[Failure]]:
    """The failures of all members that wait, if others are done already; else the error is that of the whole batch."""
    if isinstance(error, DeadlineExceeded):
        error.maybe_applied = operation.writes
        raise error
    if not begun:
        if isinstance(error, ServiceError):
            yield from look_again(error, (operation.table,), service)
        raise error
    known = error if isinstance(error, IsthmusError) else translated(error, operation)
    assert known is not None  # a transport raises what the table of failures knows
    known.__cause__ = known.__cause__ or error
    return [Failure(place, known) for place in waiting]


def _get_options(operation: op.GetMany) -> Json:
    options: Json = {"ConsistentRead": True} if operation.consistent else {}
    if operation.projection is not None:
        options |= projected(operation.projection, operation.table, *operation.table.key_names)
    return options


def _place(
    operation: op.GetMany,
    items: Iterable[Attributes],
    found: list[Item | None],
    places: Mapping[_Identity, int],
    service: Service,
) -> None:
    names = operation.table.key_names
    for attributes in items:
        place = places[tuple([decode(attributes[name]) for name in names])]
        found[place] = found_item(operation, attributes, service)


def _member(request: Json) -> Item:
    if "PutRequest" in request:
        return decode_item(request["PutRequest"]["Item"])
    return decode_item(request["DeleteRequest"]["Key"])


def _identity(table: Table, item: Mapping[str, Any]) -> _Identity:
    return tuple([item[name] for name in table.key_names])


def _first(waiting: _Chunk, count: int) -> _Chunk:
    return {place: waiting[place] for place, _ in zip(waiting, range(count), strict=False)}


def _is_full(items: Iterable[Attributes]) -> bool:
    return sum(item_size(decode_item(item)) for item in items) >= _FULL_ANSWER


def _throttled(operation: Batch) -> Throttled:
    return Throttled(
        f"DynamoDB left a member of this {operation.kind} undone: raise the table's capacity, or send less"
    )


def _ordered(failures: list[Failure]) -> list[Failure]:
    return sorted(failures, key=lambda failure: failure.position)
