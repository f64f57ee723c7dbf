"""Normalisation: any acceptable Python value becomes a deep copy in plain portable types, or is refused by name.

Exact types come first, because nearly every value is a plain ``str`` or ``int``; subclasses and look-alikes take the
slow road of ``_LOOKALIKES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from isthmus.errors import InvalidArgument, InvalidKey, InvalidValue, ItemTooLarge
from isthmus.values._refused import Refused, refuse, shown
from isthmus.values.model import WIDE, Item, Value, ValueLimits, type_name
from isthmus.values.names import name_problem
from isthmus.values.numbers import canonical_number
from isthmus.values.quick import SHORT_NUMBER, quick_item
from isthmus.values.sizes import item_size

_Converter = Callable[[Any, ValueLimits, int], Value]

# By class name, so that none of these modules has to be imported to recognise its classes.
_HINTS: Final[dict[str, str]] = {
    "datetime": "store UTC text of fixed width, or declare the field in a model",
    "date": "store its isoformat()",
    "time": "store its isoformat()",
    "timedelta": "store its total seconds as a number",
    "UUID": "store its text, str(value)",
    "complex": "store a list of two numbers",
    "Fraction": "store a Decimal, or a list of two numbers",
    "range": "store a list",
    "deque": "store a list",
    "Enum": "store its .value",
}


def normalise(value: Any, limits: ValueLimits = WIDE) -> Value:
    """A deep copy of one attribute's value in plain portable types.

    :raises InvalidValue: when it can't be portable; the message names the place and the reason, never the value
    """
    try:
        return _convert(value, limits, limits.depth)
    except Refused as refused:
        refuse(refused, "The value")


def normalise_item(item: Any, limits: ValueLimits = WIDE) -> Item:
    """A deep copy of a whole item in plain portable types, with its names and its size checked.

    :raises InvalidValue: when an attribute can't be portable; the message names the attribute and the reason
    :raises ItemTooLarge: when it has more than ``limits.item_bytes``
    """
    if not isinstance(item, Mapping):
        raise InvalidValue(f"An item must be a mapping of names to values, not a {type(item).__name__}.")
    if type(item) is dict and limits.number_digits >= SHORT_NUMBER and limits.name_bytes >= _SHORT_BYTES:
        quick = quick_item(item, _PLAIN_NAMES, limits.depth)
        if quick is not None and quick[1] <= limits.item_bytes:
            return quick[0]
    normal = normalise_attributes(item, limits, top_level=True)
    size = item_size(normal)
    if size > limits.item_bytes:
        raise ItemTooLarge(f"The item has {size} bytes, {limits.item_bytes} are allowed; store parts elsewhere.")
    return normal


def normalise_attributes(item: Mapping[Any, Any], limits: ValueLimits = WIDE, *, top_level: bool = False) -> Item:
    """:func:`normalise_item` without the check of the size.

    :param top_level: whether reserved names are refused
    :raises InvalidValue: when an attribute can't be portable; the message names the attribute and the reason
    """
    try:
        return _entries(item, limits, limits.depth, top_level=top_level)
    except Refused as refused:
        refuse(refused, "The item")


def _convert(value: Any, limits: ValueLimits, room: int) -> Value:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value, limits, room)
    if kind is int:
        bound = limits.number_bound
        return value if -bound < value < bound else canonical_number(value, limits.number_digits)
    if value is None or kind is bool:
        return value  # type: ignore[no-any-return]  # None or a boolean
    converter = _EXACT.get(kind) or _lookalike(value)
    return converter(value, limits, room)


def _text(value: Any, _limits: ValueLimits, _room: int) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused("is a string with a lone surrogate; decode it with errors='replace', or store bytes") from None
    return str.__str__(value)


def _number(value: Any, limits: ValueLimits, _room: int) -> int | Decimal:
    return canonical_number(value, limits.number_digits)


def _binary(value: Any, _limits: ValueLimits, _room: int) -> bytes:
    return value if type(value) is bytes else bytes(memoryview(value))


def _list(value: Any, limits: ValueLimits, room: int) -> list[Any]:
    if not room:
        raise _too_deep(limits)
    if _valid_texts(value):
        return list(value)
    result: list[Any] = []
    try:
        for element in value:
            result.append(_convert(element, limits, room - 1))  # noqa: PERF401  # its length is the step on failure
    except Refused as refused:
        refused.steps.append(len(result))
        raise
    return result


def _valid_texts(members: Any) -> bool:
    """Whether all members are plain strings that are certainly valid; lists and sets of text are common and long."""
    if set(map(type, members)) != _TEXT_ONLY:
        return False
    joined = "".join(members)
    return joined.isascii() or _encodes(joined)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _map(value: Any, limits: ValueLimits, room: int) -> dict[str, Any]:
    if not room:
        raise _too_deep(limits)
    return _entries(value, limits, room - 1)


def _entries(entries: Mapping[Any, Any], limits: ValueLimits, room: int, *, top_level: bool = False) -> dict[str, Any]:
    longest = limits.name_bytes
    known = _KNOWN_NAMES if longest >= _SHORT_BYTES else frozenset()
    result: dict[str, Any] = {}
    name = ""
    try:
        for given, value in entries.items():
            name = given
            if type(name) is not str or name not in known:
                name = _name(given, longest, top_level)
            # The commonest value is taken without a call.
            plain = type(value) is str and value.isascii()
            result[name] = value if plain else _convert(value, limits, room)
    except _RefusedName as refused:
        raise Refused(refused.reason) from None
    except Refused as refused:
        refused.steps.append(name)
        raise
    if len(result) != len(entries):
        raise Refused("holds two names that are equal as text; rename one")
    return result


# Names come again with each item, so short valid ones are remembered, up to a bound.
_KNOWN_NAMES: Final[set[str]] = set()
_PLAIN_NAMES: Final[set[str]] = set()
"""Those of them that are ASCII."""

_MOST_KNOWN: Final = 4_096
_SHORT_BYTES: Final = 60


class _RefusedName(Exception):
    """Kept apart from ``Refused``: the fault lies with the map, so the name is no step of the path."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _name(name: Any, limit: int, top_level: bool) -> str:
    problem = "is an enum member" if isinstance(name, Enum) else name_problem(name, limit, top_level=top_level)
    if problem is None:
        if len(_KNOWN_NAMES) < _MOST_KNOWN and len(name.encode()) <= _SHORT_BYTES and name[0] != "_":
            _KNOWN_NAMES.add(str.__str__(name))
            if name.isascii():
                _PLAIN_NAMES.add(str.__str__(name))
        return str.__str__(name)
    quoted = f" {shown(name)}" if isinstance(name, str) and name else ""
    raise _RefusedName(f"holds a name{quoted} that {problem}; rename it")


