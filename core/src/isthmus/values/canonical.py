"""Canonical bytes: one deterministic, injective encoding of a value, for digests, cursors, tokens and encryption.

Format version 1. The encoding of a value is the byte ``0x01`` (the version) followed by its node; equal values have
equal bytes, different values different bytes. Lengths and counts are unsigned, 32 bits, big-endian.

========== ==== =====================================================================================
node       tag  content after the tag
========== ==== =====================================================================================
null       N    nothing
boolean    F T  nothing
number     D    length, plain ASCII text of the canonical number (``-1.5``, ``1000``)
string     S    length, UTF-8
binary     B    length, bytes
list       L    count, nodes in order
map        M    count, then name length, name in UTF-8 and node, in the order of the names' UTF-8 bytes
string_set s    count, member nodes in the order of their bytes
number_set n    as string_set
binary_set b    as string_set
========== ==== =====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.values._refused import Refused
from isthmus.values.model import WIDE, Value, type_name
from isthmus.values.names import name_problem
from isthmus.values.numbers import canonical_number, number_text

VERSION: Final = b"\x01"
MAX_DEPTH: Final = 64
"""Containers inside one another; more than an item may have, since operations wrap items in lists and maps."""

_SET_TAGS: Final = {"string_set": b"s", "number_set": b"n", "binary_set": b"b"}
_MEMBER_TAGS: Final = {b"s": b"S", b"n": b"D", b"b": b"B"}
_NUMBER: Final = re.compile(rb"-?[0-9]{1,126}(?:\.[0-9]{1,170})?")


def canonical_bytes(value: Any) -> bytes:
    """The canonical encoding of a normal value or item.

    :raises InvalidValue: when it holds something that is not portable, or more than 64 containers inside one another
    """
    parts = [VERSION]
    try:
        _encode(value, parts, MAX_DEPTH)
    except Refused as refused:
        raise InvalidValue(f"The value {refused.reason}.") from None
    return b"".join(parts)


def item_digest(item: Mapping[str, Any]) -> bytes:
    """SHA-256 of the item's canonical bytes: equal for equal items, whatever the order of maps and sets."""
    return sha256(canonical_bytes(item)).digest()


def _encode(value: Any, parts: list[bytes], room: int) -> None:
    kind = type(value)
    if kind is str:
        data = value.encode()
        parts.append(b"S" + len(data).to_bytes(4, "big") + data)
    elif kind is int:
        data = str(value).encode()
        parts.append(b"D" + len(data).to_bytes(4, "big") + data)
    elif kind is dict:
        _encode_map(value, parts, room)
    elif kind is list:
        _encode_list(value, parts, room)
    else:
        _encode_rare(value, parts)


def _encode_rare(value: Any, parts: list[bytes]) -> None:
    if value is None:
        parts.append(b"N")
    elif value is True or value is False:
        parts.append(b"T" if value else b"F")
    elif isinstance(value, (Decimal, float)):
        data = number_text(canonical_number(value, WIDE.number_digits)).encode()
        parts.append(b"D" + len(data).to_bytes(4, "big") + data)
    elif type(value) is bytes:
        parts.append(b"B" + len(value).to_bytes(4, "big") + value)
    else:
        _encode_set(value, parts)


def _encode_list(values: list[Any], parts: list[bytes], room: int) -> None:
    _check_room(room)
    parts.append(b"L" + len(values).to_bytes(4, "big"))
    for value in values:
        _encode(value, parts, room - 1)


def _encode_map(entries: dict[str, Any], parts: list[bytes], room: int) -> None:
    _check_room(room)
    parts.append(b"M" + len(entries).to_bytes(4, "big"))
    # The order of code points, which str has, is the order of UTF-8 bytes.
    for name in sorted(entries):
        data = name.encode()
        parts.append(len(data).to_bytes(4, "big") + data)
        _encode(entries[name], parts, room - 1)


def _encode_set(members: Any, parts: list[bytes]) -> None:
    tag = _SET_TAGS[type_name(members)]
    parts.append(tag + len(members).to_bytes(4, "big"))
    nodes: list[bytes] = []
    for member in members:
        _encode(member, nodes, 0)
    parts.extend(sorted(nodes))


def _check_room(room: int) -> None:
    if not room:
        raise Refused(f"is nested deeper than {MAX_DEPTH} lists and maps")


def from_canonical_bytes(data: bytes) -> Value:
    """The value whose canonical encoding is ``data``.

    :raises InvalidStoredValue: when ``data`` is anything but the exact canonical encoding of a normal value
    """
    try:
        value = _Reader(bytes(data)).whole()
        # Whatever the reader lets pass (order, duplicates, odd number texts) shows as a difference here.
        if canonical_bytes(value) == data:
            return value
    except (Refused, UnicodeDecodeError, InvalidValue):
        pass
    raise InvalidStoredValue("The bytes are not a canonical value; they were damaged or written by something else.")


class _Reader:
    """Reads nodes front to back; never trusts a length before comparing it with what is left."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def whole(self) -> Value:
        if self.take(1) != VERSION:
            raise Refused("has another format version")
        value = self.node(MAX_DEPTH)
        if self.position != len(self.data):
            raise Refused("has trailing bytes")
        return value

    def take(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise Refused("ends early")
        return self.data[start : self.position]

    def count(self, least: int) -> int:
        """A count of parts that take at least ``least`` bytes each."""
        count = int.from_bytes(self.take(4), "big")
        if count * least > len(self.data) - self.position:
            raise Refused("ends early")
        return count

    def chunk(self) -> bytes:
        return self.take(self.count(1))

    def node(self, room: int) -> Value:
        tag = self.take(1)
        if tag == b"S":
            return self.chunk().decode()
        if tag == b"D":
            return self.number()
        if tag in (b"L", b"M"):
            _check_room(room)
            return self.map(room) if tag == b"M" else [self.node(room - 1) for _ in range(self.count(1))]
        return self.rare(tag)

    def rare(self, tag: bytes) -> Value:
        if tag == b"B":
            return self.chunk()
        if tag in _MEMBER_TAGS:
            return self.members(_MEMBER_TAGS[tag])
        if tag not in (b"N", b"F", b"T"):
            raise Refused("has an unknown tag")
        return None if tag == b"N" else tag == b"T"

    def number(self) -> int | Decimal:
        text = self.chunk()
        if not _NUMBER.fullmatch(text):
            raise Refused("has a malformed number")
        return canonical_number(Decimal(text.decode()), WIDE.number_digits)

    def map(self, room: int) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for _ in range(self.count(5)):
            name = self.chunk().decode()
            if name_problem(name):
                raise Refused("has a name that is not portable")
            entries[name] = self.node(room - 1)
        return entries

    def members(self, tag: bytes) -> frozenset[Any]:
        count = self.count(5)
        if not count:
            raise Refused("has an empty set")
        return frozenset([self.member(tag) for _ in range(count)])

    def member(self, tag: bytes) -> Value:
        if self.data[self.position : self.position + 1] != tag:
            raise Refused("has a set with members of another type")
        return self.node(0)
