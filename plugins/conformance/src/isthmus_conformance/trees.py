"""Hypothesis strategies for conditions and updates over the pools of ``strategies``."""

from __future__ import annotations

from functools import cache
from typing import Any

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from isthmus.errors import InvalidPath
from isthmus.expressions import (
    Action,
    Add,
    Append,
    Changes,
    Condition,
    Delete,
    Field,
    Path,
    Prepend,
    Remove,
    Set,
    SetFrom,
    SetIfAbsent,
)
from isthmus.values import TYPE_NAMES
from isthmus_conformance.strategies import (
    ATTRIBUTES,
    INNER_NAMES,
    attribute_values,
    binaries,
    numbers,
    scalars,
    sets,
    strings,
)
from isthmus_conformance.updating import field_of, in_call_order


@cache
def paths(attributes: tuple[str, ...] = ATTRIBUTES) -> SearchStrategy[Path]:
    """Paths into the pool's attributes, mostly of one element."""
    inner: SearchStrategy[str | int] = st.sampled_from([*INNER_NAMES, 0, 1, 7])
    below = st.lists(inner, min_size=1, max_size=2)
    return st.builds(lambda name, rest: (name, *rest), st.sampled_from(list(attributes)), st.just([]) | below)


def _ordered(draw: st.DrawFn) -> Any:
    return draw(st.sampled_from([0, 1, 2, "a", "ab", b"a"]) | numbers() | strings() | binaries())


def _comparison(draw: st.DrawFn, field: Field) -> Condition:
    """With a constant; equality twice as often as order."""
    if draw(st.integers(0, 2)):
        constant = draw(attribute_values())
        return field == constant if draw(st.booleans()) else field != constant
    constant = _ordered(draw)
    orders: list[Condition] = [field < constant, field <= constant, field > constant, field >= constant]
    return draw(st.sampled_from(orders))


@st.composite
def leaves(draw: st.DrawFn, attributes: tuple[str, ...]) -> Condition:
    """One comparison or function."""
    path = draw(paths(attributes))
    field = field_of(path)
    match draw(st.integers(0, 8)):
        case 0 | 1 | 2:
            return _comparison(draw, field)
        case 3:
            return field.between(_ordered(draw), _ordered(draw))
        case 4:
            return field.in_(draw(st.lists(attribute_values(), max_size=3)))
        case 5:
            return draw(st.sampled_from([field.exists(), field.not_exists()]))
        case 6:
            return field.is_type(draw(st.sampled_from(TYPE_NAMES)))
        case 7:
            return field.begins_with(draw(strings(3) | binaries(3)))
        case 8 if draw(st.booleans()):
            return field.contains(draw(scalars() | attribute_values()))
        case _:
            return _compared(draw, field, path, attributes)


def _compared(draw: st.DrawFn, field: Field, path: Path, attributes: tuple[str, ...]) -> Condition:
    """A size, or two attributes with each other."""
    if draw(st.booleans()):
        size, number = field.size(), draw(st.integers(0, 4))
        sizes: list[Condition] = [size == number, size != number, size > number, size.between(1, number)]
        return draw(st.sampled_from(sizes))
    other = draw(paths(attributes).filter(lambda candidate: candidate != path))
    second = field_of(other)
    both: list[Condition] = [field == second, field != second, field < second, field >= second]
    return draw(st.sampled_from(both))


@cache
def conditions(attributes: tuple[str, ...] = ATTRIBUTES) -> SearchStrategy[Condition]:
    """Conditions on the given attributes, up to a few levels of and, or and not."""
    return st.recursive(
        leaves(attributes),
        lambda inner: (
            inner.map(lambda one: ~one)
            | st.builds(lambda one, two: one & two, inner, inner)
            | st.builds(lambda one, two: one | two, inner, inner)
        ),
        max_leaves=4,
    )


@cache
def actions(attributes: tuple[str, ...] = ATTRIBUTES) -> SearchStrategy[Action]:
    """One change of any kind."""
    path, value = paths(attributes), attribute_values()
    few = st.lists(value, max_size=2)
    return st.one_of(
        st.builds(Set, path, value),
        st.builds(SetIfAbsent, path, value),
        st.builds(SetFrom, path, path),
        st.builds(SetFrom, path, path, value),
        st.builds(Add, path, numbers() | st.integers(-3, 3) | sets()),
        st.builds(Remove, path),
        st.builds(Delete, path, sets()),
        st.builds(Append, path, few, st.booleans()),
        st.builds(Prepend, path, few, st.booleans()),
    )


def _apart(candidates: list[Action], create: bool) -> Changes:
    """An update of those candidates whose paths don't overlap; lists are created by all of them or by none."""
    kept: list[Action] = []
    for candidate in candidates:
        try:
            Changes([*kept, candidate])
        except InvalidPath:
            continue
        kept.append(evolve(candidate, create=create) if isinstance(candidate, (Append, Prepend)) else candidate)
    return in_call_order(Changes(kept))


def changes(attributes: tuple[str, ...] = ATTRIBUTES, most: int = 4) -> SearchStrategy[Changes]:
    """Updates of the given attributes."""
    return changes_of(actions(attributes), most)


def changes_of(action: SearchStrategy[Action], most: int) -> SearchStrategy[Changes]:
    """Updates of up to ``most`` actions."""
    return st.builds(_apart, st.lists(action, max_size=most), st.booleans())
