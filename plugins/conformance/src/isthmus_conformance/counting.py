"""How many generated examples the running test has tried."""

from __future__ import annotations

from attrs import define


@define
class Examples:
    """A counter that the pytest plugin empties after each test."""

    count: int = 0

    def add(self) -> None:
        """One more example."""
        self.count += 1

    def take(self) -> int:
        """The number so far; the counter starts again."""
        count, self.count = self.count, 0
        return count


EXAMPLES = Examples()
