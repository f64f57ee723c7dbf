"""Attributes whose values keep one shape, and actions that fit them, so that most updates of a history succeed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from isthmus.expressions import Action, Add, Append, Delete, Prepend, Remove, Set, SetFrom, SetIfAbsent

_SMALL = st.sampled_from((0, 1, -1, 2, Decimal("1.5"), 2**63 - 1, "a", "", None, True, b"b", [1], {"x": 1}))
# Sums of these have at most 34 digits, which every backend holds.
_NUMBERS = st.sampled_from((0, 1, -1, 5, Decimal("0.5"), 2**53, 2**63 - 1, -(2**63), 10**30, Decimal("0.25")))
_LISTS = st.lists(_SMALL, max_size=4)
_SETS = st.frozensets(st.sampled_from(("", "a", "b", "\uffee", "\U0001f600")), min_size=1, max_size=3)
_MAPS = st.fixed_dictionaries({}, optional={"x": _SMALL, "c": _NUMBERS, "l": _LISTS, "t": _SETS, "a.b": _SMALL})

SHAPED: Mapping[str, SearchStrategy[Any]] = {"c": _NUMBERS, "l": _LISTS, "m": _MAPS, "t": _SETS}
"""Attributes that hold a number, a list, a map of the four shapes, and a set."""

_AT = st.integers(0, 5)
_IN_LIST = st.builds(lambda place: ("l", place), _AT)
_IN_INNER_LIST = st.builds(lambda place: ("m", "l", place), _AT)
_COUNTERS = st.sampled_from((("c",), ("m", "c"))) | _IN_LIST
_LIST_PATHS = st.sampled_from((("l",), ("m", "l")))
_SET_PATHS = st.sampled_from((("t",), ("m", "t")))
_ANY = st.sampled_from((("a",), ("new",), ("m", "x"), ("m", "a.b"), ("m", "new"))) | _IN_LIST | _IN_INNER_LIST


def fitting() -> SearchStrategy[Action]:
    """One change of any kind that fits the shapes, where the item has the attribute."""
    members = st.lists(_SMALL, max_size=3)
    return st.one_of(
        st.builds(Set, _ANY, _SMALL),
        st.builds(SetIfAbsent, _ANY, _SMALL),
        st.builds(SetFrom, _ANY, _ANY, _SMALL),
        st.builds(Add, _COUNTERS, _NUMBERS),
        st.builds(Add, _SET_PATHS, _SETS),
        st.builds(Delete, _SET_PATHS, _SETS),
        st.builds(Remove, _ANY | _COUNTERS | _LIST_PATHS | _SET_PATHS),
        st.builds(Append, _LIST_PATHS, members, st.booleans()),
        st.builds(Prepend, _LIST_PATHS, members, st.booleans()),
    )
