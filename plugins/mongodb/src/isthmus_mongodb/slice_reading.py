"""Reading collections in ranges of ``_id``, side by side: see ``isthmus.slices``.

Only an index scan between ``min`` and ``max`` meets documents of all types in one order. A filter on ``_id`` compares
values of one type alone, so ranges of filters leave out what lies between two types. The last unit ends where its first
slice found the greatest ``_id``: a collection that grows as fast as it is read has an end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from functools import partial
from itertools import pairwise, takewhile
from typing import Any, Final

from attrs import define, field, frozen
from bson import decode, encode
from bson.errors import InvalidBSON
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.raw_bson import RawBSONDocument

from isthmus.errors import InvalidStoredValue
from isthmus.results import Unreadable
from isthmus.slices import Counted, CountSlice, DivideTable, Facts, ReadSlice, Slice, Units, damaged, parts_of
from isthmus.values import Item
from isthmus.writes import expired
from isthmus_mongodb.layouts import TRANSACTION, Layout
from isthmus_mongodb.mapped_tables import Mapped
from isthmus_mongodb.native import Call, Command, RawDocuments, pinned_to
from isthmus_mongodb.queries import visible_match
from isthmus_mongodb.raw_ids import from_text, raw_id, to_text
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.unreadable import FORM, item_or_fault, mapped_or_fault
from isthmus_mongodb.values import CODEC_OPTIONS, decode_key

Plan = Generator[Any, Any, Any]

_BY_ID: Final = {"_id": 1}
_LEAST: Final = encode({"_id": MinKey()})
_GREATEST: Final = encode({"_id": MaxKey()})
_IS_GREATEST: Final = {"_id": {"$gte": MaxKey()}}
# So many documents are asked for first, and at most; after that their size tells.
_PORTION, _MOST = 1_000, 10_000
# So many keys are counted at once, at most.
_MOST_KEYS: Final = 50_000
# Of larger collections only a sample is divided: so many documents for each unit, and so many at most.
_SAMPLES, _ALL_SAMPLES = 100, 50_000
# The server takes a sample at random places only where it is less than a twentieth of the collection.
_SAMPLED_FROM: Final = 21
_MAJORITY: Final = {"level": "majority"}


@frozen
class Held:
    """The key of an item that a transaction of the core's holds."""

    key: Item


Found = Item | Unreadable | Held | None


@frozen
class Source:
    """A collection whose documents are read.

    :param match: what else the server judges
    :param judge: what a document is to readers, ``None`` where they don't see it; it gets the bytes as well
    :param counted: fields by which it is known what counts, beside the key; all when ``None``
    """

    collection: str
    match: Mapping[str, Any]
    judge: Callable[[Mapping[str, Any], bytes], Found]
    counted: tuple[str, ...] | None = None

    def found(self, raw: bytes) -> Found:
        """What a document is to readers."""
        try:
            document = decode(raw, CODEC_OPTIONS)
        except InvalidBSON:
            error = InvalidStoredValue("a stored document can't be decoded: restore it from a backup")
            return Unreadable(error, original=raw, form=FORM)
        return self.judge(document, raw)


def own(place: Place) -> Source:
    """A collection of Isthmus."""
    judge, fields = partial(_own, place.layout, place.locks), (TRANSACTION,) if place.locks else ()
    return Source(place.collection, visible_match(place, place.clock()), judge, fields)


def _own(layout: Layout, locks: bool, document: Mapping[str, Any], raw: bytes) -> Found:
    if locks and TRANSACTION in document:
        try:
            return Held(decode_key(layout, document.get("_id")))
        except InvalidStoredValue:
            pass  # somebody else's field of this name: the item is judged as it is
    return item_or_fault(layout, document, raw=raw)


def foreign(mapped: Mapped) -> Source:
    """A mapped collection."""
    now = mapped.clock()

    def judge(document: Mapping[str, Any], raw: bytes) -> Found:
        found = mapped_or_fault(mapped.mapping, document, raw)
        return None if not isinstance(found, Unreadable) and expired(mapped.table, found, now) else found

    return Source(mapped.collection, {}, judge, () if mapped.table.ttl is None else None)


# ---- units ----


