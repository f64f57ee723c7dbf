"""Normalisation of values, items and keys (KEY-1 to KEY-6, STR-3 to STR-5, BIN-2, COL-6, COL-10, COL-11, SIZ-2)."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import uuid
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given

from core.tests.values.strategies import items
from isthmus.errors import InvalidArgument, InvalidKey, InvalidValue, ItemTooLarge
from isthmus.values import PORTABLE, canonical_bytes, equal, item_size, normalise, normalise_item, normalise_key_value

Point = collections.namedtuple("Point", "x y")  # noqa: PYI024  # the untyped kind is what is under test


class Text(str):
    """A subclass of str."""

    __slots__ = ()


class Number(int):
    """A subclass of int."""


class Colour(enum.StrEnum):
    """An enum whose members are strings."""

    RED = "red"


class Level(enum.IntEnum):
    """An enum whose members are numbers."""

    LOW = 1


@dataclasses.dataclass
class Plain:
    """A dataclass."""

    a: int = 1


@attrs.define
class Shaped:
    """An attrs class."""

    a: int = 1


def nested(depth: int, inner: Any = 1) -> Any:
    """``inner`` inside ``depth`` lists."""
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("a\0b", "a\0b"),
        (Text("a"), "a"),
        (Number(5), 5),
        (bytearray(b"a"), b"a"),
        (memoryview(b"abcd")[::2], b"ac"),
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        ({1, 1.5}, frozenset({1, Decimal("1.5")})),
        (frozenset({0.1, Decimal("0.1")}), frozenset({Decimal("0.1")})),
        ({""}, frozenset({""})),
        ({Text("a"), "b"}, frozenset({"a", "b"})),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (collections.OrderedDict(a=1), {"a": 1}),
        ({"__inner": {"$ref": 1, "a.b": None}}, {"__inner": {"$ref": 1, "a.b": None}}),
        ({Text("a"): 1}, {"a": 1}),
        (1.0, 1),
        ([], []),
        ({}, {}),
        (None, None),
    ],
)
def test_accepted_values_become_plain(value: Any, expected: Any) -> None:
    """Look-alikes become the plain portable type, all the way down."""
    normal = normalise(value)
    assert (type(expected), canonical_bytes(expected)) == (type(normal), canonical_bytes(normal))


@pytest.mark.parametrize("value", [Text("a"), Number(5), Text("\u00e9"), True, None])
def test_scalars_have_exact_types(value: Any) -> None:
    """No subclass is left after normalisation."""
    assert type(normalise(value)) in (str, int, bool, type(None))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\ud800", "lone surrogate"),
        (Text("\udfff"), "lone surrogate"),
        (float("nan"), "finite"),
        (set(), "empty set"),
        ({True}, "member of type bool"),
        ({1, "1"}, "several types"),
        ({None}, "member of type NoneType"),
        ({(1,)}, "member of type tuple"),
        ({Colour.RED}, "value"),
        (Colour.RED, r"\.value"),
        (Level.LOW, r"\.value"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "datetime.*UTC text"),
        (dt.date(2024, 1, 1), "isoformat"),
        (dt.time(1), "isoformat"),
        (dt.timedelta(1), "seconds"),
        (uuid.UUID(int=1), "str"),
        (Plain(), "dataclasses.asdict"),
        (Shaped(), "attrs.asdict"),
        (1j, "two numbers"),
        (object(), "not a portable type"),
        (iter([1]), "not a portable type"),
        ({1: 2}, "holds a name that is a int"),
        ({Colour.RED: 2}, "enum member"),
        ({"": 2}, "is empty"),
        ({"a\0": 2}, "NUL"),
        ({"\ud800": 2}, "lone surrogate"),
        pytest.param({"n" * 65_536: 2}, "65535 bytes", id="long name"),
        ({"\u00e9" * 32_768: 2}, "65535 bytes"),
    ],
)
def test_refused_values(value: Any, reason: str) -> None:
    """What has no portable form is refused with the reason and a hint."""
    with pytest.raises(InvalidValue, match=f"Attribute a .*{reason}"):
        normalise_item({"a": value})


def test_error_names_the_path_and_hides_the_value() -> None:
    """The message leads to the attribute without showing what it holds."""
    with pytest.raises(InvalidValue) as caught:
        normalise_item({"m": {"a.b": [0, {"x": "secret\ud800"}]}})
    assert (str(caught.value).split(" is ")[0], "secret" in str(caught.value)) == ("Attribute m['a.b'][1].x", False)


@pytest.mark.parametrize("name", ["__rev", "__"])
def test_reserved_names_are_refused_at_top_level(name: str) -> None:
    """The prefix of two underscores belongs to Isthmus (PTH-7)."""
    with pytest.raises(InvalidValue, match="reserved prefix"):
        normalise_item({name: 1})


def test_one_underscore_is_an_ordinary_name() -> None:
    """Only two underscores are reserved."""
    assert normalise_item({"_id": 1, "_": 2}) == {"_id": 1, "_": 2}


def test_longest_name_is_accepted() -> None:
    """A name may have 65,535 bytes."""
    assert item_size(normalise_item({"n" * 65_535: None})) == 65_536


@pytest.mark.parametrize("inner", [1, frozenset({1})])
def test_depth_of_31_is_accepted(inner: Any) -> None:
    """31 containers around a scalar or a set are allowed."""
    assert {"a": nested(31, inner)} == normalise_item({"a": nested(31, inner)})


@pytest.mark.parametrize("value", [nested(32), nested(31, {}), nested(31, [])])
def test_depth_of_32_is_refused(value: Any) -> None:
    """The 32nd container is one too many, even when empty."""
    with pytest.raises(InvalidValue, match="deeper than 31"):
        normalise_item({"a": value})


def test_cycles_are_refused() -> None:
    """A structure that holds itself ends at the depth limit."""
    cycle: list[Any] = []
    cycle.append({"again": cycle})
    with pytest.raises(InvalidValue, match="deeper than 31"):
        normalise(cycle)


def test_item_of_the_largest_size() -> None:
    """409,600 bytes are allowed."""
    assert item_size(normalise_item({"a": "x" * 409_599})) == 409_600


def test_item_one_byte_too_large() -> None:
    """409,601 bytes are refused."""
    with pytest.raises(ItemTooLarge, match="409601 bytes"):
        normalise_item({"a": "x" * 409_600})


@pytest.mark.parametrize("item", [None, [], "a", [("a", 1)]])
def test_items_are_mappings(item: Any) -> None:
    """Nothing but a mapping is an item."""
    with pytest.raises(InvalidValue, match="must be a mapping"):
        normalise_item(item)


def test_portable_limits_refuse_the_35th_digit() -> None:
    """The limits of the backend decide about digits."""
    with pytest.raises(InvalidValue, match="34 significant digits"):
        normalise_item({"a": 10**34 + 1}, PORTABLE)


@given(items())
def test_normalising_is_idempotent(item: dict[str, Any]) -> None:
    """A normal item stays what it is."""
    assert equal(item, normalise_item(item))


def test_result_shares_nothing_with_the_input() -> None:
    """Changing the input afterwards changes nothing (LYR-3)."""
    source = {"a": [{"b": [1]}]}
    normal = normalise_item(source)
    source["a"][0]["b"].append(2)
    assert normal == {"a": [{"b": [1]}]}


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("a", "string", "a"),
        ("\u00e9" * 1024, "string", "\u00e9" * 1024),
        (Text("a"), "string", "a"),
        (1.0, "number", 1),
        (Decimal("1.10"), "number", Decimal("1.1")),
        (0, "number", 0),
        (bytearray(b"a"), "binary", b"a"),
    ],
)
def test_accepted_keys(value: Any, kind: str, expected: Any) -> None:
    """A key becomes the canonical value of its declared type."""
    key = normalise_key_value(value, kind, 2048)
    assert (type(expected), str(expected)) == (type(key), str(key))


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ("", "string", "empty"),
        (b"", "binary", "empty"),
        ("x" * 2049, "string", "2049 bytes"),
        ("\u00e9" * 1025, "string", "2050 bytes"),
        (b"x" * 2049, "binary", "2049 bytes"),
        ("\ud800", "string", "lone surrogate"),
        (1, "string", "given a int"),
        ("1", "number", "given a str"),
        (True, "number", "given a bool"),
        (Level.LOW, "number", "given a Level"),
        (Colour.RED, "string", "given a Colour"),
        (float("nan"), "number", "finite"),
        (None, "string", "given a NoneType"),
        ("a", "binary", "given a str"),
        ([1], "number", "given a list"),
        ({}, "string", "given a dict"),
    ],
)
def test_refused_keys(value: Any, kind: str, reason: str) -> None:
    """A key of another type, empty or too long is refused."""
    with pytest.raises(InvalidKey, match=reason):
        normalise_key_value(value, kind, 2048)


def test_key_digits() -> None:
    """A number key respects the digits of the backend."""
    with pytest.raises(InvalidKey, match="34 significant digits"):
        normalise_key_value(10**34 + 1, "number", 2048, 34)


def test_unknown_key_type() -> None:
    """Only three types can be keys."""
    with pytest.raises(InvalidArgument, match="string, number or binary"):
        normalise_key_value([1], "list", 2048)
