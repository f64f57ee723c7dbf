"""Counting what stores turned away, for the rates of a migration."""

from __future__ import annotations

from attrs import define, evolve


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