def divide(source: Source, operation: DivideTable) -> Plan:
    """The plan of dividing a collection: ranges of ``_id`` that hold about as many documents each."""
    count = yield Call(source.collection, "estimated_document_count")
    if operation.wanted == 1 or count < operation.wanted:
        return Units([_unit(None, None)])
    command = {"aggregate": source.collection, "pipeline": _buckets(count, operation.wanted), "allowDiskUse": True}
    found = yield RawDocuments({**command, "cursor": {"batchSize": operation.wanted}})
    bounds = [bound for bound in dict.fromkeys(map(raw_id, found[1:])) if bound != _GREATEST]
    return Units([_unit(low, high) for low, high in pairwise((None, *bounds, None))])


def _buckets(count: int, wanted: int) -> list[Mapping[str, Any]]:
    """Stages that answer the least ``_id`` of each unit."""
    size = min(_SAMPLES * wanted, _ALL_SAMPLES)
    chosen: list[Mapping[str, Any]] = [{"$sample": {"size": size}}] if count >= _SAMPLED_FROM * size else []
    bucket = {"$bucketAuto": {"groupBy": "$_id", "buckets": wanted}}
    return [*chosen, {"$project": _BY_ID}, bucket, {"$project": {"_id": "$_id.min"}}]


def _unit(low: bytes | None, high: bytes | None) -> str:
    return json.dumps({"from_id": to_text(low), "to_id": to_text(high)})


def facts(source: Source) -> Plan:
    """The plan of asking how many documents there are, and how large they are before compression."""
    found = yield Command({"collStats": str(source.collection)})
    return Facts(found["count"], int(found["size"]))


# ---- slices ----


@frozen
class Span:
    """What is left of a unit.

    :param low: an ``_id`` with which it begins
    :param high: an ``_id`` before which it ends
    :param last: an ``_id`` with which it ends, where there is no ``high``
    :param passed: how many documents with that first ``_id`` were read; shards may have several
    """

    low: bytes | None
    high: bytes | None
    last: bytes | None = None
    passed: int = 0

    @property
    def has_middle(self) -> bool:
        """Whether something may be left before the end; no index scan has equal bounds."""
        return self.low is None or self.low != self.last

    @property
    def ending(self) -> Span | None:
        """The part of all documents with the last ``_id``; ``None`` where nobody knows of one."""
        if self.last is None:
            return None
        return Span(self.last, None, passed=self.passed if self.low == self.last else 0)

    def request(self, source: Source, count: int, fields: tuple[str, ...] | None = None) -> RawDocuments:
        """The request for the next documents.

        :param fields: the only ones that are wanted beside the key; all when ``None``
        """
        low = RawBSONDocument(_LEAST if self.low is None else self.low)
        bound = self.last if self.high is None else self.high
        high = {} if bound is None else {"max": RawBSONDocument(bound)}
        size = count + self.passed
        command = {
            "find": source.collection, "filter": source.match, "hint": _BY_ID, "min": low, **high, "sort": _BY_ID,
            "limit": size, "batchSize": size, "singleBatch": True, "readConcern": _MAJORITY,
        }  # fmt: skip
        return RawDocuments({**command, **_only(fields), **pinned_to(source.collection)})

    def fresh(self, documents: list[bytes]) -> list[bytes]:
        """Those of the documents found that were not read before."""
        known = 0
        while known < min(self.passed, len(documents)) and raw_id(documents[known]) == self.low:
            known += 1
        return documents[known:]

    def after(self, document: bytes) -> Span:
        """What is left after a document."""
        found = raw_id(document)
        return Span(found, self.high, self.last, self.passed + 1 if found == self.low else 1)

    def after_all(self, documents: list[bytes]) -> Span:
        """What is left after a run of documents."""
        last = raw_id(documents[-1])
        same = sum(1 for _one in takewhile(lambda one: raw_id(one) == last, reversed(documents)))
        return Span(last, self.high, self.last, same + (self.passed if last == self.low else 0))

    @property
    def cursor(self) -> str:
        """The text of a cursor."""
        return json.dumps({"after_id": to_text(self.low), "last_id": to_text(self.last), "passed": self.passed})


