"""What a declared unique constraint may be."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.errors import InvalidArgument
from isthmus.schema import Unique


@pytest.mark.parametrize("only", [("a",), ("a", "b", "c"), ["a", "b"], "ab", ("a", 1), (1, "a"), ("", "a"), 1])
def test_a_restriction_is_a_pair_of_text(only: Any) -> None:
    """An attribute's name and its value; a list of attributes in that place is refused with a reason."""
    with pytest.raises(InvalidArgument):
        Unique("name", only)


def test_a_restriction_is_part_of_the_name() -> None:
    """What is restricted is told apart from what is not."""
    assert Unique("name", ("type", "user")).name == "name of user"
