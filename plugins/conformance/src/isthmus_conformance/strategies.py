"""Hypothesis strategies for portable values, nasty on purpose and small by default.

Attribute names, paths and constants come from small pools, so that conditions and updates meet what items hold.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from decimal import Context, Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from isthmus import Index, Limits, Table
from isthmus.schema import KeyType
from isthmus.values import Item, Value, normalise_number

ATTRIBUTES = ("a", "b", "c", "size", "a.b", "$set", "_id")
"""Names that generated items use, some of which mean something to a query language."""

INNER_NAMES = ("x", "0", "a.b")
"""Names in generated maps."""

PORTABLE_LIMITS = Limits()
_WIDE = Context(prec=80)

_NUMBERS: tuple[int | Decimal, ...] = (
    0, 1, -1, 2, 5, 10, 2**53 - 1, 2**53, 2**53 + 1, 2**61 + 1, -(2**61) - 1, 2**63 - 1, 2**63, -(2**63), 2**64,
    int("9" * 34), Decimal("1.1"), Decimal("0.1"), Decimal("-2.5"), Decimal("1E-130"), -Decimal("1E-130"),
    int(Decimal("9.99E125")), Decimal("1." + "0" * 32 + "1"),
)  # fmt: skip
_STRINGS = (
    "", "a", "A", "ab", "b", "1", "a\0b", "$a", "$$NOW", "#n", ":v", "a.b", "%2E", "%", "_", "a%",
    "é", "e\u0301", "'", '"', "\\",
    "\uffee", "\U0001f600", "\U0010ffff", "null", "\u0130", "ß",
)  # fmt: skip
_BINARIES = (b"", b"\0", b"\x7f", b"\x80", b"b", b"aa", b"a", b"\xff\xff", b"1")
_SETS = (
    frozenset({1}), frozenset({1, 2}), frozenset({Decimal("1.5")}), frozenset({"1"}), frozenset({"a", "b"}),
    frozenset({""}),
    frozenset({b"1"}), frozenset({b"", b"a"}),
)  # fmt: skip
_CONTAINERS: tuple[Any, ...] = (
    [], {}, [None], [[]], [1], [1, [1]], [1, 2], ["a"], {"0": 1}, {"x": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1},
    {"$ref": "x", "$id": 1},
    {"x": {"x": 1}}, [{"x": 1}], {"a.b": 1}, {"%SS": ["a"]}, {"$numberDecimal": "1"}, {"B": "YQ=="}, [True],
)  # fmt: skip


@cache
def numbers(limits: Limits = PORTABLE_LIMITS) -> SearchStrategy[int | Decimal]:
    """Portable numbers, those on the borders of binary formats first."""
    most = 10**limits.number_digits - 1
    digits, exponents = st.integers(-most, most), st.integers(-60, 40)
    scaled = st.builds(
        lambda number, exponent: normalise_number(Decimal(number).scaleb(exponent, _WIDE)), digits, exponents
    )
    return st.sampled_from(_NUMBERS) | st.integers(-20, 20) | digits | scaled


@cache
def strings(most: int = 8) -> SearchStrategy[str]:
    """Strings that mean something elsewhere, and arbitrary ones without lone surrogates."""
    return st.sampled_from(_STRINGS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=most)


@cache
def binaries(most: int = 6) -> SearchStrategy[bytes]:
    """Binary values, those that sort differently by length first."""
    return st.sampled_from(_BINARIES) | st.binary(max_size=most)


@cache
def scalars(limits: Limits = PORTABLE_LIMITS) -> SearchStrategy[Value]:
    """Values without members."""
    return st.none() | st.booleans() | numbers(limits) | strings() | binaries()


@cache
def sets(limits: Limits = PORTABLE_LIMITS) -> SearchStrategy[frozenset[Any]]:
    """Sets of one type, never empty."""
    members = (numbers(limits), strings(), binaries())
    generated = st.one_of([st.frozensets(member, min_size=1, max_size=3) for member in members])
    return st.sampled_from(_SETS) | generated


@cache
def names() -> SearchStrategy[str]:
    """Attribute names that are allowed at the top level."""
    odd = st.sampled_from(
        (*ATTRIBUTES, "status", "name", ".", "42", "%24", "$", "a b", "é", "e\u0301", "\U0001f600", "#n", ":v")
    )
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
    return odd | text.filter(lambda name: not name.startswith("__"))


@cache
def values(limits: Limits = PORTABLE_LIMITS) -> SearchStrategy[Value]:
    """Any portable value, rarely deep."""
    leaves = scalars(limits) | sets(limits) | st.sampled_from(_CONTAINERS)
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER_NAMES) | names(), inner, max_size=3)
        ),
        max_leaves=5,
    )


@cache
def keys(key_type: KeyType, few: bool = False) -> SearchStrategy[str | bytes | int | Decimal]:
    """Values of a key attribute.

    :param few: draw from a handful, so that operations meet the same items
    """
    some: dict[str, Sequence[Any]] = {
        "string": ("a", "A", "a.b", "\0", "\uffee", "\U0001f600"),
        "number": (0, 1, -1, Decimal("1.5"), 2**63, Decimal("1E-130")),
        "binary": (b"a", b"\0", b"\x7f", b"\x80", b"aa", b"b"),
    }
    if few:
        return st.sampled_from(some[key_type])
    every = {"string": strings(), "number": numbers(), "binary": binaries()}
    return every[key_type].filter(lambda key: key not in ("", b""))


@cache
def attribute_values(limits: Limits = PORTABLE_LIMITS) -> SearchStrategy[Value]:
    """Values for attributes that conditions and updates look at: containers of the pools' names, often."""
    small = st.sampled_from([0, 1, 2, True, False, None, "a", "ab", "", b"a", b"", Decimal("1.5")])
    maps = st.dictionaries(st.sampled_from(INNER_NAMES), small | st.sampled_from(_CONTAINERS), max_size=3)
    return small | maps | st.lists(small, max_size=4) | st.sampled_from(_SETS) | values(limits)


def items(table: Table, *, limits: Limits = PORTABLE_LIMITS, few_keys: bool = True) -> SearchStrategy[Item]:
    """Items of a table: its key, and up to six attributes of the pool."""
    key = st.fixed_dictionaries({key.name: keys(key.type, few_keys) for key in table.keys})
    pool = [name for name in ATTRIBUTES if name not in table.key_names]
    rest = st.dictionaries(st.sampled_from(pool), attribute_values(limits), max_size=6)
    return st.builds(lambda rest, key: {**rest, **key}, rest, key)


@cache
def table_names() -> SearchStrategy[str]:
    """Names that tables and indexes may bear."""
    return st.text(string.ascii_letters + string.digits + "_-", min_size=3, max_size=120)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Declarations: with and without a sort key, an index, an expiry attribute."""
    kinds = st.sampled_from(["string", "number", "binary"])
    attributes = draw(
        st.lists(names().filter(lambda name: len(name.encode()) <= 255), min_size=5, max_size=5, unique=True)
    )
    sort_key = (attributes[1], draw(kinds)) if draw(st.booleans()) else None
    index_key = (attributes[3], draw(kinds)) if draw(st.booleans()) else None
    projection = draw(st.sampled_from(["all", "keys", ("a",)]))
    indexes = (
        [Index(draw(table_names()), (attributes[2], draw(kinds)), index_key, projection)] if draw(st.booleans()) else []
    )
    ttl = attributes[4] if draw(st.booleans()) else None
    return Table(draw(table_names()), (attributes[0], draw(kinds)), sort_key, indexes, ttl)
