"""Deadlines in tests, on machines that stand still now and then.

A test that wants a request to be sent before a short deadline can't be judged where the machine stood still before it
was. It says so, and is tried again with more time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds that the attempts have.
TIMES = (0.2, 1.0, 5.0, 25.0)


class StoodStill(AssertionError):
    """The deadline came before what the test is about."""


def with_enough_time(attempt: Callable[[float], T]) -> T:
    """What the first attempt gives that had enough time.

    :param attempt: gets its seconds; raises ``StoodStill`` where they were over too early
    """
    for seconds in TIMES[:-1]:
        try:
            return attempt(seconds)
        except StoodStill:
            continue
    return attempt(TIMES[-1])


def judged_only_if(holds: object) -> None:
    """Tell whether an attempt came as far as its test needs."""
    if not holds:
        raise StoodStill
