"""Health: what a database and its plugins depend on, and whether it works."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attrs import field, frozen

from isthmus.capabilities import Capabilities, Limits


class DatabaseView(Protocol):
    """What plugins may see of a database, sync or async."""

    @property
    def url(self) -> str:
        """The URL with secrets left out."""

    @property
    def backend_name(self) -> str:
        """The backend's name."""

    @property
    def capabilities(self) -> Capabilities:
        """What callers can rely on, after all layers."""

    @property
    def limits(self) -> Limits:
        """The backend's limits."""


@frozen
class HealthCheck:
    """One thing that was looked at.

    :param seconds: how long the look took
    """

    name: str
    healthy: bool
    detail: str = ""
    seconds: float = 0.0


def _checks(checks: Iterable[HealthCheck]) -> tuple[HealthCheck, ...]:
    return tuple(checks)


@frozen
class Health:
    """All checks of one database."""

    checks: tuple[HealthCheck, ...] = field(converter=_checks)

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return all(check.healthy for check in self.checks)
