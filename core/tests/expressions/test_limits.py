"""SIZ-5: how large a condition may be."""

from __future__ import annotations

import pytest

from isthmus.errors import QueryTooComplex
from isthmus.expressions import ALWAYS, Condition, F, all_of, any_of, condition_operators


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        (F.a == 1, 1),
        (F.a.between(1, 2), 1),
        (F.a.in_(range(500)), 1),
        (F.a.size() > 1, 2),
        (F.a.exists() & F.b.exists(), 3),
        (~((F.a == 1) | (F.b == 2)), 4),
        (ALWAYS, 0),
    ],
)
def test_count(condition: Condition, count: int) -> None:
    """Each comparison, function and connective counts one, whatever the number of values."""
    assert condition_operators(condition) == count


def _comparisons(count: int) -> list[Condition]:
    return [F[f"a{number}"] == number for number in range(count)]


def test_largest() -> None:
    """150 comparisons with 149 connectives are allowed."""
    assert condition_operators(any_of(_comparisons(150))) == 299


def test_too_large() -> None:
    """151 comparisons with 150 connectives are refused."""
    with pytest.raises(QueryTooComplex, match="301 operators"):
        all_of(_comparisons(151))


def test_negation_counts() -> None:
    """A negation may be the operator that is one too many."""
    largest = all_of([*_comparisons(149), F.b.size() > 1])

    with pytest.raises(QueryTooComplex):
        ~(~largest & ~(F.c == 1))  # raises
