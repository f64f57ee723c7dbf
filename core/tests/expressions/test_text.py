"""The text of trees is builder syntax."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given

from core.tests.expressions.strategies import conditions
from isthmus.expressions import ALWAYS, NEVER, Condition, F


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (F.age >= 18, "F.age >= 18"),
        (F["a.b"] == "x", "F['a.b'] == 'x'"),
        (F.tags[0] != None, "F.tags[0] != None"),  # noqa: E711  # builds a condition
        ((F.a == 1) & F.b.exists(), "(F.a == 1) & F.b.exists()"),
        (~(F.a < F.b), "~(F.a < F.b)"),
        (~F.a.not_exists(), "~F.a.not_exists()"),
        ((F.a.size() > 1) | (F.b.contains("x") & F.c.begins_with(b"y")), None),
        (F.m["size"] == {"b": [{2, 1}], "a": Decimal("1.5")}, "F.m['size'] == {'b': [{1, 2}], 'a': Decimal('1.5')}"),
        (F["class"].is_type("map"), "F['class'].is_type('map')"),
        (F.a.between(1, F.b), "F.a.between(1, F.b)"),
        (F.a.in_([1, "x"]), "F.a.in_([1, 'x'])"),
        (ALWAYS, "ALWAYS"),
        (NEVER, "NEVER"),
    ],
)
def test_text(condition: Condition, text: str | None) -> None:
    """Each form reads as it is written."""
    expected = "(F.a.size() > 1) | (F.b.contains('x') & F.c.begins_with(b'y'))" if text is None else text

    assert expected == repr(condition)


@given(conditions())
def test_text_is_valid(condition: Condition) -> None:
    """The text of a condition, evaluated by Python, is the condition."""
    names = {"F": F, "ALWAYS": ALWAYS, "NEVER": NEVER, "Decimal": Decimal}

    assert condition == eval(repr(condition), names)
