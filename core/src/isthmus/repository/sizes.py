"""Sizes of sets in recorded conditions: an empty set is not stored, and has the size 0 all the same (rule REP-5)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from isthmus.expressions import Condition
from isthmus.expressions import Field as PathField
from isthmus.expressions.fields import SizeOf


class SetSize:
    """The size of a field that is left out where it is empty."""

    __slots__ = ("_field",)
    __hash__ = None  # type: ignore[assignment]  # it is only compared

    def __init__(self, field: PathField) -> None:
        self._field = field

    @property
    def stored(self) -> SizeOf:
        """The size of what is stored: none where nothing is."""
        return self._field.size()

    def _compared(self, compare: Callable[[Any, Any], Any], other: Any) -> Condition:
        condition: Condition = compare(self.stored, other.stored if isinstance(other, SetSize) else other)
        counts_empty = isinstance(other, (int, float, Decimal)) and compare(0, other)
        return condition | self._field.not_exists() if counts_empty else condition

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition, by design
        return self._compared(operator.eq, other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition, by design
        return ~(self == other)

    def __lt__(self, other: Any) -> Condition:
        return self._compared(operator.lt, other)

    def __le__(self, other: Any) -> Condition:
        return self._compared(operator.le, other)

    def __gt__(self, other: Any) -> Condition:
        return self._compared(operator.gt, other)

    def __ge__(self, other: Any) -> Condition:
        return self._compared(operator.ge, other)
