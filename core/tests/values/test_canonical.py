"""Canonical bytes and digests."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import items, values
from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.values import canonical_bytes, equal, from_canonical_bytes, item_digest


def number(text: bytes) -> bytes:
    """A number's encoding with any text."""
    return b"\x01D" + len(text).to_bytes(4, "big") + text


@given(values())
def test_round_trip(value: Any) -> None:
    """Decoding gives the value back."""
    assert equal(value, from_canonical_bytes(canonical_bytes(value)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b"\x01N"),
        (True, b"\x01T"),
        (False, b"\x01F"),
        (1.0, b"\x01D\0\0\0\x011"),
        (Decimal("1.50"), b"\x01D\0\0\0\x031.5"),
        ("a", b"\x01S\0\0\0\x01a"),
        ({"b": [], "a": b"x"}, b"\x01M\0\0\0\x02\0\0\0\x01aB\0\0\0\x01x\0\0\0\x01bL\0\0\0\0"),
        (frozenset({"b", "a"}), b"\x01s\0\0\0\x02S\0\0\0\x01aS\0\0\0\x01b"),
        (frozenset({10, 9}), b"\x01n\0\0\0\x02D\0\0\0\x019D\0\0\0\x0210"),
    ],
)
def test_format(value: Any, expected: bytes) -> None:
    """Format version 1 does not change."""
    assert expected == canonical_bytes(value)


@given(items(), st.randoms(use_true_random=False))
def test_digest_ignores_order(item: dict[str, Any], chance: random.Random) -> None:
    """The digest does not depend on the order of names."""
    names = list(item)
    chance.shuffle(names)
    assert item_digest(item) == item_digest({name: item[name] for name in names})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x02N",
        b"\x01NN",
        b"\x01X",
        b"\x01S\xff\xff\xff\xff",
        b"\x01L\xff\xff\xff\xff",
        b"\x01M\x00\x00\x00\x05",
        b"\x01S\0\0\0\x01\xff",
        b"\x01S\0\0\0\x03\xed\xa0\x80",
        number(b"1.0"),
        number(b"01"),
        number(b"-0"),
        number(b"1E5"),
        number(b"+1"),
        number(b"NaN"),
        number(b" 1"),
        number(b""),
        number("\u0661".encode()),
        number(b"1" * 39),
        pytest.param(number(b"9" * 100_000), id="long number"),
        b"\x01M\0\0\0\x02\0\0\0\x01bN\0\0\0\x01aN",
        b"\x01M\0\0\0\x02\0\0\0\x01aN\0\0\0\x01aN",
        b"\x01M\0\0\0\x01\0\0\0\0N",
        b"\x01s\0\0\0\0",
        b"\x01s\0\0\0\x02S\0\0\0\x01bS\0\0\0\x01a",
        b"\x01s\0\0\0\x02S\0\0\0\x01aS\0\0\0\x01a",
        b"\x01s\0\0\0\x01B\0\0\0\x01a",
        b"\x01" + b"L\0\0\0\x01" * 65 + b"N",
        pytest.param(b"\x01" + b"L\0\0\0\x01" * 100_000, id="deep"),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    """Nothing but the canonical encoding is read."""
    with pytest.raises(InvalidStoredValue, match="not a canonical value"):
        from_canonical_bytes(data)


@given(values(), st.data())
def test_damage_is_refused_or_another_value(value: Any, data: st.DataObject) -> None:
    """A changed byte never reads as the same value, and never fails otherwise."""
    damaged = bytearray(canonical_bytes(value))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read = from_canonical_bytes(bytes(damaged))
    except InvalidStoredValue:
        return
    assert bytes(damaged) == canonical_bytes(read) != canonical_bytes(value)


@given(st.binary(max_size=40))
def test_random_bytes_never_fail_otherwise(data: bytes) -> None:
    """Whatever is read encodes to the same bytes."""
    try:
        read = from_canonical_bytes(b"\x01" + data)
    except InvalidStoredValue:
        return
    assert b"\x01" + data == canonical_bytes(read)


def test_what_is_no_value_is_refused() -> None:
    """Only portable values have an encoding."""
    with pytest.raises(InvalidValue, match="normalise it first"):
        canonical_bytes(object())


def test_depth_is_bounded() -> None:
    """More than 64 containers are refused instead of exhausting the stack."""
    with pytest.raises(InvalidValue, match="deeper than 64"):
        canonical_bytes(json.loads("[" * 65 + "]" * 65))
