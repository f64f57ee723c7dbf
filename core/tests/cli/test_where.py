from __future__ import annotations

from decimal import Decimal

import pytest

from isthmus import F
from isthmus.cli.where import parse_condition, parse_fields
from isthmus.errors import InvalidArgument
from isthmus.expressions import Condition, path_of


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("population > 100000", F.population > 100_000),
        ("100000 < population", F.population > 100_000),
        ("1 < x <= 5", (F.x > 1) & (F.x <= 5)),
        ("x == -1.10", F.x == Decimal("-1.10")),
        ("x == 0.12345678901234567890123", F.x == Decimal("0.12345678901234567890123")),
        ('a == "x" or b != None', (F.a == "x") | (F.b != None)),  # noqa: E711  # builds a condition
        ("not (a == True and b == 1)", ~((F.a == True) & (F.b == 1))),  # noqa: E712  # builds a condition
        ('name.begins_with("Par")', F.name.begins_with("Par")),
        ('"x" in tags', F.tags.contains("x")),
        ('country in ["FR", "DE"]', F.country.in_(["FR", "DE"])),
        ('country not in ("FR",)', ~F.country.in_(["FR"])),
        ("a.b[0].c >= 1", F.a.b[0].c >= 1),
        ('F["odd name"] == 1', F["odd name"] == 1),
        ("F.a == 1", F.a == 1),
        ('a["b c"].exists()', F.a["b c"].exists()),
        ("a.not_exists()", F.a.not_exists()),
        ("names.size() >= 3", F.names.size() >= 3),
        ('a.is_type("number_set")', F.a.is_type("number_set")),
        ("x.between(-1, 2)", F.x.between(-1, 2)),
        ("x.__class__ == 1", F.x["__class__"] == 1),  # a name in the item, never an attribute of an object
        ("a < b", F.a < F.b),
        ("raw == b'\\x00'", F.raw == b"\x00"),
        ("tags == {'a', 'b'}", F.tags == {"a", "b"}),
        ("m == {'a': [1, 2]}", F.m == {"a": [1, 2]}),
    ],
)
def test_text_becomes_the_condition_that_the_builder_gives(text: str, condition: Condition) -> None:
    """The text means what it means in Python code with ``F``."""
    assert condition == parse_condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "population >",
        "population",
        "1",
        "1 == 1",
        "x is None",
        '__import__("os").system("true")',
        "x.upper() == 1",
        "x.begins_with()",
        "x.begins_with(prefix='a')",
        "x.begins_with(1)",
        "x[a] == 1",
        "x[0:1] == 1",
        "(lambda: 1) == x",
        "[y for y in x] == 1",
        "x == 1j",
        "x == f'{y}'",
        "x == {**y}",
        "x if y else z",
        "(x := 1) == 1",
        "x == y == ...",
        "x.exists().exists()",
        "x + 1 == 2",
        "x < True",
        "F == 1",
        "x == 1; y == 2",
        "(" * 300 + "x == 1" + ")" * 300,
        "not " * 5_000 + "x == 1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """Nothing is executed, and nothing but an error of ours comes out."""
    with pytest.raises(InvalidArgument):
        parse_condition(text)


def test_a_mistake_is_given_with_its_column() -> None:
    """The message shows where the refused part begins."""
    with pytest.raises(InvalidArgument, match=r"column 12: 'b\.upper\(\)'"):
        parse_condition("a == 1 and b.upper()")


def test_a_selection_lists_attributes() -> None:
    """Names, nested ones and places in lists."""
    paths = [path_of(field) for field in parse_fields('name, location.latitude,tags[0],F["odd,name"]')]
    assert paths == [("name",), ("location", "latitude"), ("tags", 0), ("odd,name",)]


@pytest.mark.parametrize("text", ["", "a-b", "a,1", "a.b()", "F", "a" * 10_001])
def test_a_selection_takes_nothing_else(text: str) -> None:
    """Operators, constants and calls are refused."""
    with pytest.raises(InvalidArgument):
        parse_fields(text)
