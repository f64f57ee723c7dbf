"""From text to the types of options, and lines of TOML files."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.config.conversion import convert
from isthmus.config.lines import lines_of


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("value", "kind", "converted"),
    [
        ("5", int, 5),
        ("1.5", float, 1.5),
        (2, float, 2.0),
        ("On", bool, True),
        ("no", bool, False),
        ("a, b,", tuple[str, ...], ("a", "b")),
        ("1,2", list[int], [1, 2]),
        (["a"], frozenset[str], frozenset({"a"})),
        ("x/y", Path, Path("x/y")),
        ("red", Colour, Colour.RED),
        ("low", Literal["low", "high"], "low"),
        (None, float | None, None),
        ("3", int | None, 3),
        ("auto", int | str, "auto"),
        ({"a": "1"}, Mapping[str, int], {"a": 1}),
        ([1, {}], Any, [1, {}]),
    ],
)
def test_conversion(value: Any, kind: Any, converted: Any) -> None:
    """Text and TOML values become what an option declares."""
    found = convert(value, kind)
    assert (type(found), found) == (type(converted), converted)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("five", int, "expects a whole number, not this text"),
        (True, int, "expects a whole number, not a truth value"),
        (1.5, int, "expects a whole number, not this number"),
        ("nan", float, "expects a number, not this text"),
        ("maybe", bool, "expects true or false, not this text"),
        (1, bool, "expects true or false, not this number"),
        (5, str, "expects text, not this number"),
        (["x"], str, "expects text, not a list"),
        ({}, tuple[int, ...], "expects a list of a whole number, not a table"),
        ("green", Colour, "expects one of red, blue, not this text"),
        ("x", int | None, "expects a whole number, not this text"),
        ("x", Mapping[str, int], "expects a table, not this text"),
    ],
)
def test_refused_values(value: Any, kind: Any, message: str) -> None:
    """What does not fit is refused with what is expected, and the value is not shown."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        convert(value, kind)


@given(st.lists(st.sampled_from(["", "# note", "NAME = 1", 'NAME = """\n\n"""', "NAME = [\n  1,\n]"]), max_size=12))
def test_lines_of_statements(statements: list[str]) -> None:
    """Each key is found on the line on which its statement begins."""
    line, expected, text = 1, {}, ""
    for number, statement in enumerate(statements):
        if "NAME" in statement:
            expected[(f"k{number}",)] = line
        text += statement.replace("NAME", f"k{number}") + "\n"
        line += statement.count("\n") + 1
    assert lines_of(text) == expected
