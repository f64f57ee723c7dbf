"""Names of attributes, keys and tables (PTH-1 to PTH-8)."""

from __future__ import annotations

import pytest
from hypothesis import given

from core.tests.values.strategies import names
from isthmus.errors import InvalidArgument, InvalidValue
from isthmus.values import check_key_name, check_name, check_table_name


@given(names())
def test_free_names_are_accepted(name: str) -> None:
    """Dots, dollars, reserved words and other alphabets are ordinary."""
    assert name == check_name(name, top_level=True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("a\0", "NUL"),
        ("\udc80", "lone surrogate"),
        (5, "is a int"),
        ("x" * 65_536, "65535 bytes"),
        ("__a", "reserved"),
    ],
)
def test_refused_names(name: object, reason: str) -> None:
    """A name that no store could hold is refused."""
    with pytest.raises(InvalidValue, match=reason):
        check_name(name, top_level=True)


def test_reserved_prefix_is_free_below_the_top_level() -> None:
    """Inside a map two underscores mean nothing."""
    assert check_name("__a") == "__a"


def test_key_name_of_255_bytes() -> None:
    """A declared key's name may have 255 bytes."""
    assert check_key_name("x" * 255) == "x" * 255


@pytest.mark.parametrize("name", ["x" * 256, "\u00e9" * 128, "__k"])
def test_refused_key_names(name: str) -> None:
    """A declared key's name is counted in UTF-8 and not reserved."""
    with pytest.raises(InvalidArgument, match="choose another one"):
        check_key_name(name)


@pytest.mark.parametrize("name", ["abc", "A-b_9", "x" * 120])
def test_table_names(name: str) -> None:
    """Table names come from a small alphabet."""
    assert name == check_table_name(name)


@pytest.mark.parametrize("name", ["ab", "x" * 121, "a.b.c", "abc\n", "system.x", "\u00e9\u00e9\u00e9", "", None])
def test_refused_table_names(name: object) -> None:
    """Every other table name is refused."""
    with pytest.raises(InvalidArgument, match="3 to 120"):
        check_table_name(name)


def test_index_names_say_so() -> None:
    """The message uses the word for the named thing."""
    with pytest.raises(InvalidArgument, match="The index name 'x'"):
        check_table_name("x", "index")
