"""What the commands tell of themselves: how many items arrived, and how fast once the first ones had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Landing(NamedTuple):
    """Items that arrived together.

    :param items: how many
    :param at: seconds since the epoch
    """

    items: int
    at: float


def summary(landings: Sequence[Landing]) -> str:
    """The number of items, and the seconds that each took after the first ones had arrived."""
    ordered = sorted(landings, key=lambda landing: landing.at)
    total, first = sum(landing.items for landing in ordered), ordered[0]
    return f"{total} {(ordered[-1].at - first.at) / (total - first.items)}"
