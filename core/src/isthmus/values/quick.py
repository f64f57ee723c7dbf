"""The quick way through an ordinary item: copied and measured in one walk, or given up without a reason.

Ordinary is what nearly all items are made of: exact types, numbers of few digits, names that were seen before. Whatever
else there is goes the careful way of ``normal.py``, which alone decides and explains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, Final

from isthmus.values._refused import Refused
from isthmus.values.numbers import canonical_number
from isthmus.values.sizes import value_size

SHORT_NUMBER: Final = 20
"""So many digits a number may have here."""

_TEXT_ONLY: Final = {str}
_OF_ONE_BYTE: Final = frozenset({bool, type(None)})

Measured = tuple[Any, int]


class Unusual(Exception):
    """Something that only the careful way judges."""


def quick_item(item: dict[Any, Any], names: Collection[str], depth: int) -> tuple[dict[str, Any], int] | None:
    """A copy of an item with normal values, and its size; ``None`` where the careful way has to look at it.

    :param names: those that are known to be allowed anywhere, ASCII all of them
    :param depth: lists and maps that may be inside one another
    """
    try:
        return _entries(item, names, depth)
    except (Unusual, KeyError, Refused, UnicodeEncodeError):
        return None


def _entries(entries: dict[Any, Any], names: Collection[str], room: int) -> tuple[dict[str, Any], int]:
    result = entries.copy()
    size = 0
    for name, value in result.items():
        if type(name) is not str or name not in names:
            raise Unusual
        size += len(name)
        kind = type(value)
        # What is most common, and needs no copy, is taken without a call.
        if kind is str:
            size += len(value) if value.isascii() else len(value.encode())
        elif kind in _OF_ONE_BYTE:
            size += 1
        else:
            result[name], inner = _MEASURED[kind](value, names, room)
            size += inner
    return result, size


def _text(text: str, _names: Collection[str], _room: int) -> Measured:
    return text, len(text.encode())


def _one_byte(value: bool | None, _names: Collection[str], _room: int) -> Measured:
    return value, 1


def _binary(data: bytes, _names: Collection[str], _room: int) -> Measured:
    return data, len(data)


def _set(members: Collection[str], _names: Collection[str], _room: int) -> Measured:
    return frozenset(members), _text_bytes(members)


def _map(entries: dict[Any, Any], names: Collection[str], room: int) -> Measured:
    if not room:
        raise Unusual
    result, size = _entries(entries, names, room - 1)
    return result, 3 + len(result) + size


def _list(members: list[Any], names: Collection[str], room: int) -> Measured:
    if not room:
        raise Unusual
    if set(map(type, members)) == _TEXT_ONLY:
        return members.copy(), 3 + len(members) + _text_bytes(members)
    result, total = [], 3 + len(members)
    for member in members:
        normal, size = _MEASURED[type(member)](member, names, room - 1)
        result.append(normal)
        total += size
    return result, total


def _text_bytes(members: Collection[Any]) -> int:
    if set(map(type, members)) != _TEXT_ONLY:
        raise Unusual
    return len("".join(members).encode())


def _integer(number: int, _names: Collection[str], _room: int) -> Measured:
    if not -10_000 < number < 10_000:
        return _number(number, _names, _room)
    if not number:
        return number, 1
    return number, (2 if -100 < number < 100 or not number % 100 else 3) + (number < 0)


def _decimal(number: Decimal, names: Collection[str], room: int) -> Measured:
    """Short plain fractions of at least one; without a zero at its end a fraction is in normal form."""
    text = str(number)
    whole, _, fraction = text.partition(".")
    if len(text) > SHORT_NUMBER or not fraction.isdigit() or fraction[-1] == "0" or whole[0] in "-0":
        return _number(number, names, room)
    return number, 1 + (len(whole) + 1) // 2 + (len(fraction) + 1) // 2


def _number(number: float | Decimal, _names: Collection[str], _room: int) -> Measured:
    normal = canonical_number(number, SHORT_NUMBER)
    return normal, value_size(normal)


_MEASURED: Final[dict[type, Callable[[Any, Collection[str], int], Measured]]] = {
    str: _text, bool: _one_byte, type(None): _one_byte, bytes: _binary, int: _integer, Decimal: _decimal,
    float: _number, dict: _map, list: _list, set: _set, frozenset: _set,
}  # fmt: skip
