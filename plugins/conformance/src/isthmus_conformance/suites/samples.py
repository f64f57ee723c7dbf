"""Python values that are written in another form, and those that are refused."""

from __future__ import annotations

import enum
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from attrs import define


class _Text(str):
    __slots__ = ()


class _Pair(NamedTuple):
    left: int
    right: int


class _Colour(enum.IntEnum):
    RED = 1


@define
class _Record:
    name: str = "x"


NORMALISED: tuple[tuple[str, Any, Any], ...] = (
    ("float", 0.1, Decimal("0.1")),
    ("integral float", 1.0, 1),
    ("large float", 1e22, 10**22),
    ("trailing zeros", Decimal("1.10"), Decimal("1.1")),
    ("exponent", Decimal("1e3"), 1000),
    ("integral decimal", Decimal("5.00"), 5),
    ("negative zero", -0.0, 0),
    ("negative decimal zero", Decimal("-0.00"), 0),
    ("zero with an exponent", Decimal("0E+126"), 0),
    ("tuple", (1, (2,)), [1, [2]]),
    ("named tuple", _Pair(1, 2), [1, 2]),
    ("bytearray", bytearray(b"ab"), b"ab"),
    ("memoryview", memoryview(b"ab"), b"ab"),
    ("set", {1, 2}, frozenset({1, 2})),
    ("set of equal numbers", {Decimal("1.0"), 2.0}, frozenset({1, 2})),
    ("subclass of str", _Text("x"), "x"),
    ("another mapping", OrderedDict(b=1, a=(True,)), {"a": [True], "b": 1}),
)

REFUSED: tuple[tuple[str, Any], ...] = (
    ("nan", float("nan")),
    ("decimal nan", Decimal("NaN")),
    ("signalling nan", Decimal("sNaN")),
    ("infinity", float("inf")),
    ("negative infinity", Decimal("-Infinity")),
    ("too large", 10**126),
    ("too large a float", 1e300),
    ("too small", Decimal("1E-131")),
    ("huge exponent", Decimal("1E+999999")),
    ("tiny exponent", Decimal("1E-999999")),
    ("39 digits", int("1" * 39)),
    ("39 digits with a fraction", Decimal("1." + "1" * 38)),
    ("lone surrogate", "a\ud800"),
    ("lone surrogate in a set", {"\udfff"}),
    ("lone surrogate in a name", {"\ud800": 1}),
    ("number as a name", {1: "a"}),
    ("null as a name", {None: "a"}),
    ("empty name", {"": 1}),
    ("NUL in a name", {"a\0": 1}),
    ("empty set", set()),
    ("empty frozenset", frozenset()),
    ("mixed set", {1, "a"}),
    ("set of booleans", {True}),
    ("set with a boolean", {True, 2}),
    ("set of null", {None}),
    ("set of tuples", {(1, 2)}),
    ("UUID", uuid.UUID(int=1)),
    ("datetime", datetime(2027, 1, 1, tzinfo=UTC)),
    ("date", date(2027, 1, 1)),
    ("timedelta", timedelta(seconds=1)),
    ("enum", _Colour.RED),
    ("attrs object", _Record()),
    ("complex", 1j),
    ("object", object()),
    ("generator", (number for number in (1, 2))),
)
