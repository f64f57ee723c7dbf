"""What Parquet has room for: one type for each column, and what an attribute loses by that.

Parquet knows no missing values but null, no sets, and decimals of one scale in a column. Attributes that fit are kept
exactly; for every other one it is said what is lost, and nothing is, unless that was allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal

from attrs import define, field, frozen

from isthmus.values import Item, dumps, type_name

Kind = Literal["string", "boolean", "binary", "integer", "decimal", "double", "strings", "json"]

_HIGH: Final = 1 << 63
_DIGITS: Final = 38
_SIMPLE: Final[dict[str, Kind]] = {"string": "string", "boolean": "boolean", "binary": "binary"}


@define
class ColumnFacts:
    """What was seen of one attribute.

    :param whole: most digits before the point
    :param scale: most digits behind it
    """

    seen: int = 0
    nulls: int = 0
    kinds: set[str] = field(factory=set)
    text_only: bool = True
    whole: int = 0
    scale: int = 0
    small: bool = True

    def see(self, value: Any) -> None:
        """Take a value."""
        self.seen += 1
        if value is None:
            self.nulls += 1
            return
        kind = type_name(value)
        self.kinds.add(kind)
        if kind == "number":
            self._see_number(value)
        elif kind == "list":
            self.text_only = self.text_only and all(type(member) is str for member in value)

    def _see_number(self, value: Any) -> None:
        if type(value) is int:
            self.small = self.small and -_HIGH <= value < _HIGH
            self.whole = max(self.whole, len(str(abs(value))))
        else:
            self.small = False
            _sign, digits, exponent = value.as_tuple()
            self.scale = max(self.scale, -exponent)
            self.whole = max(self.whole, len(digits) + exponent)


@frozen
class Column:
    """One column.

    :param losses: what the attribute loses, a phrase for each
    """

    name: str
    kind: Kind
    precision: int = 0
    scale: int = 0
    losses: tuple[str, ...] = ()


def column_of(name: str, facts: ColumnFacts, items: int) -> Column:
    """The column of an attribute.

    :param items: how many items there are, those included that lack the attribute
    """
    losses = ["null and missing become one"] if facts.nulls and facts.seen < items else []
    kinds = facts.kinds or {"string"}
    kind: Kind = "json"
    if len(kinds) > 1:
        losses.append("values of several types become JSON text")
    else:
        (only,) = kinds
        kind, loss = _single(only, facts)
        losses += [loss] if loss else []
    precision = max(facts.whole + facts.scale, 1)
    return Column(name, kind, precision, facts.scale, tuple(losses))


def _single(kind: str, facts: ColumnFacts) -> tuple[Kind, str]:
    if kind in _SIMPLE:
        return _SIMPLE[kind], ""
    if kind == "number":
        if facts.small:
            return "integer", ""
        exact = facts.whole + facts.scale <= _DIGITS
        return ("decimal", "") if exact else ("double", "numbers are rounded to doubles")
    if kind == "list" and facts.text_only:
        return "strings", ""
    if kind == "string_set":
        return "strings", "sets become lists"
    return "json", f"{kind.replace('_', ' ')}s become JSON text"


def converter_of(column: Column) -> Callable[[Any], Any]:
    """What makes a column's value of an attribute's; nulls are handled before."""
    return _CONVERTERS.get(column.kind, _same)


def _same(value: Any) -> Any:
    return value


def _strings(value: Any) -> list[str]:
    return value if type(value) is list else sorted(value)


_CONVERTERS: Final[dict[Kind, Callable[[Any], Any]]] = {
    "decimal": Decimal, "double": float, "strings": _strings, "json": dumps,
}  # fmt: skip


def values_of(column: Column, items: list[Item]) -> list[Any]:
    """A column's values, ``None`` for missing ones."""
    convert, name = converter_of(column), column.name
    return [None if (value := item.get(name)) is None else convert(value) for item in items]
