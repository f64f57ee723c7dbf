"""Queries and scans, one page at a time."""

from __future__ import annotations

from attrs import frozen

from isthmus.capabilities import Capability
from isthmus.expressions import Condition, Path
from isthmus.operations.base import Select, TableOperation
from isthmus.values import Item, Value


@frozen
class KeyRange:
    """A range of sort-key values; ``prefix`` narrows it for strings and binary values (rule STR-8)."""

    low: Value = None
    high: Value = None
    low_inclusive: bool = True
    high_inclusive: bool = True
    prefix: str | bytes | None = None


@frozen
class Paged(TableOperation):
    """What queries and scans share.

    :param limit: at most this many items are returned (rule QRY-1); ``None`` leaves the page's size to the backend
    :param start: key attributes (of the index too) of the last item of the page before
    :param max_examined: a short page with a position is given after this many candidates (rule QRY-2)
    :param max_bytes: the same after about this many bytes of items
    """

    condition: Condition | None = None
    projection: tuple[Path, ...] | None = None
    limit: int | None = None
    start: Item | None = None
    max_examined: int | None = None
    max_bytes: int | None = None
    select: Select = "items"
    consistent: bool = True

    def requires(self) -> tuple[Capability, ...]:
        wanted = [
            (Capability.FILTER, self.condition is not None),
            (Capability.PROJECTION, self.projection is not None),
            (Capability.COUNT, self.select == "count"),
        ]
        return tuple(capability for capability, used in wanted if used)


@frozen
class Query(Paged):
    """Read items of one partition, of the table or of an index, in sort-key order."""

    kind = "query"

    index: str | None = None
    partition: Value = None
    range: KeyRange | None = None
    forward: bool = True

    def requires(self) -> tuple[Capability, ...]:
        wanted = [
            (Capability.SECONDARY_INDEX, self.index is not None),
            (Capability.STRONG_INDEX_READ, self.index is not None and self.consistent),
            (Capability.STRONG_READ, self.index is None and self.consistent),
            (Capability.ORDERED_QUERY, True),
            (Capability.REVERSE_QUERY, not self.forward),
        ]
        return (*Paged.requires(self), *(capability for capability, used in wanted if used))


@frozen
class Scan(Paged):
    """Read all items of a table, or one of several disjoint segments of it, in no promised order.

    :param report_unreadable: whether stored items that can't be read end up in ``Page.unreadable`` (rule TYP-4), where
        they would raise ``InvalidStoredValue``; such a scan has no condition
    """

    kind = "scan"

    segment: int = 0
    segments: int = 1
    report_unreadable: bool = False

    def requires(self) -> tuple[Capability, ...]:
        wanted = [
            (Capability.SCAN, True),
            (Capability.STRONG_READ, self.consistent),
            (Capability.PARALLEL_SCAN, self.segments > 1),
        ]
        return (*Paged.requires(self), *(capability for capability, used in wanted if used))
