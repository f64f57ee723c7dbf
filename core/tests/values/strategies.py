"""Strategies for normal values, and the awkward ones by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

AWKWARD_TEXT = ["", "a", "A", "a\0b", "$a", "$$NOW", "#n", ":v", "a.b", "%2E", "\u00e9", "e\u0301"]
AWKWARD_TEXT += ["\uffee", "\U0001f600", "\ud7ff", "\ue000", "\U0010ffff", "\U0010ffff\U0010ffff"]
AWKWARD_TEXT += ["\0", "\0\0", "\0\x01", "\0\u00ff", "\x01"]
AWKWARD_BYTES = [b"", b"\0", b"\x7f", b"\x80", b"b", b"aa", b"\0\xff", b"\0\x01", b"\xff", b"\xff\xff", b"\x01"]
AWKWARD_INTEGERS = [0, 1, -1, 2**53 - 1, 2**53, 2**53 + 1, 2**61 - 1, 2**61 + 1, 2**63 - 1, 2**63, -(2**63), 2**64]
AWKWARD_INTEGERS += [int("9" * 34), int("1" * 35), int("9" * 38), -int("9" * 38), 100, 99, 9999, 10000, 10**125]
AWKWARD_DECIMALS = ["0.1", "1.1", "-0.1", "1E-130", "-1E-130", "0.01", "0.001", "1." + "1" * 37, "99.99", "1E-7"]
AWKWARD_NAMES = ["size", "status", "name", "_id", "$set", "$map", "$binary", "$ref", "a.b", ".", "42", "\u00e9"]


def _decimal(sign: int, digits: str, exponent: int) -> int | Decimal:
    if exponent >= 0:
        return int(digits + "0" * exponent) * sign
    number = Decimal(f"{digits}E{exponent}")
    return number.copy_negate() if sign < 0 else number


def decimals(most_digits: int = 38) -> st.SearchStrategy[int | Decimal]:
    """Canonical numbers with up to ``most_digits`` digits over the whole range of exponents."""
    digits = st.integers(1, 10**most_digits - 1).map(lambda n: str(n).rstrip("0"))
    exponents = st.one_of(st.integers(-45, 20), st.integers(-130, 80))
    built = st.builds(_decimal, st.sampled_from([1, -1]), digits, exponents)
    return built | st.sampled_from([Decimal(text) for text in AWKWARD_DECIMALS])


def numbers() -> st.SearchStrategy[int | Decimal]:
    """Canonical numbers."""
    wide = 10**38 - 1
    return st.one_of(st.integers(-1000, 1000), st.integers(-wide, wide), st.sampled_from(AWKWARD_INTEGERS), decimals())


def texts() -> st.SearchStrategy[str]:
    """Strings without lone surrogates."""
    return st.text(max_size=12) | st.sampled_from(AWKWARD_TEXT)


def binaries() -> st.SearchStrategy[bytes]:
    """Byte strings."""
    return st.binary(max_size=12) | st.sampled_from(AWKWARD_BYTES)


def names() -> st.SearchStrategy[str]:
    """Names that may stand at top level."""
    free = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
    return st.sampled_from(AWKWARD_NAMES) | free.filter(lambda name: not name.startswith("__"))


def sets() -> st.SearchStrategy[frozenset[Any]]:
    """Sets of one type."""
    kinds: list[st.SearchStrategy[Any]] = [texts(), numbers(), binaries()]
    return st.one_of([st.frozensets(kind, min_size=1, max_size=4) for kind in kinds])


def keys() -> st.SearchStrategy[str | bytes | int | Decimal]:
    """Key values of each type, empty ones too."""
    return st.one_of(texts(), binaries(), numbers())


def values() -> st.SearchStrategy[Any]:
    """Normal values of every type."""
    leaves: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers(), texts(), binaries(), sets())
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names(), inner, max_size=4),
        max_leaves=8,
    )


def items() -> st.SearchStrategy[dict[str, Any]]:
    """Normal items."""
    return st.dictionaries(names(), values(), max_size=5)
