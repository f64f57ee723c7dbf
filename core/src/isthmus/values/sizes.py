"""The size of values and items in bytes, by DynamoDB's formula (rule SIZ-3), which every backend applies.

========== ============================================================================================
type       bytes
========== ============================================================================================
string     its UTF-8 bytes
binary     its bytes
null, boolean  1
number     1 + one for each pair of digits (aligned at the point, without outer zero pairs) + 1 if negative,
           at most 21; zero is 1
list       3 + the sum of 1 + size of each element
map        3 + the sum of 1 + bytes of the name + size of each entry
set        the sum of its members
item       the sum of bytes of the name + size of each attribute
========== ============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from isthmus.values.model import type_name

_NUMBER_MOST = 21
_TEXT_ONLY = {str}


def item_size(item: Mapping[str, Any]) -> int:
    """The size of a normal item in bytes."""
    size = 0
    for name, value in item.items():
        size += len(name) if name.isascii() else len(name.encode())
        size += len(value) if type(value) is str and value.isascii() else value_size(value)
    return size


def value_size(value: Any) -> int:
    """The size of a normal value in bytes.

    :raises InvalidValue: when the value is not of a portable type
    """
    kind = type(value)
    if kind is str:
        return len(value) if value.isascii() else len(value.encode())
    if kind is int:
        return _small_size(value) if -10_000 < value < 10_000 else _integer_size(value)
    if kind is dict:
        return 3 + len(value) + item_size(value)
    if kind is list:
        return 3 + len(value) + _members_size(value)
    return _rare_size(value)


def _rare_size(value: Any) -> int:
    if value is None or value is True or value is False:
        return 1
    if type(value) is Decimal:
        return _decimal_size(value)
    if type(value) is bytes:
        return len(value)
    type_name(value)  # raises for anything but a set
    return _members_size(value)


def _members_size(members: Any) -> int:
    if set(map(type, members)) == _TEXT_ONLY:
        joined = "".join(members)
        return len(joined) if joined.isascii() else len(joined.encode())
    return sum(map(value_size, members))


def _small_size(number: int) -> int:
    if not number:
        return 1
    pairs = 1 if -100 < number < 100 or not number % 100 else 2
    return 1 + pairs + (number < 0)


def _integer_size(number: int) -> int:
    text = str(number).lstrip("-")
    zeros = len(text) - len(text.rstrip("0"))
    pairs = (len(text) + 1) // 2 - zeros // 2
    return min(_NUMBER_MOST, 1 + pairs + (number < 0))


def _decimal_size(number: Decimal) -> int:
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # only infinities and NaN have letters here
    # Digits before the point; negative when zeros follow the point, whose pairs then don't count.
    whole = len(digits) + exponent
    pairs = (whole + 1) // 2 + (1 - exponent) // 2
    return min(_NUMBER_MOST, 1 + pairs + (number < 0))
