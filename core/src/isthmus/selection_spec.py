"""Selections: what a query or scan asks for, as immutable objects that ``where`` and the like refine.

``SelectionSpec`` holds everything but I/O; ``selection.py`` and ``async_selection.py`` add that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from attrs import evolve, field, frozen

from isthmus import operations as op
from isthmus.arguments import check_condition_size, positive
from isthmus.cursors import decode_cursor, encode_cursor
from isthmus.errors import InvalidArgument, InvalidKey, InvalidValue, QueryTooComplex
from isthmus.evaluate import lookup
from isthmus.expressions import (
    MISSING,
    NEVER,
    Condition,
    Field,
    Path,
    Target,
    attributes_used,
    check_condition,
    path_of,
    path_text,
    projection,
)
from isthmus.operations import Context, KeyRange
from isthmus.pages import visible_names
from isthmus.ranges import empty, split_range
from isthmus.requests import Requests
from isthmus.results import Page
from isthmus.schema import Index, Key
from isthmus.values import Item, Value, normalise_key_value, orderable, type_name

# Bounds one page of an iteration, so that a client's memory does not depend on the size of items.
ITERATION_ITEMS = 1_000
ITERATION_BYTES = 4_194_304
SEGMENTS_AT_ONCE = 32


@frozen(repr=False)
class SelectionSpec:
    """A query or scan before it runs."""

    requests: Requests
    base: op.Query | op.Scan
    index: Index | None = None
    condition: Condition | None = None
    at_most: int | None = None
    timeout: float | None = None
    parallel: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        where = "" if self.condition is None else f" where {self.condition!r}"
        return f"<{type(self).__name__}: {self.base.kind} of {self.base.table.name!r}{where}>"

    def where(self, condition: Condition) -> Self:
        """Only items for which the condition holds too. Conditions on the sort key narrow the range that is read."""
        check_condition(condition)
        self._check_projected(attributes_used(condition))
        joined = condition if self.condition is None else self.condition & condition
        return evolve(self, condition=check_condition_size(joined, self.requests.limits))

    def select(self, *attributes: Target) -> Self:
        """Only these attributes of each item; paths that an item lacks are left out."""
        paths = projection(attributes)
        self._check_projected({str(path[0]) for path in paths})
        return self._with(projection=paths)

    def limit(self, items: int) -> Self:
        """At most that many items in all; of several limits the smallest counts."""
        most = positive(items, "limit")
        return evolve(self, at_most=most if self.at_most is None else min(most, self.at_most))

    def descending(self) -> Self:
        """Read in descending order of the sort key.

        :raises InvalidArgument: a scan has no order
        """
        if not isinstance(self.base, op.Query):
            raise InvalidArgument("a scan has no order to reverse: query one partition instead")
        return self._with(forward=False)

    def consistent(self, consistent: bool = True) -> Self:
        """Whether reads must see all writes that were acknowledged before; by default so, except through an index."""
        return self._with(consistent=consistent)

    def examine_at_most(self, candidates: int) -> Self:
        """Give a short page with a cursor after looking at that many items (rule QRY-2)."""
        return self._with(max_examined=positive(candidates, "examine_at_most"))

    def _with(self, **changes: Any) -> Self:
        return evolve(self, base=evolve(self.base, **changes))

    def _check_projected(self, names: set[str] | frozenset[str]) -> None:
        held = None if self.index is None else visible_names(self.requests.table, self.index)
        missing = sorted(names - held) if held is not None else []
        if self.index is not None and missing:
            raise InvalidArgument(
                f"index {self.index.name!r} does not hold {missing[0]!r}: read the table or widen the index"
            )

    def in_memory_sort(self, by: Target, descending: bool, bound: int) -> InMemorySort:
        """A sort of what this selection reads.

        :raises InvalidArgument: the attribute is not read, so that every item would seem to lack it
        """
        sort = InMemorySort(by, descending, bound)
        self._check_projected({str(sort.path[0])})
        # A part of a list comes without its place in it, so a path through an index no longer leads to it.
        whole = [path for path in self.base.projection or () if all(isinstance(element, str) for element in path)]
        if self.base.projection is not None and not any(sort.path[: len(path)] == path for path in whole):
            raise InvalidArgument(f"{path_text(sort.path)} is sorted by but not read: add it to select()")
        return sort

    # ---- operations ----

    def operation(self, *, start: Item | None = None, limit: int | None = None, context: Context | None = None,
                  select: op.Select = "items") -> op.Query | op.Scan:  # fmt: skip
        """The operation for one page."""
        reach, rest = self._planned()
        ranged: dict[str, Any] = {"range": reach} if isinstance(self.base, op.Query) else {}
        return evolve(
            self.base, context=context or self.requests.context(self.timeout), condition=rest, start=start, limit=limit,
            select=select, **ranged,
        )  # fmt: skip

    def _planned(self) -> tuple[KeyRange | None, Condition | None]:
        if not isinstance(self.base, op.Query):
            return None, self.condition
        keys = self.requests.table.keys if self.index is None else self.index.keys
        reach, rest = split_range(keys[1] if len(keys) > 1 else None, self.condition)
        return reach, rest

    @property
    def matches_nothing(self) -> bool:
        """Whether no item can match, so that nothing needs to be asked (rule NUL-8)."""
        return self.condition == NEVER or empty(self._planned()[0])

    def plan(self, operation: op.Query | op.Scan) -> dict[str, Any]:
        """What is read by key and what is filtered afterwards."""
        reading: dict[str, Any] = {"operation": operation.kind, "table": operation.table.name}
        if isinstance(operation, op.Query):
            reading |= {"index": operation.index, "range": repr(operation.range) if operation.range else None}
        return {**reading, "filter": None if operation.condition is None else repr(operation.condition)}

    def first_page(self, size: int, cursor: str | None, backend: str) -> op.Query | op.Scan:
        """The operation for a page of the caller's size, after a cursor."""
        if self.at_most is not None:
            raise InvalidArgument("a page has a size of its own: leave out limit()")
        blank = self.operation(limit=positive(size, "size"))
        if cursor is None:
            return blank
        return evolve(blank, start=decode_cursor(blank, cursor, self.requests.limits, backend))

    def next_page(self, context: Context, start: Item | None, left: int | None, size: int) -> op.Query | op.Scan:
        """The operation for the next page of an iteration."""
        limit = size if left is None else min(size, left)
        return evolve(self.operation(start=start, limit=limit, context=context), max_bytes=ITERATION_BYTES)

    def whole(self) -> Self:
        """The same selection read in one piece, which is what a position can be given in."""
        return evolve(self._with(segments=1), parallel=False) if self.parallel else self

    def in_segments(self) -> Iterator[Self]:
        """A parallel scan's segments, each as a selection."""
        segments = self.base.segments if isinstance(self.base, op.Scan) else 0
        return (evolve(self._with(segment=number), parallel=False) for number in range(segments))

    @property
    def segments_at_once(self) -> int:
        """How many segments are read at the same time: not more than there are items wanted."""
        segments = self.base.segments if isinstance(self.base, op.Scan) else 1
        return min(segments, SEGMENTS_AT_ONCE, self.at_most or SEGMENTS_AT_ONCE)

    def next_count(self, context: Context, start: Item | None) -> op.Query | op.Scan:
        """The operation for the next part of a count."""
        return self.operation(start=start, context=context, select="count")


