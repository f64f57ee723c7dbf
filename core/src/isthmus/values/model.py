"""The portable value model: which Python values an item may hold, what they are called, and how large they may be.

========== ===================== ==========================================================================
type name  Python type           notes
========== ===================== ==========================================================================
null       ``None``              not the same as a missing attribute
boolean    ``bool``              never equal to a number
number     ``int``, ``Decimal``  integral numbers are ``int``; a ``Decimal`` has a fraction, no trailing zero
string     ``str``               Unicode without lone surrogates, ordered by code point
binary     ``bytes``             ordered by unsigned byte
list       ``list``
map        ``dict``              names are strings; their order has no meaning
string_set ``frozenset``         of ``str``; never empty, members of one type
number_set ``frozenset``         of numbers
binary_set ``frozenset``         of ``bytes``
========== ===================== ==========================================================================
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from isthmus.errors import InvalidValue

# Containers hold Any: a recursive alias would force a cast at each step of every walk over an item.
Value: TypeAlias = bool | int | Decimal | str | bytes | list[Any] | dict[str, Any] | frozenset[Any] | None
Item: TypeAlias = dict[str, Value]

TYPE_NAMES: Final = (
    "null",
    "boolean",
    "number",
    "string",
    "binary",
    "list",
    "map",
    "string_set",
    "number_set",
    "binary_set",
)

_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    float: "number",
    str: "string",
    bytes: "binary",
    list: "list",
    dict: "map",
}
_SET_NAMES: Final[dict[str, str]] = {"string": "string_set", "number": "number_set", "binary": "binary_set"}
_ORDERABLE: Final = frozenset({"number", "string", "binary"})


@frozen
class ValueLimits:
    """How large a value may be.

    :param item_bytes: size of an item, counted by :func:`isthmus.values.item_size`
    :param depth: lists and maps inside one another within one attribute
    :param number_digits: significant decimal digits of a number
    :param name_bytes: UTF-8 bytes of an attribute's name
    """

    item_bytes: int = 409_600
    depth: int = 31
    number_digits: int = 38
    name_bytes: int = 65_535
    number_bound: int = field(init=False, repr=False, eq=False)
    """Each integer closer to zero than this has few enough digits."""

    @number_bound.default
    def _power_of_ten(self) -> int:
        return int(10**self.number_digits)


PORTABLE: Final = ValueLimits(number_digits=34)
"""What every backend can hold."""

WIDE: Final = ValueLimits(number_digits=38)
"""What backends with the capability ``wide_numbers`` can hold."""


def type_name(value: object) -> str:
    """The portable name of a value's type, one of :data:`TYPE_NAMES`.

    :raises InvalidValue: when the value is none of the portable types
    """
    name = _NAMES.get(type(value))
    if name is not None:
        return name
    if type(value) is frozenset and value:
        member = _NAMES.get(type(next(iter(value))), "")
        if member in _SET_NAMES:
            return _SET_NAMES[member]
    raise InvalidValue(f"A value of type {type(value).__name__} is not portable; normalise it first.")


def equal(left: Any, right: Any) -> bool:
    """Whether two portable values are equal: same type and same content.

    Numbers are equal by value, a boolean is never a number, and the order of a map or a set has no meaning.
    """
    kind = type(left)
    if kind is not type(right):
        return _equal_numbers(left, right)
    if kind is list:
        return len(left) == len(right) and all(map(equal, left, right))
    if kind is dict:
        return left.keys() == right.keys() and all(equal(value, right[name]) for name, value in left.items())
    return bool(left == right)


def _equal_numbers(left: Any, right: Any) -> bool:
    if _NAMES.get(type(left)) != "number" or _NAMES.get(type(right)) != "number":
        return False
    # A float means the decimal that it prints as, not the binary fraction behind it.
    return bool(_decimal_if_float(left) == _decimal_if_float(right))


def _decimal_if_float(number: Any) -> Any:
    return Decimal(float.__repr__(number)) if type(number) is float else number


def orderable(value: object) -> bool:
    """Whether ``<`` has a meaning for the value: only numbers, strings and binary values have an order."""
    return _NAMES.get(type(value)) in _ORDERABLE


def same_order_type(left: object, right: object) -> bool:
    """Whether two values can be ordered against each other: both orderable, both of one type."""
    name = _NAMES.get(type(left))
    return name in _ORDERABLE and name == _NAMES.get(type(right))
