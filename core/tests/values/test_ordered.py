"""Ordered bytes of key values (STR-1, STR-8, BIN-1, KEY-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import AWKWARD_DECIMALS, AWKWARD_INTEGERS, binaries, keys, numbers, texts
from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.values import from_ordered_bytes, ordered_bytes, successor_prefix

MAXIMUM = "\U0010ffff"


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1."""
    return int(left > right) - int(left < right)


@given(st.tuples(numbers(), numbers()) | st.tuples(texts(), texts()) | st.tuples(binaries(), binaries()))
def test_order_of_bytes_is_order_of_values(pair: tuple[Any, Any]) -> None:
    """Within one type the bytes sort as the values do."""
    left, right = pair
    assert compare(left, right) == compare(ordered_bytes(left), ordered_bytes(right))


@given(numbers())
def test_order_among_awkward_numbers(number: int | Decimal) -> None:
    """A number sorts rightly among the largest, the smallest and those around powers of two."""
    decimals = [Decimal(text) for text in AWKWARD_DECIMALS]
    around = {number, *AWKWARD_INTEGERS, *(-n for n in AWKWARD_INTEGERS), *decimals}
    assert sorted(around) == sorted(around, key=ordered_bytes)


@given(st.tuples(texts(), numbers(), binaries()), st.tuples(texts(), numbers(), binaries()))
def test_composites_sort_part_by_part(left: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    """Joined encodings sort as tuples."""
    assert compare(left, right) == compare(b"".join(map(ordered_bytes, left)), b"".join(map(ordered_bytes, right)))


@given(st.lists(keys(), max_size=4))
def test_round_trip(parts: list[Any]) -> None:
    """Decoding gives every part back."""
    assert tuple(parts) == from_ordered_bytes(b"".join(map(ordered_bytes, parts)))


def test_numbers_equal_by_value_have_equal_bytes() -> None:
    """1, 1.0 and 1E0 are one key."""
    assert {ordered_bytes(1)} == {ordered_bytes(form) for form in (1.0, Decimal("1.0"), Decimal("1E0"))}


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, frozenset({1})])
def test_other_types_are_refused(value: object) -> None:
    """Only strings, numbers and bytes can be keys."""
    with pytest.raises(InvalidValue, match="The key value"):
        ordered_bytes(value)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x20a",
        b"\x20a\0",
        b"\x20\xff\0\x01",
        b"\x20a\0\x02\0\x01",
        b"\x12",
        b"\x12\x41",
        b"\x12\x41\0",
        b"\x12\x41\x01\0",
        b"\x12\x41\x0b\0",
        b"\x12\x41" + b"\x02" * 21 + b"\0",
        b"\x12\xff\x02\0",
        b"\x11\x01",
        b"\x10\xbe\xfd",
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    """Nothing but joined encodings is read."""
    with pytest.raises(InvalidStoredValue, match="not ordered key values"):
        from_ordered_bytes(data)


@given(st.binary(max_size=12))
def test_random_bytes_never_fail_otherwise(data: bytes) -> None:
    """Whatever is read encodes to the same bytes."""
    try:
        read = from_ordered_bytes(data)
    except InvalidStoredValue:
        return
    assert data == b"".join(map(ordered_bytes, read))


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("a", "b"),
        ("a\ud7ff", "a\ue000"),
        ("a" + MAXIMUM, "b"),
        (MAXIMUM * 2, None),
        ("", None),
        ("a\0", "a\x01"),
        (b"a", b"b"),
        (b"a\xff\xff", b"b"),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_successors(prefix: Any, expected: Any) -> None:
    """The successor skips surrogates and drops what can't grow."""
    assert expected == successor_prefix(prefix)


@given(texts(), texts())
def test_prefix_is_a_range_of_strings(prefix: str, text: str) -> None:
    """A string starts with the prefix exactly when it is in the half-open range."""
    end = successor_prefix(prefix)
    for candidate in (text, prefix + text):
        assert candidate.startswith(prefix) == (prefix <= candidate and (end is None or candidate < end))


@given(binaries(), binaries())
def test_prefix_is_a_range_of_bytes(prefix: bytes, data: bytes) -> None:
    """The same for bytes."""
    end = successor_prefix(prefix)
    for candidate in (data, prefix + data):
        assert candidate.startswith(prefix) == (prefix <= candidate and (end is None or candidate < end))