def with_cursor(operation: op.Query | op.Scan, page: Page, backend: str) -> Page:
    """The page, with a cursor in place of a position."""
    return page if page.position is None else evolve(page, cursor=encode_cursor(operation, page.position, backend))


def cut(page: Page, left: int | None) -> tuple[Page, int | None]:
    """The page with at most ``left`` items, and how many are wanted after it."""
    if left is None:
        return page, None
    items = page.items[:left]
    return evolve(page, items=items, count=len(items)), left - len(items)


def query_spec(
    requests: Requests, index_name: str | None, attributes: Mapping[str, Any]
) -> tuple[op.Query, Index | None, Condition | None]:
    """A query of one partition; an equality on the sort key may be given as well.

    :raises InvalidKey: the partition key is missing, or an attribute is not a key
    """
    table = requests.table
    index = None if index_name is None else table.index(index_name)
    keys = table.keys if index is None else index.keys
    unknown = set(attributes) - {key.name for key in keys}
    if unknown or keys[0].name not in attributes:
        wanted = f"{keys[0].name!r}" + (f" and optionally {keys[1].name!r}" if len(keys) > 1 else "")
        raise InvalidKey(f"a query of {index_name or table.name!r} takes {wanted}; filter the rest with where()")
    limits = requests.limits
    partition = _key_value(keys[0], attributes, limits.partition_key_bytes, limits.number_digits)
    condition = None
    if len(keys) > 1 and keys[1].name in attributes:
        value = _key_value(keys[1], attributes, limits.sort_key_bytes, limits.number_digits)
        condition = Field((keys[1].name,)) == value
    query = op.Query(requests.context(None), table, index=index_name, partition=partition, consistent=index is None)
    return query, index, condition


def _key_value(key: Key, attributes: Mapping[str, Any], size: int, digits: int) -> Value:
    try:
        return normalise_key_value(attributes[key.name], key.type, size, digits)
    except InvalidKey as error:
        raise InvalidKey(f"key attribute {key.name!r}: {error.message}") from None


class InMemorySort:
    """Sorting by an attribute that is no key: bounded, because everything is held in memory (rule QRY-3)."""

    def __init__(self, by: Target, descending: bool, bound: int) -> None:
        self.path: Path = path_of(by)
        self._descending = descending
        self._bound = positive(bound, "bound")
        self._items: list[Item] = []

    def add(self, item: Item) -> None:
        """Take one item.

        :raises QueryTooComplex: more than the bound
        """
        if len(self._items) == self._bound:
            raise QueryTooComplex(
                f"more than {self._bound} items to sort in memory: narrow the query or raise the bound"
            )
        self._items.append(item)

    def sorted(self) -> list[Item]:
        """The items in order; those without the attribute come last.

        :raises InvalidValue: values that have no order among each other
        """
        present = [item for item in self._items if lookup(item, self.path) is not MISSING]
        absent = [item for item in self._items if lookup(item, self.path) is MISSING]
        kinds = {type_name(lookup(item, self.path)) for item in present}
        if len(kinds) > 1 or not all(orderable(lookup(item, self.path)) for item in present):
            raise InvalidValue(
                "the sorted attribute holds values without an order among each other: filter by is_type()"
            )
        key: Any = lambda item: lookup(item, self.path)  # noqa: E731  # typed once, used once
        return sorted(present, key=key, reverse=self._descending) + absent
