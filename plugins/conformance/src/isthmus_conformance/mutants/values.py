"""Mutants that give back other values than were written."""

from __future__ import annotations

import unicodedata
from decimal import Context, Decimal
from typing import Any

from isthmus import operations as op
from isthmus import results as res
from isthmus.embedded import EmbeddedBackend
from isthmus.memory import MemoryBackend, MemorySession
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_conformance.mutants.base import Distorting
from isthmus_conformance.mutants.registry import mutant


def _is_number(value: Any) -> bool:
    return type(value) in (int, Decimal)


@mutant("NUM-1", "NUM-3")
class NumbersRounded(Distorting):
    """Numbers keep the 28 digits of Python's default context."""

    def distort(self, value: Any) -> Any:
        if not _is_number(value):
            return value
        rounded = Context(prec=28).create_decimal(value)
        return int(rounded) if rounded == rounded.to_integral_value() else rounded


@mutant("NUM-1", "NUM-3", "NUM-4")
class NumbersAsFloats(Distorting):
    """Numbers pass through a binary float and lose digits."""

    def distort(self, value: Any) -> Any:
        if not _is_number(value):
            return value
        number = float(value)
        return int(number) if number.is_integer() else Decimal(repr(number))


@mutant("NUM-7", "NUM-8")
class ZerosKept(Distorting):
    """Fractional numbers come back with a trailing zero, 1.10 for 1.1."""

    def distort(self, value: Any) -> Any:
        if not isinstance(value, Decimal):
            return value
        sign, digits, exponent = value.as_tuple()
        return Decimal((sign, (*digits, 0), int(exponent) - 1))


@mutant("NUM-8", "KEY-9")
class AllNumbersDecimal(Distorting):
    """Integers come back as Decimal."""

    def distort(self, value: Any) -> Any:
        return Decimal(value) if type(value) is int else value


@mutant("NUM-9", "KEY-9")
class BooleansAsIntegers(Distorting):
    """Booleans come back as 0 and 1, as a column without types gives them."""

    def distort(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else value


@mutant("STR-4", "NUL-1")
class EmptyStringIsNull(Distorting):
    """The empty string comes back as null."""

    def distort(self, value: Any) -> Any:
        return None if value == "" and isinstance(value, str) else value


@mutant("STR-2")
class StringsComposed(Distorting):
    """Strings are normalised to their composed form."""

    def distort(self, value: Any) -> Any:
        return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


@mutant("STR-5")
class TextEndsAtNul(Distorting):
    """A string ends at its first NUL character."""

    def distort(self, value: Any) -> Any:
        return value.partition("\0")[0] if isinstance(value, str) else value


@mutant("COL-6", "COL-8", "KEY-9")
class SetsAsLists(Distorting):
    """Sets come back as lists."""

    def distort(self, value: Any) -> Any:
        return sorted(value) if isinstance(value, frozenset) else value


@mutant("NUL-1", "KEY-9")
class NullsLeftOut(Distorting):
    """Attributes that hold null are missing from what is read."""

    def distorted(self, item: Item) -> Item:
        return {name: self.walk(value) for name, value in item.items() if value is not None}


@mutant("COL-12", "PTH-2", "KEY-9")
class ReferencesRewritten(Distorting):
    """A map with $ref and $id is taken for a reference and loses its names."""

    def walk(self, value: Any) -> Any:
        return list(value.values()) if isinstance(value, dict) and "$ref" in value else super().walk(value)


class _SharingSession(MemorySession):
    def read(self, table: Table, key: op.ItemKey) -> Item | None:
        store = self.stores[table.name]
        return store.items.get(store.key(key))


@mutant("LYR-3")
class ItemsShared(MemoryBackend):
    """Items are handed out without copying: whoever changes one changes the store."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._session = _SharingSession(self.clock)

    def execute(self, operation: op.Operation) -> res.Result:
        # With the session of all tables, also for one item.
        return EmbeddedBackend.execute(self, operation)
