"""The one owner of retries: what is repeated, when, and how often."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from attrs import Factory, define, field, frozen

from isthmus.errors import ConfigurationError, IsthmusError
from isthmus.operations import Operation


def _at_least(least: int) -> Callable[[Any, Any, float], None]:
    def check(_policy: Any, attribute: Any, value: float) -> None:
        if not value >= least:
            raise ConfigurationError(f"{attribute.name} of a retry policy must be at least {least}")

    return check


@frozen
class RetryPolicy:
    """Full-jitter exponential back-off.

    :param attempts: most attempts in all, the first included
    :param base: upper bound of the first wait, seconds; doubled for each further one
    :param cap: upper bound of any wait, seconds
    :param budget: retries that may be in hand at once; each successful call earns a tenth of one back
    """

    attempts: int = field(default=5, validator=_at_least(1))
    base: float = field(default=0.025, validator=_at_least(0))
    cap: float = field(default=2.0, validator=_at_least(0))
    budget: float = field(default=50.0, validator=_at_least(0))

    def bound(self, attempt: int) -> float:
        """The longest wait after attempt number ``attempt``, seconds."""
        return min(self.cap, self.base * 2.0 ** min(attempt - 1, 60))


@define
class RetryBudget:
    """Bounds retries over all calls, so that an overloaded store is not flooded.

    Races between threads may cost or grant a fraction of a retry; that is not worth a lock on each call.
    """

    size: float
    left: float = field(default=Factory(lambda self: self.size, takes_self=True))

    def earn(self) -> None:
        """Note a call that succeeded after a retry spent something."""
        if self.left < self.size:
            self.left = min(self.size, self.left + 0.1)

    def spend(self) -> bool:
        """Take one retry out, if there is one."""
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


@frozen
class RetryDecision:
    """The policy of one database with its budget and its source of randomness."""

    policy: RetryPolicy
    budget: RetryBudget
    uniform: Callable[[float, float], float] = random.uniform

    @classmethod
    def of(cls, policy: RetryPolicy) -> RetryDecision:
        """A fresh budget for a policy."""
        return cls(policy, RetryBudget(policy.budget))

    def wait(self, attempt: int) -> float | None:
        """Seconds to wait after attempt number ``attempt``, or ``None`` to give up."""
        if attempt >= self.policy.attempts or not self.budget.spend():
            return None
        return self.uniform(0.0, self.policy.bound(attempt))


def repeatable(operation: Operation, error: IsthmusError) -> bool:
    """Whether an attempt may be repeated: a retry can help, and a second effect does no harm (rule CND-7)."""
    harmless = operation.idempotent or operation.context.operation_id is not None
    return error.retryable and (not error.maybe_applied or harmless)
