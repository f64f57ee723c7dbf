"""The nearest valid names, for messages about a wrong one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """At most ``count`` of the known names that look like ``name``, the best first.

    :param cutoff: how alike they must be, from 0 to 1
    """
    from difflib import get_close_matches  # only mistakes need it

    return get_close_matches(name, sorted(known), count, cutoff)