def _set(value: Any, limits: ValueLimits, _room: int) -> frozenset[Any]:
    if not value:
        raise Refused("is an empty set; leave the attribute out instead")
    if _valid_texts(value):
        return frozenset(value)
    members = frozenset([_member(member, limits) for member in value])
    if len(set(map(type_name, members))) > 1:
        raise Refused("is a set with members of several types; use a list")
    return members


def _member(member: Any, limits: ValueLimits) -> Value:
    if isinstance(member, (str, int, float, Decimal, bytes, memoryview)) and not isinstance(member, bool):
        return _convert(member, limits, 0)
    raise Refused(f"is a set with a member of type {type(member).__name__}; use a list, or strings, numbers or bytes")


def _too_deep(limits: ValueLimits) -> Refused:
    return Refused(f"is nested deeper than {limits.depth} lists and maps; flatten it")


_TEXT_ONLY: Final = {str}
_EXACT: Final[dict[type, _Converter]] = {
    Decimal: _number,
    float: _number,
    bytes: _binary,
    list: _list,
    tuple: _list,
    dict: _map,
    set: _set,
    frozenset: _set,
}
_LOOKALIKES: Final[tuple[tuple[Any, _Converter], ...]] = (
    (str, _text),
    ((int, float, Decimal), _number),
    ((bytes, bytearray, memoryview), _binary),
    ((list, tuple), _list),
    ((set, frozenset), _set),
    (Mapping, _map),
)


def _lookalike(value: Any) -> _Converter:
    if not isinstance(value, Enum):
        for types, converter in _LOOKALIKES:
            if isinstance(value, types):
                return converter
    raise Refused(f"is a {type(value).__name__}, which is not a portable type; {_hint(value)}")


def _hint(value: Any) -> str:
    for kind in type(value).__mro__:
        if kind.__name__ in _HINTS:
            return _HINTS[kind.__name__]
    if hasattr(type(value), "__dataclass_fields__"):
        return "store dataclasses.asdict(value)"
    if hasattr(type(value), "__attrs_attrs__"):
        return "store attrs.asdict(value)"
    return "store null, a boolean, number, string, bytes, list, map or set"


def normalise_key_value(
    value: Any, key_type: str, limit_bytes: int, digits: int = WIDE.number_digits
) -> str | bytes | int | Decimal:
    """The canonical form of one key attribute's value.

    :param key_type: the declared type: ``"string"``, ``"number"`` or ``"binary"``
    :param limit_bytes: allowed bytes (UTF-8 for strings)
    :param digits: allowed significant digits of a number
    :raises InvalidKey: when it has another type, is empty or too long; the message never shows the value
    :raises InvalidArgument: when ``key_type`` is not the type of a key
    """
    if type(value) is str and key_type == "string" and 0 < len(value) <= limit_bytes and value.isascii():
        return str(value)
    if key_type not in _KEY_TYPES:
        raise InvalidArgument(f"Keys are of type string, number or binary, not {key_type!r}.")
    if isinstance(value, (bool, Enum)) or not isinstance(value, _KEY_TYPES[key_type]):
        raise InvalidKey(f"A key attribute of type {key_type} was given a {type(value).__name__}; convert it.")
    return _key_value(value, limit_bytes, digits)


_KEY_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, Decimal, float),
    "binary": (bytes, bytearray, memoryview),
}


def _key_value(value: Any, limit_bytes: int, digits: int) -> str | bytes | int | Decimal:
    try:
        if isinstance(value, (int, Decimal, float)):
            return canonical_number(value, digits)
        normal = _text(value, WIDE, 0) if isinstance(value, str) else _binary(value, WIDE, 0)
    except Refused as refused:
        raise InvalidKey(f"A key attribute {refused.reason}.") from None
    _check_key_size(len(normal.encode() if isinstance(normal, str) else normal), limit_bytes)
    return normal


def _check_key_size(size: int, limit_bytes: int) -> None:
    if not size:
        raise InvalidKey("A key attribute is empty; keys need at least one byte.")
    if size > limit_bytes:
        raise InvalidKey(f"A key attribute has {size} bytes, {limit_bytes} are allowed; shorten it or store a digest.")
