"""The ledger's checks catch every violation that is made on purpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from isthmus.errors import OutcomeUnknown, Unavailable
from tests.faults.ledger import GRACE, Ledger

STORED = {"acknowledged", "unknown"}
COUNTER = 2
DEADLINE = 1.0


def failing(error: Exception) -> Callable[[], None]:
    """A call that raises."""

    def call() -> None:
        raise error

    return call


@pytest.fixture
def ledger() -> Ledger:
    """One write of each outcome, of items and of additions."""
    ledger = Ledger()
    for outcomes in (ledger.items, ledger.additions):
        note = partial(ledger.call, outcomes)
        note("acknowledged", lambda: None)
        note("failed", failing(Unavailable("refused")))
        note("unknown", failing(OutcomeUnknown("lost")))
    return ledger


@pytest.mark.parametrize("counter", [1, 2])
@pytest.mark.parametrize("stored", [STORED, {"acknowledged"}])
def test_what_the_guarantees_allow_is_no_violation(ledger: Ledger, stored: set[str], counter: int) -> None:
    """An unknown write may have happened or not."""
    assert ledger.violations(stored, counter, DEADLINE) == []


@pytest.mark.parametrize(
    ("stored", "counter", "longest", "expected"),
    [
        ({"unknown"}, COUNTER, 0.0, "an acknowledged item is lost"),
        ({*STORED, "failed"}, COUNTER, 0.0, "an item that failed is there"),
        ({*STORED, "foreign"}, COUNTER, 0.0, "an item is there that nobody wrote"),
        (STORED, 0, 0.0, "an acknowledged addition is lost"),
        (STORED, 3, 0.0, "an addition happened twice, or although it failed"),
        (STORED, COUNTER, DEADLINE + GRACE + 0.1, "a call lasted too long"),
    ],
)
def test_each_violation_is_caught(
    ledger: Ledger, stored: set[str], counter: int, longest: float, expected: str
) -> None:
    """One at a time."""
    ledger.longest = longest
    assert expected in ledger.violations(stored, counter, DEADLINE)
