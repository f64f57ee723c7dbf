"""Pages of queries and scans: as many requests as one page takes (rules QRY-1, QRY-2, QRY-14)."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from isthmus.errors import InvalidStoredValue
from isthmus.operations import Paged, Query, Scan
from isthmus.pages import Candidate, PageBuilder, position_names, used_index
from isthmus.ranges import within
from isthmus.results import Page, Unreadable
from isthmus.values import Item, item_size
from isthmus.writes import visible
from isthmus_dynamodb.expiries import unexpired
from isthmus_dynamodb.native import Json, Request
from isthmus_dynamodb.query_requests import QueryRequests, holds_expiry
from isthmus_dynamodb.values import decode_item, encode_item

# The service ends a page after about this many bytes; finer guards have to weigh each item.
NATIVE_PAGE_BYTES: Final = 1 << 20
_FILTERED_LEAST: Final = 50
_FILTERED_MOST: Final = 10_000
FORM: Final = "dynamodb-json"
"""What a stored item is, for those that keep its bytes."""

Answers = Generator[Any, Any, Page]


class Pager:
    """The requests for one page.

    :param now: the time by which items expire, seconds since the epoch
    """

    def __init__(self, operation: Query | Scan, requests: QueryRequests, now: float) -> None:
        self._operation = operation
        self._asked = requests
        self._now = now
        self._builder = PageBuilder(operation, requests.remaining)
        self._weighs = operation.max_bytes is not None and operation.max_bytes < NATIVE_PAGE_BYTES
        self._requests = 0
        self._native_bytes = 0

    def plan(self) -> Answers:
        """Read until the page is full and one more match is known, or to the end."""
        operation, builder = self._operation, self._builder
        start = None if operation.start is None else encode_item(operation.start)
        while True:
            request = self._request(start)
            answer: Json = yield request
            items = self._decoded(answer["Items"])
            if not holds_expiry(operation):
                known = [item for item in items if not isinstance(item, Unreadable)]
                items = yield from unexpired(operation, request.parameters["TableName"], known, self._now)
            if builder.feed(self._candidates(items)):
                return builder.page()
            start = answer.get("LastEvaluatedKey")
            if start is None:
                return builder.page()
            if self._enough(request, answer):
                last = position(operation, start)
                if self._is_within(last):
                    return evolve(builder.page(), position=last)

    def _request(self, start: Mapping[str, Any] | None) -> Request:
        parameters = dict(self._asked.parameters)
        if start is not None:
            parameters["ExclusiveStartKey"] = start
        examine = self._examine()
        if examine is not None:
            parameters["Limit"] = examine
        self._requests += 1
        return Request(self._asked.action, parameters)

    def _examine(self) -> int | None:
        """How many items the next request may look at: one more than are wanted, then ever more."""
        operation, builder = self._operation, self._builder
        bounds = []
        if operation.limit is not None:
            missing = operation.limit + 1 - builder.count
            wanted = max(missing, _FILTERED_LEAST) if self._asked.filtered else missing
            bounds.append(wanted << 2 * self._requests)
        if operation.max_examined is not None:
            bounds.append(operation.max_examined + 1 - builder.examined)
        examine = min(bounds, default=None)
        return examine if examine is None or examine <= _FILTERED_MOST else None

    def _decoded(self, answers: Iterable[Mapping[str, Any]]) -> Iterable[Item | Unreadable]:
        if isinstance(self._operation, Scan) and self._operation.report_unreadable:
            return (_item_or_fault(self._operation, attributes) for attributes in answers)
        return map(decode_item, answers)

    def _candidates(self, items: Iterable[Item | Unreadable]) -> Iterator[Candidate | Unreadable]:
        asked, table = self._asked, self._operation.table
        if asked.within is None and not asked.judges_expiry and not self._weighs:
            return (item if type(item) is Unreadable else (item, 0) for item in items)  # type: ignore[misc]  # no subclass
        return (
            item if isinstance(item, Unreadable) else (item, item_size(item) if self._weighs else 0)
            for item in items
            if isinstance(item, Unreadable) or (self._is_within(item) and visible(table, item, self._now) is not None)
        )

    def _is_within(self, item: Item) -> bool:
        """Whether the query's range holds an item; a position outside of it would be refused."""
        bounds = self._asked.within
        return bounds is None or within(bounds[1], item[bounds[0]])

    def _enough(self, request: Request, answer: Mapping[str, Any]) -> bool:
        """Whether the page ends here although more may come: where its size is free, or its bytes are used up."""
        operation = self._operation
        if operation.limit is None and operation.max_examined is None and operation.max_bytes is None:
            return True
        if answer["ScannedCount"] < request.parameters.get("Limit", NATIVE_PAGE_BYTES):
            self._native_bytes += NATIVE_PAGE_BYTES
        return operation.max_bytes is not None and not self._weighs and self._native_bytes >= operation.max_bytes


def _item_or_fault(scan: Scan, attributes: Mapping[str, Any]) -> Item | Unreadable:
    try:
        return decode_item(attributes)
    except InvalidStoredValue as error:
        # Without a key no table holds an item, and the service sees to its type.
        key = decode_item({name: attributes[name] for name in scan.table.key_names})
        return Unreadable(error, key, original=_text(attributes), form=FORM)


def _text(attributes: Mapping[str, Any]) -> bytes:
    """An item as the service's protocol has it; transports have decoded its binary values."""
    return json.dumps(attributes, default=_base64, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def count_page(operation: Query | Scan, requests: QueryRequests) -> Answers:
    """The number of matches in one page of the service, which sends no items for it."""
    parameters = dict(requests.parameters)
    if operation.start is not None:
        parameters["ExclusiveStartKey"] = encode_item(operation.start)
    answer: Json = yield Request(requests.action, parameters)
    last = answer.get("LastEvaluatedKey")
    return Page((), answer["Count"], None if last is None else position(operation, last), answer["ScannedCount"])


def position(operation: Paged, key: Mapping[str, Any]) -> Item:
    """A position from the service's own key of the last item that it looked at."""
    item = decode_item(key)
    return {name: item[name] for name in position_names(operation.table, used_index(operation))}
