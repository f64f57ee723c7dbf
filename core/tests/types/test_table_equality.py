"""Which declarations of tables are the same: stores keep neither the order of indexes nor that of projected names."""

import pytest

from isthmus import Index, Table

BY_X, BY_Y = Index("by-x", "x"), Index("by-y", "y")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Index("by-x", "x", projection=("a", "b")), Index("by-x", "x", projection=["b", "a", "b"])),
        (Index("by-x", "x", projection=()), Index("by-x", "x", projection="keys")),
        (Table("abc", "id", indexes=[BY_X, BY_Y]), Table("abc", "id", indexes=[BY_Y, BY_X])),
    ],
    ids=["order of names", "no names", "order of indexes"],
)
def test_what_has_no_meaning_is_not_compared(one: object, other: object) -> None:
    """Equal, with equal hashes."""
    assert (one, hash(one)) == (other, hash(other))


@pytest.mark.parametrize("projection", ["all", "keys", ("a",), ("a", "b", "c")])
def test_what_an_index_holds_is_compared(projection: str | tuple[str, ...]) -> None:
    """Another projection is another index."""
    assert Index("by-x", "x", projection=projection) != Index("by-x", "x", projection=("a", "b"))


def test_indexes_are_compared() -> None:
    """One more is another table."""
    assert Table("abc", "id", indexes=[BY_X]) != Table("abc", "id", indexes=[BY_X, BY_Y])
