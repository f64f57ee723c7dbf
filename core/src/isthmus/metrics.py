"""Metrics: measurements that the core emits and plugins record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from attrs import field, frozen


@frozen
class Metric:
    """One measurement.

    :param name: dotted name, ``isthmus.operation.duration`` say
    :param value: in the description's unit
    :param labels: few and of few values: kind of operation, table, backend, error code
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(factory=dict)


@frozen
class MetricDescription:
    """What a metric means."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    description: str
    labels: tuple[str, ...] = ()


OPERATION_DURATION = MetricDescription(
    "isthmus.operation.duration", "histogram", "s", "time of one operation, all layers and retries included",
    ("operation", "table", "backend", "outcome"),
)  # fmt: skip
OPERATION_RETRIES = MetricDescription(
    "isthmus.operation.retries", "counter", "1", "attempts that failed and were repeated",
    ("operation", "table", "backend", "error"),
)  # fmt: skip
OPERATION_THROTTLED = MetricDescription(
    "isthmus.operation.throttled", "counter", "1",
    "requests, or members of batches, that the store turned away for a moment and that were sent again",
    ("operation", "table", "backend"),
)  # fmt: skip
CORE_METRICS = (OPERATION_DURATION, OPERATION_RETRIES, OPERATION_THROTTLED)


def throttled(operation: str, tables: Iterable[str], backend: str, count: int) -> Metric:
    """The measurement that a store turned so many requests, or members of a batch, away for a moment.

    Only for what a backend sends again by itself: what it reports as ``Throttled`` is counted by the core.
    """
    return Metric(OPERATION_THROTTLED.name, count, {"operation": operation, "table": ",".join(tables),
                                                    "backend": backend})  # fmt: skip


_record: ContextVar[Callable[[Metric], None] | None] = ContextVar("isthmus_record", default=None)


@contextmanager
def recording(record: Callable[[Metric], None]) -> Iterator[None]:
    """Measure retries and throttling of one's own calls: of all databases, in this thread or task, inside the block.

    Plugins that record metrics get them as ever. Blocks may be nested; the innermost gets them.

    :param record: called with each measurement but times, perhaps from a thread of an event loop
    """
    token = _record.set(record)
    try:
        yield
    finally:
        _record.reset(token)


def recorder() -> Callable[[Metric], None] | None:
    """What the innermost ``recording`` around this call gives its measurements to."""
    return _record.get()
