"""Strategies for items, paths, conditions and changes: few names and values, so that they meet."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from isthmus.errors import InvalidArgument
from isthmus.expressions import (
    Action,
    Add,
    Append,
    Changes,
    Condition,
    Delete,
    F,
    Field,
    Path,
    PathTree,
    Prepend,
    Remove,
    Set,
    SetFrom,
    SetIfAbsent,
    all_of,
    any_of,
    negate,
)

NAMES = ["a", "b", "a.b", "size"]

numbers = st.sampled_from([-1, 0, 1, 2, Decimal("1.5"), 2**63])
texts = st.sampled_from(["", "a", "ab", "b", "\uffee", "\U0001f600"])
binaries = st.sampled_from([b"", b"a", b"ab", b"\xff"])
sets = st.one_of(
    st.frozensets(numbers, min_size=1, max_size=3),
    st.frozensets(texts, min_size=1, max_size=3),
    st.frozensets(binaries, min_size=1, max_size=3),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, binaries)
ordered = st.one_of(numbers, texts, binaries)
names = st.sampled_from(NAMES)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(scalars, sets),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
items = st.dictionaries(names, values, max_size=4)
paths: st.SearchStrategy[Path] = st.builds(
    lambda name, rest: (name, *rest), names, st.lists(st.one_of(names, st.integers(0, 3)), max_size=2)
)


def _field(path: Path) -> Field:
    field = F[str(path[0])]
    for element in path[1:]:
        field = field[element]
    return field


fields = paths.map(_field)


@st.composite
def leaves(draw: st.DrawFn) -> Condition:
    """One condition without ``&``, ``|``, ``~``."""
    field = draw(fields)
    other = draw(fields.filter(lambda candidate: candidate is not field))
    makers: list[Callable[[], Condition]] = [
        lambda: field == draw(values),
        lambda: field != draw(values),
        lambda: field < draw(ordered),
        lambda: field >= draw(ordered),
        lambda: field == other,
        lambda: field <= other,
        lambda: field.between(draw(ordered), draw(ordered)),
        lambda: field.between(draw(ordered), other),
        lambda: field.in_(draw(st.lists(values, max_size=3))),
        field.exists,
        field.not_exists,
        lambda: field.is_type(draw(st.sampled_from(["null", "number", "string", "list", "map", "number_set"]))),
        lambda: field.begins_with(draw(st.one_of(texts, binaries))),
        lambda: field.contains(draw(values)),
        lambda: field.size() > draw(st.integers(0, 3)),
        lambda: field.size() != draw(st.integers(0, 3)),
    ]
    return draw(st.sampled_from(makers))()


def conditions() -> st.SearchStrategy[Condition]:
    """Whole condition trees."""
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(all_of), st.lists(inner, max_size=3).map(any_of), inner.map(negate)
        ),
        max_leaves=6,
    )


def actions() -> st.SearchStrategy[Action]:
    """One action."""
    lists = st.lists(values, max_size=2)
    return st.one_of(
        st.builds(Set, paths, values),
        st.builds(SetFrom, paths, paths),
        st.builds(SetFrom, paths, paths, values),
        st.builds(SetIfAbsent, paths, values),
        st.builds(Add, paths, st.one_of(numbers, sets)),
        st.builds(Remove, paths),
        st.builds(Delete, paths, sets),
        st.builds(Append, paths, lists, st.booleans()),
        st.builds(Prepend, paths, lists, st.booleans()),
    )


def _apart(candidates: list[Action]) -> Changes:
    tree, kept = PathTree(), []
    for action in candidates:
        try:
            tree.insert(action.path)
        except InvalidArgument:
            continue
        kept.append(action)
    return Changes(kept)


def updates() -> st.SearchStrategy[Changes]:
    """Changes whose paths don't overlap."""
    return st.lists(actions(), min_size=1, max_size=4).map(_apart)
