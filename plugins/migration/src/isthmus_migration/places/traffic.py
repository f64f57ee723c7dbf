"""Counting what stores turned away, for the rates of a migration."""

from __future__ import annotations

from typing import ClassVar

from attrs import define, evolve

from isthmus import Plugin, hookimpl
from isthmus.metrics import OPERATION_RETRIES, OPERATION_THROTTLED, Metric


@define
class Traffic:
    """Counters of one opened database."""

    retried: int = 0
    throttled: int = 0

    def copy(self) -> Traffic:
        """The counters as they are now."""
        return evolve(self)

    def since(self, before: Traffic) -> Traffic:
        """What came since."""
        return Traffic(self.retried - before.retried, self.throttled - before.throttled)


class TrafficPlugin(Plugin):
    """Watches the database that it is opened with."""

    name: ClassVar[str] = "migration-traffic"

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self._traffic = traffic

    @hookimpl
    def isthmus_record_metric(self, metric: Metric) -> None:
        if metric.name == OPERATION_THROTTLED.name:
            self._traffic.throttled += int(metric.value)
        elif metric.name == OPERATION_RETRIES.name:
            self._traffic.retried += 1
