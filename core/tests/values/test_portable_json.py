"""Lossless JSON text."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tests.values.strategies import items, values
from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.values import canonical_bytes, dumps, loads, loads_trusted


@given(values() | items())
def test_round_trip(value: Any) -> None:
    """Both readers give the exact value back."""
    text = dumps(value)
    assert [canonical_bytes(value)] * 2 == [canonical_bytes(loads(text)), canonical_bytes(loads_trusted(text))]


@given(values())
def test_trusted_reader_gives_canonical_types(value: Any) -> None:
    """Reading a written text and writing it again changes nothing."""
    text = dumps(value)
    assert (text, text) == (dumps(loads_trusted(text)), dumps(loads(text)))


@given(values())
def test_text_is_json(value: Any) -> None:
    """Any JSON reader accepts the text."""
    assert json.loads(dumps({"v": value})).keys() == {"v"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": None}, '{"b":1,"a":null}'),
        ("\u00e9", '"\u00e9"'),
        (Decimal("19.99"), "19.99"),
        (Decimal("1." + "1" * 37), "1." + "1" * 37),
        ([Decimal("1." + "1" * 37), Decimal("19.99"), True, False, None], f"[1.{'1' * 37},19.99,true,false,null]"),
        (10**125, "1" + "0" * 125),
        (b"\0\xff", '{"$binary":"AP8="}'),
        (frozenset({"b", "a"}), '{"$set":["a","b"]}'),
        (frozenset({10, Decimal("9.5")}), '{"$set":[9.5,10]}'),
        (frozenset({b"a"}), '{"$set":[{"$binary":"YQ=="}]}'),
        ({"$set": [1]}, '{"$map":{"$set":[1]}}'),
        ({"$map": {"$x": b""}}, '{"$map":{"$map":{"$map":{"$x":{"$binary":""}}}}}'),
        ({"$ref": 1, "$id": 2}, '{"$ref":1,"$id":2}'),
        ({"$a": {}, "b": [[], b"x"]}, '{"$a":{},"b":[[],{"$binary":"eA=="}]}'),
        ({"a": '{"$set":[1]}'}, '{"a":"{\\"$set\\":[1]}"}'),
    ],
)
def test_written_form(value: Any, text: str) -> None:
    """The text is compact, keeps the order of names and sorts sets."""
    assert text == dumps(value)


@pytest.mark.parametrize("text", ['{"\\u0024set":[1]}', ' { "$set" : [1] } '])
def test_foreign_spelling_of_a_tag(text: str) -> None:
    """A tag may be written with escapes and spaces by others."""
    assert frozenset({1}) == loads(text)


@pytest.mark.parametrize(("text", "value"), [("1.0", 1), ("1E3", 1000), ("-0.0", 0), ("1.10", Decimal("1.1"))])
def test_foreign_numbers_become_canonical(text: str, value: Any) -> None:
    """Numbers of others are read by value."""
    number = loads(text)
    assert (type(value), str(value)) == (type(number), str(number))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1 column 1"),
        ('{\n"a": }', "line 2 column 6"),
        ("[1] x", "Extra data"),
        ('{"a":1,"a":1}', "name 'a' twice"),
        ('{"x":{"a":1,"a":2}}', "name 'a' twice"),
        ("NaN", "holds NaN"),
        ("[-Infinity]", "holds -Infinity"),
        ("1e999999999999999999999", "outside"),
        ("1e126", "outside"),
        pytest.param("1" * 100_000, "outside", id="long integer"),
        ("0." + "1" * 39, "38 significant digits"),
        ('"\\ud800"', "lone surrogate"),
        ('{"":1}', "is empty"),
        ('{"$unknown":1}', "unknown or misused tag '.unknown'"),
        ('{"$set":1}', "misused tag"),
        ('{"$map":[1]}', "misused tag"),
        ('{"$binary":1}', "misused tag"),
        ('{"$set":[]}', "empty set"),
        ('{"$set":[1,1.0]}', "twice"),
        ('{"$set":[1,true]}', "twice"),
        ('{"$set":[true]}', "bool"),
        ('{"$set":[1,"1"]}', "several types"),
        ('{"$set":[[1]]}', "use a list"),
        ('{"$set":[{"$set":[1]}]}', "use a list"),
        ('{"$binary":"A"}', "base64"),
        ('{"$binary":"QR=="}', "base64"),
        ('{"$binary":"QQ==\\n"}', "base64"),
        ('{"$binary":"\u00e9"}', "base64"),
        ("[" * 33 + "]" * 33, "deeper than 32"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        ('["$",' + "[" * 900 + "]" * 900 + "]", "deep"),
    ],
)
def test_refused_texts(text: str, reason: str) -> None:
    """A text that is no value is refused with the reason, and quickly."""
    started = time.monotonic()
    with pytest.raises(InvalidValue, match=reason):
        loads(text)
    assert time.monotonic() - started < 10


@given(st.text('[]{}",:$setmapbinary01.eE-\\ \n', max_size=20))
def test_random_texts_never_fail_otherwise(text: str) -> None:
    """Whatever is read can be written and read again."""
    try:
        value = loads(text)
    except InvalidValue:
        return
    assert canonical_bytes(value) == canonical_bytes(loads(dumps(value)))


@pytest.mark.parametrize("text", ["", "{", "[1] ", "x", '{"$set":1}', pytest.param("[" * 100_000, id="deep")])
def test_trusted_reader_notices_damage(text: str) -> None:
    """A stored text that is no JSON is an error of the store."""
    with pytest.raises(InvalidStoredValue, match="not the JSON of a value"):
        loads_trusted(text)


@pytest.mark.parametrize("value", [object(), [1, float("nan")], {"a": (b"", object())}, [b"", object()]])
def test_what_is_no_value_is_refused(value: Any) -> None:
    """Only normal values can be written."""
    with pytest.raises(InvalidValue, match="normalise it first"):
        dumps(value)
