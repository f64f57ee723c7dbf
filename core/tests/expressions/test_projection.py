"""Building projections."""

from __future__ import annotations

import pytest

from isthmus.errors import InvalidArgument, InvalidPath
from isthmus.expressions import F, Field, projection


def test_projection() -> None:
    """Names and fields become paths, in the order given."""
    assert projection(["b.c", F.a.x, F.a.y[1]]) == (("b.c",), ("a", "x"), ("a", "y", 1))


@pytest.mark.parametrize("single", ["a", F.a])
def test_single(single: str | Field) -> None:
    """One target needs no list."""
    assert projection(single) == (("a",),)


@pytest.mark.parametrize("fields", [["a", "a"], ["a", F.a.b], [F.a.b[0], F.a.b], [F.a.b, F.a[0]]])
def test_overlaps(fields: list[str | Field]) -> None:
    """QRY-11: overlapping and repeated paths are refused."""
    with pytest.raises(InvalidPath):
        projection(fields)


def test_nothing() -> None:
    """An empty projection is refused, as it could mean all or nothing."""
    with pytest.raises(InvalidArgument, match="at least one"):
        projection([])
