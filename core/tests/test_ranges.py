"""What conditions on a sort key narrow, and what is left to filter."""

from isthmus import F, Key
from isthmus.expressions import Condition
from isthmus.operations import KeyRange
from isthmus.ranges import split_range


def _split(condition: Condition) -> tuple[KeyRange | None, Condition | None]:
    return split_range(Key("s"), condition)


def test_a_prefix_leaves_other_ranges_to_the_filter() -> None:
    """A prefix and a between can't be one range: the second is filtered."""
    assert (KeyRange(prefix="a"), F.s.between("ab", "ac")) == _split(F.s.begins_with("a") & F.s.between("ab", "ac"))


def test_an_empty_prefix_narrows_nothing() -> None:
    """Every key begins with nothing, so the other constraint stands alone."""
    assert (KeyRange(low="a", high="b"), None) == _split(F.s.begins_with("") & F.s.between("a", "b"))
