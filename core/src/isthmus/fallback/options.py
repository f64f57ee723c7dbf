"""Settings of the fallback."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from isthmus.errors import ConfigurationError


def _least(least: float) -> Any:
    def check(_options: Any, attribute: Attribute[Any], value: float) -> None:
        if not value >= least:
            raise ConfigurationError(f"{attribute.name} of the fallback must be at least {least:g}")

    return check


@frozen
class FallbackOptions:
    """How transactions over single-item writes behave.

    :param lease_ms: how long others wait for a client that does not go on, milliseconds
    :param retention_s: how long the end of a transaction that others ended is remembered, seconds
    :param token_retention_s: how long a token is remembered after its transaction, seconds
    :param bulk_attempts: attempts that lock all items at once, before items are locked one by one in order
    :param snapshot_rounds: how often a transactional read looks again before it holds the items
    :param sweep_s: least time between two looks for transactions of dead clients, seconds
    """

    lease_ms: int = field(default=5_000, validator=_least(1))
    retention_s: float = field(default=3_600.0, validator=_least(1))
    token_retention_s: float = field(default=600.0, validator=_least(1))
    bulk_attempts: int = field(default=2, validator=_least(0))
    snapshot_rounds: int = field(default=8, validator=_least(1))
    sweep_s: float = field(default=60.0, validator=_least(0))
