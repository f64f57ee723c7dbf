"""Ordered bytes: key values as bytes whose unsigned order is the order of the values.

Each encoding ends itself, so that encodings can be joined and the whole still sorts part by part.

========== ==== ============================================================================================
type       tag  content after the tag
========== ==== ============================================================================================
number < 0 0x10 exponent and digits as below, each byte subtracted from 255, then 0xFF
zero       0x11 nothing
number > 0 0x12 exponent + 80 of base 100 (``0.d1d2... * 100^exponent``), each digit pair + 1, then 0x00
string     0x20 UTF-8 with 0x00 written as 0x00 0xFF, then 0x00 0x01
binary     0x30 the bytes, written as a string's
========== ==== ============================================================================================
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeVar

from isthmus.errors import InvalidStoredValue, InvalidValue
from isthmus.values._refused import Refused
from isthmus.values.model import WIDE
from isthmus.values.numbers import canonical_number

KeyValue = str | bytes | int | Decimal
_Text = TypeVar("_Text", str, bytes)

_NEGATIVE, _ZERO, _POSITIVE, _STRING, _BINARY = 0x10, 0x11, 0x12, 0x20, 0x30
# Large enough that no exponent becomes the byte 0x00, which ends the digits.
_BIAS: Final = 80
# Digit pairs are packed two to a byte by bytes.fromhex, so the pair 42 is the byte 0x42; these tables shift them.
_UP: Final = bytes(min(byte + 1, 255) for byte in range(256))
_DOWN: Final = bytes(max(byte - 1, 0) for byte in range(256))
_FLIP: Final = bytes(255 - byte for byte in range(256))
_LAST_BEFORE_SURROGATES: Final = "\ud7ff"


def ordered_bytes(value: Any) -> bytes:
    """The order-preserving, self-delimiting encoding of a key value.

    :raises InvalidValue: when it is neither a string, nor a number, nor bytes
    """
    kind = type(value)
    if kind is str:
        data: bytes = value.encode()
        return b"\x20" + (data.replace(b"\0", b"\0\xff") if b"\0" in data else data) + b"\0\x01"
    if kind is bytes:
        return b"".join((b"\x30", value.replace(b"\0", b"\0\xff"), b"\0\x01"))
    if kind is int:
        return _number(value < 0, str(abs(value)), 0)
    return _other_number(value)


def _other_number(value: Any) -> bytes:
    try:
        number = canonical_number(value, WIDE.number_digits)
    except Refused as refused:
        raise InvalidValue(f"The key value {refused.reason}.") from None
    if isinstance(number, int):
        return ordered_bytes(number)
    sign, digits, exponent = number.as_tuple()
    return _number(bool(sign), "".join(map(str, digits)), int(exponent))


def _number(negative: bool, digits: str, exponent: int) -> bytes:
    if digits == "0":
        return b"\x11"
    if exponent % 2:
        digits, exponent = digits + "0", exponent - 1
    if len(digits) % 2:
        digits = "0" + digits
    pairs = bytes.fromhex(digits)
    body = bytes((len(pairs) + exponent // 2 + _BIAS,)) + pairs.rstrip(b"\0").translate(_UP) + b"\0"
    return b"\x10" + body.translate(_FLIP) if negative else b"\x12" + body


def from_ordered_bytes(data: bytes) -> tuple[KeyValue, ...]:
    """The values whose encodings, joined, are ``data``.

    :raises InvalidStoredValue: when ``data`` is anything else
    """
    values: list[KeyValue] = []
    try:
        rest = data
        while rest:
            value, rest = _first(rest)
            values.append(value)
        # Whatever is not the one encoding of these values shows as a difference here.
        if b"".join(map(ordered_bytes, values)) == data:
            return tuple(values)
    except (Refused, InvalidValue, ValueError):
        pass
    raise InvalidStoredValue("The bytes are not ordered key values; they were damaged or written by something else.")


def _first(data: bytes) -> tuple[KeyValue, bytes]:
    tag, rest = data[0], data[1:]
    if tag in (_STRING, _BINARY):
        body, _, rest = _split(rest, b"\0\x01")
        body = body.replace(b"\0\xff", b"\0")
        return (body.decode() if tag == _STRING else body), rest
    if tag == _ZERO:
        return 0, rest
    if tag not in (_NEGATIVE, _POSITIVE):
        raise Refused("has an unknown tag")
    body, _, rest = _split(rest, b"\xff" if tag == _NEGATIVE else b"\0")
    return _decode_number(body.translate(_FLIP) if tag == _NEGATIVE else body, tag == _NEGATIVE), rest


def _split(data: bytes, end: bytes) -> tuple[bytes, bytes, bytes]:
    parts = data.partition(end)
    if not parts[1]:
        raise Refused("ends early")
    return parts


def _decode_number(body: bytes, negative: bool) -> int | Decimal:
    pairs = body[1:].translate(_DOWN)
    if not pairs or len(pairs) > 20:
        raise Refused("has a malformed number")
    exponent = 2 * (body[0] - _BIAS - len(pairs))
    number = Decimal(("-" if negative else "") + f"{_digits(pairs.hex())}E{exponent}")
    return canonical_number(number, WIDE.number_digits)


def _digits(text: str) -> str:
    if not text.isdigit():
        raise Refused("has a malformed number")
    return text


def successor_prefix(prefix: _Text) -> _Text | None:
    """The smallest value greater than every value that starts with ``prefix``; ``None`` when there is no such value."""
    if isinstance(prefix, bytes):
        head = prefix.rstrip(b"\xff")
        return head[:-1] + bytes((head[-1] + 1,)) if head else None
    text = prefix.rstrip("\U0010ffff")
    if not text:
        return None
    # Surrogates are no characters, so the code point after U+D7FF is U+E000.
    following = "\ue000" if text[-1] == _LAST_BEFORE_SURROGATES else chr(ord(text[-1]) + 1)
    return text[:-1] + following
