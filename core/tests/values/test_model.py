"""Types and typed equality (NUM-8, NUM-9, NUL-1, COL-4, COL-5, COL-8, COL-9)."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import values
from isthmus.errors import InvalidValue
from isthmus.values import PORTABLE, TYPE_NAMES, WIDE, canonical_bytes, equal, orderable, same_order_type, type_name

EXAMPLES = [None, True, 1, "a", b"a", [1], {"a": 1}, frozenset({"a"}), frozenset({1}), frozenset({b"a"})]

# A small domain, so that two draws are often equal or nearly so.
LOOKALIKES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, False, 1, 0, "1", b"1", frozenset({1}), frozenset({"1"}), frozenset({b"1"})]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["0", "a"]), inner, max_size=2),
    max_leaves=3,
)


def test_type_names_cover_every_type_in_order() -> None:
    """Each portable type has its own name."""
    assert list(TYPE_NAMES) == [type_name(value) for value in EXAMPLES]


@pytest.mark.parametrize("value", [object(), frozenset(), frozenset({True}), (1,), {1}, bytearray(b"a")])
def test_type_name_refuses_what_is_not_portable(value: object) -> None:
    """A value that was not normalised has no type name."""
    with pytest.raises(InvalidValue, match="normalise it first"):
        type_name(value)


def test_limits_differ_in_digits_only() -> None:
    """Portable numbers have 34 digits, wide ones 38."""
    assert (
        PORTABLE.number_digits,
        WIDE.number_digits,
        WIDE.item_bytes,
        WIDE.depth,
        WIDE.name_bytes,
    ) == (34, 38, 409_600, 31, 65_535)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, Decimal("1.0")),
        (0.1, Decimal("0.1")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (frozenset({1, 2}), frozenset({2, 1})),
        ([{"a": [1]}], [{"a": [Decimal(1)]}]),
        (None, None),
    ],
)
def test_equal_values(left: Any, right: Any) -> None:
    """Equality looks at the value, whatever its form or order."""
    assert equal(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (False, 0),
        ([True], [1]),
        ({"a": True}, {"a": 1}),
        (1, "1"),
        ("a", b"a"),
        ("\u00e9", "e\u0301"),
        (None, 0),
        (None, False),
        ([1], {"0": 1}),
        ([1], frozenset({1})),
        (frozenset({1}), frozenset({"1"})),
        (frozenset({"1"}), frozenset({b"1"})),
        ([], {}),
        ([1], [1, 1]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ([None], [[]]),
        (2**53, 2**53 + 1),
    ],
)
def test_different_values(left: Any, right: Any) -> None:
    """Values of different types are never equal, and each way round."""
    assert (equal(left, right), equal(right, left)) == (False, False)


@given(values())
def test_a_copy_is_equal(value: Any) -> None:
    """A value equals its deep copy."""
    assert equal(value, copy.deepcopy(value))


@given(LOOKALIKES | values(), LOOKALIKES | values())
def test_equality_agrees_with_canonical_bytes(left: Any, right: Any) -> None:
    """Two values are equal exactly when their canonical bytes are."""
    assert equal(left, right) == (canonical_bytes(left) == canonical_bytes(right))


def test_only_numbers_strings_and_binary_have_an_order() -> None:
    """Booleans, null and containers can't be ordered (NUL-4)."""
    assert [type_name(value) for value in EXAMPLES if orderable(value)] == ["number", "string", "binary"]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, Decimal("1.5"), True),
        ("a", "b", True),
        (b"", b"a", True),
        (1, "1", False),
        (True, 1, False),
        ([], [], False),
    ],
)
def test_same_order_type(left: object, right: object, expected: bool) -> None:
    """Values order against each other only within one orderable type."""
    assert expected == same_order_type(left, right)
