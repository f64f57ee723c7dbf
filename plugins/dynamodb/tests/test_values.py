"""Attribute values: what boto3's own codec writes and reads, and what only the service has."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal, Rounded
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given, reject
from hypothesis import strategies as st

from isthmus import Limits
from isthmus.errors import InvalidStoredValue
from isthmus.values import equal
from isthmus_conformance.strategies import numbers, values
from isthmus_dynamodb.values import decode, decode_item, encode, encode_item

WIDE = Limits(number_digits=38)


def peers_form(attribute: Any) -> Any:
    """A scalar attribute value as boto3 has it, with base64 text in place of bytes."""
    ((kind, value),) = attribute.items()
    return {"B": b64encode(value).decode()} if kind == "B" else attribute


def decimals(value: Any) -> Any:
    """A value with decimals in place of integers, which boto3's serializer keeps exactly."""
    if isinstance(value, list):
        return [decimals(member) for member in value]
    if isinstance(value, dict):
        return {name: decimals(member) for name, member in value.items()}
    if isinstance(value, frozenset):
        return set(map(decimals, value))
    return value


@given(values(WIDE))
def test_values_come_back(value: Any) -> None:
    """Decoding gives what was encoded, with its type."""
    assert equal(value, decode(encode(value)))


@given(st.one_of(st.text(max_size=5), st.binary(max_size=5), st.booleans(), st.none(), st.integers(-(2**70), 2**70)))
def test_boto3_writes_the_same(value: Any) -> None:
    """Scalars are encoded as boto3's serializer does."""
    assert peers_form(TypeSerializer().serialize(value)) == encode(value)


@given(values())
def test_boto3_reads_the_same(value: Any) -> None:
    """What the codec writes means the same to boto3, bytes and decimals aside."""

    def wire(attribute: Any) -> Any:
        ((kind, content),) = attribute.items()
        if kind == "B":
            return {"B": _bytes(content)}
        if kind == "BS":
            return {"BS": list(map(_bytes, content))}
        if kind == "L":
            return {"L": list(map(wire, content))}
        if kind == "M":
            return {"M": {name: wire(member) for name, member in content.items()}}
        return attribute

    try:
        found = TypeDeserializer().deserialize(wire(encode(value)))
    except Rounded:
        reject()  # boto3 reads no text of more than 38 digits, zeros included
    assert decimals(value) == found


def _bytes(text: str) -> bytes:
    value = decode({"B": text})
    assert isinstance(value, bytes)
    return value


@given(numbers(WIDE))
def test_numbers_are_plain_text(number: int | Decimal) -> None:
    """There is no exponent, which the service takes for zero nowhere and for others only sometimes."""
    text = encode(number)["N"]
    assert (Decimal(text), set(text) - set("-.0123456789")) == (number, set())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("0.000", 0), ("-0", 0), ("1.10", Decimal("1.1")), ("2.0", 2), ("1E-130", Decimal("1E-130")),
        ("1.5E+3", 1500), ("1e3", 1000), ("-2.50e-1", Decimal("-0.25")), (".5", Decimal("0.5")), ("+5", 5),
        ("1E+125", 10**125), ("9" * 38, int("9" * 38)), ("-1." + "1" * 37, Decimal("-1." + "1" * 37)),
    ],
)  # fmt: skip
def test_numbers_of_other_writers_are_canonical(text: str, number: Any) -> None:
    """However it is written, an integral number is an int and a fraction has no trailing zeros."""
    for found in (decode({"N": text}), *decode({"NS": [text]})):  # type: ignore[misc]  # a set
        assert (found, type(found), str(found)) == (number, type(number), str(number))


@pytest.mark.parametrize("content", ["AAE=", b"\0\1", bytearray(b"\0\1")])
def test_binary_is_text_or_bytes(content: Any) -> None:
    """Transports may have decoded it already."""
    assert decode({"B": content}) == b"\0\1"
    assert decode({"BS": [content]}) == frozenset({b"\0\1"})


@pytest.mark.parametrize(
    ("stored", "where", "what"),
    [
        ({"a": {"X": "1"}}, "a", "'X'"),
        ({"a": {"M": {"b": {"L": [{"S": ""}, {"Y": 1}]}}}}, "a.b[1]", "'Y'"),
        ({"a": {"N": "many"}}, "a", "'N'"),
        ({"a": {"N": "NaN"}}, "a", "'N'"),
        ({"a": {"L": [{"NULL": False}]}}, "a[0]", "'NULL'"),
        ({"a": {"BOOL": "true"}}, "a", "'BOOL'"),
        ({"a": {"SS": []}}, "a", "'SS'"),
        ({"a": {"B": "?"}}, "a", "'B'"),
        ({"a": {}}, "a", "no single type"),
        ({"a": {"S": "x", "N": "1"}}, "a", "no single type"),
        ({"a": {"M": {"b": "plain"}}}, "a.b", "no single type"),
        ({"a": {"L": "x"}}, "a", "'L'"),
        ({"a": {"L": {}}}, "a", "'L'"),
        ({"a": {"L": [{"S": "x", "N": "1"}]}}, "a[0]", "no single type"),
        ({"a": {"L": [{}]}}, "a[0]", "no single type"),
        ({"a": {"S": 5}}, "a", "'S'"),
        ({"a": {"S": "\ud800"}}, "a", "'S'"),
        ({"a": {"M": {"b": {"L": [{"S": "\udfff"}]}}}}, "a.b[0]", "'S'"),
        ({"a": {"SS": "abc"}}, "a", "'SS'"),
        ({"a": {"SS": ["a", 5]}}, "a", "'SS'"),
        ({"a": {"SS": ["a", "\ud800"]}}, "a", "'SS'"),
        ({"a": {"SS": ["a", "a"]}}, "a", "'SS'"),
        ({"a": {"NS": ["1", "1.0"]}}, "a", "'NS'"),
        ({"a": {"N": 5}}, "a", "'N'"),
        ({"a": {"N": ""}}, "a", "'N'"),
        ({"a": {"N": "1_0"}}, "a", "'N'"),
        ({"a": {"N": " 7 "}}, "a", "'N'"),
        ({"a": {"N": "7\n"}}, "a", "'N'"),
        ({"a": {"N": "\u0661"}}, "a", "'N'"),
        ({"a": {"N": "1."}}, "a", "'N'"),
        ({"a": {"N": "0x1"}}, "a", "'N'"),
        ({"a": {"N": "1e9999"}}, "a", "'N'"),
    ],
)
def test_unknown_stored_values_are_named(stored: Any, where: str, what: str) -> None:
    """InvalidStoredValue with the path and the type, and without the value."""
    with pytest.raises(InvalidStoredValue) as raised:
        decode_item(stored)
    assert f"attribute {where} has" in str(raised.value)
    assert what in str(raised.value)
    assert "many" not in str(raised.value)
    # What could not be read is quoted by no cause either, and by no error that stands before it.
    assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)


def test_the_backends_own_attribute_is_not_read() -> None:
    """The operation id is no part of an item; a map may have that name inside."""
    stored = {**encode_item({"id": "1", "m": {"__op": 1}}), "__op": {"S": "x"}}
    assert decode_item(stored) == {"id": "1", "m": {"__op": 1}}
