"""Batches, in requests of as many members as the service takes (rules BAT-1, BAT-3).

What a request leaves undone is reported as failed, so that the core sends it again under its policy. Once a request
was carried out, a later one that fails does not hide it: its members, and those after it, are reported as failed.
Reads are asked for again while there is progress: an answer ends at 16 MB, and a transport keeps no more than so much.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any, Final

from isthmus import operations as op
from isthmus.errors import DeadlineExceeded, IsthmusError, Throttled
from isthmus.operation_ids import new_mark
from isthmus.planned import Plan
from isthmus.results import Failure, GetManyResult, WriteManyResult
from isthmus.schema import Table
from isthmus.values import Item, item_size
from isthmus.writes import check_index_keys
from isthmus_dynamodb.failures import translated
from isthmus_dynamodb.fences import has_room
from isthmus_dynamodb.hidden import MARK
from isthmus_dynamodb.native import AnswerLost, AnswerTooLarge, Json, NotSent, Request, ServiceError
from isthmus_dynamodb.point_reads import found_item, projected
from isthmus_dynamodb.refusals import look_again
from isthmus_dynamodb.service import Service
from isthmus_dynamodb.values import Attributes, decode, decode_item, encode_item

Batch = op.GetMany | op.PutMany | op.DeleteMany
# The places of one request's members, and what each of them is there.
_Chunk = dict[int, Json]
_Identity = tuple[Any, ...]

_GETS: Final = 100
_FEW, _SHORT, _FLAT = 50, 1_000, frozenset({int, bool, Decimal, NoneType})
_WRITES: Final = 25
# The service ends an answer at 16 MB; an item more would not have fitted then.
_LONG: Final = 15_000_000
_TROUBLES: Final = (ServiceError, NotSent, AnswerLost, IsthmusError)


def get_many(operation: op.GetMany, service: Service) -> Plan:
    """Many items, each at its place."""
    yield from service.admit(operation.table)
    reading = _Reading(operation, service)
    while reading.waiting:
        chunk = _first(reading.waiting, reading.most)
        try:
            answer = yield reading.request(chunk)
        except _TROUBLES as error:
            if isinstance(error, AnswerTooLarge) and len(chunk) > 1:
                reading.most = len(chunk) // 2
                continue
            begun = len(reading.waiting) < len(operation.keys)
            reading.failures += yield from _given_up(error, operation, reading.waiting, service, begun=begun)
            break
        reading.settle(chunk, answer)
    return GetManyResult(reading.found, failures=_ordered(reading.failures))


class _Reading:
    """A batch of reads that is under way.

    :ivar most: how many keys a request may ask for
    :ivar waiting: the keys that are still to be asked for
    """

    def __init__(self, operation: op.GetMany, service: Service) -> None:
        self._operation = operation
        self._service = service
        self._name = service.table(operation.table)
        self._options = _get_options(operation)
        self._places = {_identity(operation.table, key): place for place, key in enumerate(operation.keys)}
        self.most = _GETS
        self.waiting: _Chunk = {place: encode_item(key) for place, key in enumerate(operation.keys)}
        self.found: list[Item | None] = [None] * len(operation.keys)
        self.failures: list[Failure] = []

    def request(self, chunk: _Chunk) -> Request:
        """The request for some of the keys."""
        return Request("BatchGetItem", {"RequestItems": {self._name: {"Keys": list(chunk.values()), **self._options}}})

    def settle(self, chunk: _Chunk, answer: Json) -> None:
        """Keep what came. What is left waits on; without any progress it is reported, for the core to wait."""
        for attributes in answer["Responses"].get(self._name, ()):
            self.found[self._place(attributes)] = found_item(self._operation, attributes, self._service)
        left = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", ())
        undone = {self._place(key) for key in left}
        if len(undone) == len(chunk):
            self.failures += [Failure(place, _throttled(self._operation)) for place in undone]
            undone = set()
        elif undone and not self._is_long(chunk):
            self._service.count_throttled(self._operation, len(undone))
        for place in chunk.keys() - undone:
            del self.waiting[place]

    def _is_long(self, chunk: _Chunk) -> bool:
        """Whether an answer may have ended because of its own size."""
        return sum(item_size(self.found[place] or {}) for place in chunk) > _LONG

    def _place(self, attributes: Attributes) -> int:
        return self._places[tuple([decode(attributes[name]) for name in self._operation.table.key_names])]


def put_many(operation: op.PutMany, service: Service) -> Plan:
    """Write many items."""
    yield from service.admit(operation.table)
    stored = service.known.complete(operation.table)
    if stored is not operation.table:
        for item in operation.items:
            check_index_keys(stored, item, service.limits)
    requests = {place: {"PutRequest": {"Item": _marked(item, service)}} for place, item in enumerate(operation.items)}
    return (yield from _write_many(operation, operation.items, requests, service))


def _marked(item: Item, service: Service) -> Attributes:
    attributes = encode_item(item)
    if service.marks and (_is_small(item) or has_room(item, service.limits)):
        attributes[MARK] = {"S": new_mark()}
    return attributes


def _is_small(item: Item) -> bool:
    """Whether an item is surely far from the limit: a look that takes less time than to add up its size."""
    sized = (str, bytes)
    return len(item) < _FEW and all(
        len(value) < _SHORT if isinstance(value, sized) else type(value) in _FLAT for value in item.values()
    )


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
    while waiting:
        chunk = _first(waiting, _WRITES)
        try:
            answer = yield Request("BatchWriteItem", {"RequestItems": {name: list(chunk.values())}})
        except _TROUBLES as error:
            begun = len(waiting) < len(members)
            failures += yield from _given_up(error, operation, waiting, service, begun=begun)
            break
        failures += _left(operation, members, chunk, answer.get("UnprocessedItems", {}).get(name, ()))
        waiting = {place: request for place, request in waiting.items() if place not in chunk}
    return WriteManyResult(len(members) - len(failures), failures=_ordered(failures))


def _left(
    operation: op.PutMany | op.DeleteMany, members: Sequence[Mapping[str, Any]], chunk: _Chunk, left: Sequence[Json]
) -> list[Failure]:
    """The failures of writes that the service left undone."""
    if not left:
        return []
    places = {_identity(operation.table, members[place]): place for place in chunk}
    undone = [places[_identity(operation.table, _member(request))] for request in left]
    return [Failure(place, _throttled(operation)) for place in undone]


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


def _member(request: Json) -> Item:
    if "PutRequest" in request:
        return decode_item(request["PutRequest"]["Item"])
    return decode_item(request["DeleteRequest"]["Key"])


def _identity(table: Table, item: Mapping[str, Any]) -> _Identity:
    return tuple([item[name] for name in table.key_names])


def _first(waiting: _Chunk, count: int) -> _Chunk:
    return {place: waiting[place] for place, _ in zip(waiting, range(count), strict=False)}


def _throttled(operation: Batch) -> Throttled:
    return Throttled(
        f"DynamoDB left a member of this {operation.kind} undone: raise the table's capacity, or send less"
    )


def _ordered(failures: list[Failure]) -> list[Failure]:
    return sorted(failures, key=lambda failure: failure.position)
