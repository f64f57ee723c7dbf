"""Values as hashable, typed keys, so that trees compare by meaning: ``True`` is not ``1``, and lists can be hashed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import Any


def typed_key(value: Any) -> Hashable:
    """A key that is equal for two values exactly when they are the same portable value."""
    if isinstance(value, dict):
        return "map", frozenset((name, typed_key(member)) for name, member in value.items())
    if isinstance(value, (list, tuple)):
        return "list", tuple(typed_key(member) for member in value)
    if isinstance(value, frozenset):
        return "set", frozenset(typed_key(member) for member in value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return "number", value
    return type(value).__name__, value


def value_text(value: Any) -> str:
    """``repr`` with the members of sets in a fixed order."""
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(value_text, value))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(value_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + _pairs(value.items()) + "}"
    return repr(value)


def _pairs(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name!r}: {value_text(member)}" for name, member in items)
