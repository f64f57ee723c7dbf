"""Values of ``_id`` in the server's own bytes, as documents ``{"_id": …}``.

Decoded and encoded again, some would change their type, and with it their place in the order: so bounds and cursors are
never decoded. Sizes of BSON values: https://bsonspec.org/spec.html.
"""

from __future__ import annotations

import base64
from typing import Final

from bson import encode
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from isthmus.slices import damaged

_NAME: Final = b"_id\0"
_FIRST: Final = 4 + 1 + len(_NAME)
# The number of bytes of a value that always takes as many.
_FIXED: Final = {
    0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0,
}  # fmt: skip
# What comes on top of the length that stands in front of a value.
_COUNTED: Final = {0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5, 0x0C: 16, 0x0D: 4, 0x0E: 4, 0x0F: 0}


def raw_id(document: bytes) -> bytes:
    """The ``_id`` of a document, which servers keep in front."""
    kind = document[4]
    if document[5:_FIRST] != _NAME or (kind not in _FIXED and kind not in _COUNTED):
        return encode({"_id": RawBSONDocument(document)["_id"]})
    size = _FIXED[kind] if kind in _FIXED else _number(document, _FIRST) + _COUNTED[kind]
    element = document[4 : _FIRST + size]
    return (len(element) + 5).to_bytes(4, "little") + element + b"\0"


def _number(document: bytes, place: int) -> int:
    return int.from_bytes(document[place : place + 4], "little")


def to_text(found: bytes | None) -> str | None:
    """An ``_id`` as text for units and cursors."""
    return None if found is None else base64.b64encode(found).decode("ascii")


def from_text(text: object) -> bytes | None:
    """The ``_id`` behind such a text.

    :raises InvalidCursor: it is none
    """
    if text is None:
        return None
    try:
        found = base64.b64decode(str(text), validate=True)
        if raw_id(found) == found:
            return found
    except (ValueError, BSONError, LookupError):
        pass
    raise damaged()
