"""Comparing values by type as well: ``True``, ``1`` and ``Decimal(1)`` are equal to Python, but not to the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen

from isthmus.errors import IsthmusError


@frozen
class Raised:
    """An outcome that is an error of this class."""

    error: type[IsthmusError]


def typed(value: Any) -> Any:
    """A hashable picture of a value in which types count and the order of names does not."""
    if isinstance(value, Mapping):
        return "map", frozenset((name, typed(part)) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return "list", tuple(map(typed, value))
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, frozenset(map(typed, value))
    return type(value).__name__, value.as_tuple() if isinstance(value, Decimal) else value


def assert_same(expected: Any, actual: Any) -> None:
    """Fail unless both are the same value of the same types."""
    assert typed(expected) == typed(actual), f"expected {expected!r}, got {actual!r}"


def assert_same_items(expected: Iterable[Any], actual: Iterable[Any]) -> None:
    """Fail unless both hold the same items, each as often, in any order (rule QRY-6)."""
    wanted, found = list(expected), list(actual)
    assert Counter(map(typed, wanted)) == Counter(map(typed, found)), f"expected {wanted!r}, got {found!r}"


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or ``Raised`` with the class of its error."""
    try:
        return call()
    except IsthmusError as error:
        return Raised(type(error))


def assert_agree(expected: Callable[[], Any], actual: Callable[[], Any]) -> Any:
    """Fail unless both calls return the same value or raise the same class of error; the outcome."""
    wanted, found = outcome(expected), outcome(actual)
    assert_same(wanted, found)
    return wanted