def read(source: Source, operation: ReadSlice) -> Plan:
    """The plan of one slice.

    An answer may end at the server's 16 MB: only an empty one says that the unit has ended.
    """
    span, taken = (yield from _span(source, operation)), _Taken(source, operation)
    while not taken.is_full():
        documents = yield from _next(source, span, taken.portion())
        if not documents:
            return taken.slice(None)
        for document in documents:
            if taken.is_full():
                break
            taken.take(document)
            span = span.after(document)
    return taken.slice(span.cursor)


def count(source: Source, operation: CountSlice) -> Plan:
    """The plan of counting a run: of keys alone, which the index answers, where nothing else tells what counts."""
    span, total, held = (yield from _span(source, operation)), 0, list[Item]()
    while total + len(held) < operation.items:
        documents = yield from _next(source, span, min(operation.items - total, _MOST_KEYS), source.counted)
        if not documents:
            return Counted(total, None, held)
        found = documents if source.counted == () else [one for one in map(source.found, documents) if one is not None]
        locked = [one.key for one in found if isinstance(one, Held)]
        held += locked
        total, span = total + len(found) - len(locked), span.after_all(documents)
    return Counted(total, span.cursor, held)


def _next(source: Source, span: Span, count: int, fields: tuple[str, ...] | None = None) -> Plan:
    if span.low == _GREATEST:
        return []
    documents = span.fresh((yield span.request(source, count, fields))) if span.has_middle else []
    if documents or span.high is not None:
        return documents
    if (ending := span.ending) is not None:
        found = ending.fresh((yield ending.request(source, 1, fields)))
        if found and raw_id(found[0]) == span.last:
            return found[:1]
    # An open end of an index scan leaves out the greatest of all values.
    command = {"find": source.collection, "filter": _IS_GREATEST, **_only(fields)}
    return (yield RawDocuments({**command, **pinned_to(source.collection)}))


def _greatest(source: Source, low: bytes | None) -> Plan:
    """The plan of asking for the last ``_id`` of a unit without a bound; ``None`` where nothing is left of it."""
    command = {
        "find": source.collection, "hint": _BY_ID, "min": RawBSONDocument(_LEAST if low is None else low),
        "sort": {"_id": -1}, "projection": _BY_ID, "limit": 1, "singleBatch": True, "readConcern": _MAJORITY,
    }  # fmt: skip
    found = yield RawDocuments({**command, **pinned_to(source.collection)})
    return raw_id(found[0]) if found else None


def _only(fields: tuple[str, ...] | None) -> dict[str, Any]:
    return {} if fields is None else {"projection": {"_id": 1, **dict.fromkeys(fields, 1)}}


def _span(source: Source, operation: ReadSlice | CountSlice) -> Plan:
    unit = parts_of(operation.unit, "from_id", "to_id")
    low, high = from_text(unit["from_id"]), from_text(unit["to_id"])
    passed, last = 0, None
    if operation.cursor is not None:
        cursor = parts_of(operation.cursor, "after_id", "last_id", "passed")
        low, last, passed = from_text(cursor["after_id"]), from_text(cursor["last_id"]), cursor["passed"]
        if low is None or type(passed) is not int or passed < 1:
            raise damaged()
    if high is None and last is None:
        last = yield from _greatest(source, low)
    return Span(low, high, last, passed)


@define(eq=False)
class _Taken:
    """What a slice holds so far."""

    source: Source
    operation: ReadSlice
    items: list[Item] = field(factory=list)
    unreadable: list[Unreadable] = field(factory=list)
    held: list[Item] = field(factory=list)
    count: int = 0
    size: int = 0
    _seen: int = 0

    def is_full(self) -> bool:
        """Whether nothing more belongs to the slice."""
        return self.count >= self.operation.items or self.size >= self.operation.size

    def portion(self) -> int:
        """How many documents to ask for."""
        left = self.operation.items - self.count
        if not self._seen:
            return min(left, _PORTION)
        average = self.size // self._seen
        return min(left, (self.operation.size - self.size) // max(average, 1) + 1, _MOST)

    def take(self, raw: bytes) -> None:
        found = self.source.found(raw)
        self._seen += 1
        self.size += len(raw)
        self.count += found is not None
        if type(found) is dict:
            self.items.append(found)
        elif isinstance(found, Unreadable):
            self.unreadable.append(found)
        elif isinstance(found, Held):
            self.held.append(found.key)

    def slice(self, cursor: str | None) -> Slice:
        return Slice(self.items, cursor, self.unreadable, self.held)
