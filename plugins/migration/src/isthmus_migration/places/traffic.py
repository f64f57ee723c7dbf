"""Counting what stores turned away, for the rates of a migration."""

from __future__ import annotations

from attrs import define

from isthmus.metrics import OPERATION_RETRIES, OPERATION_THROTTLED, Metric


@define
class Traffic:
    """What some calls met.

    :param retried: requests that were sent again
    :param throttled: requests, or members of batches, that the store turned away for a moment
    """

    retried: int = 0
    throttled: int = 0

    def record(self, metric: Metric) -> None:
        """Take a measurement, see ``isthmus.metrics.recording``."""
        if metric.name == OPERATION_THROTTLED.name:
            self.throttled += int(metric.value)
        elif metric.name == OPERATION_RETRIES.name:
            self.retried += 1
