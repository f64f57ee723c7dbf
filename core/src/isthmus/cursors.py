"""Cursors: a position in a query or scan as opaque text, bound to it and checked before use (rule QRY-13).

Format, version 1, base64url without padding::

    1 byte version | 16 bytes digest of backend and query | canonical bytes of the position | 8 bytes checksum

Digest and checksum are the beginnings of SHA-256 values. The checksum finds damage, it does not authenticate: what a
forged position could reach is limited by checking it against the query itself.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from isthmus.capabilities import Limits
from isthmus.errors import InvalidCursor, IsthmusError
from isthmus.expressions import to_portable
from isthmus.operations import Paged, Query, Scan
from isthmus.pages import position_names, used_index
from isthmus.ranges import within
from isthmus.values import Item, Value, canonical_bytes, from_canonical_bytes, normalise_key_value

_VERSION = b"\x01"
_QUERY_BYTES = 16
_CHECK_BYTES = 8
_SHORTEST = len(_VERSION) + _QUERY_BYTES + _CHECK_BYTES
_LONGEST = 16_384


def encode_cursor(operation: Paged, position: Item, backend: str) -> str:
    """The cursor for the page after ``position``, for the backend of that name: each has an order of its own."""
    body = _VERSION + _query_digest(operation, backend) + canonical_bytes(position)
    return urlsafe_b64encode(body + _checksum(body)).rstrip(b"=").decode("ascii")


def decode_cursor(operation: Paged, cursor: str, limits: Limits, backend: str) -> Item:
    """The position that a cursor holds.

    :raises InvalidCursor: it is damaged, of another version, or belongs to another query or backend
    """
    data = _decoded(cursor)
    body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if check != _checksum(body):
        raise InvalidCursor("the cursor is damaged: begin again without a cursor")
    if body[:1] != _VERSION:
        raise InvalidCursor("the cursor comes from another version of Isthmus: begin again without a cursor")
    if body[1 : 1 + _QUERY_BYTES] != _query_digest(operation, backend):
        raise InvalidCursor("the cursor belongs to another query or backend: use it with the query that gave it")
    return _checked_position(operation, body[1 + _QUERY_BYTES :], limits)


def _decoded(cursor: object) -> bytes:
    if not isinstance(cursor, str) or not cursor.isascii() or len(cursor) > _LONGEST:
        raise InvalidCursor("a cursor is the text that an earlier page gave: begin again without a cursor")
    text = cursor.encode("ascii")
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        data = b""
    # Decoders skip foreign characters and unused bits; only the one spelling that was given out is accepted.
    if len(data) < _SHORTEST or urlsafe_b64encode(data).rstrip(b"=") != text:
        raise InvalidCursor("the cursor is damaged: begin again without a cursor")
    return data


def _checked_position(operation: Paged, data: bytes, limits: Limits) -> Item:
    try:
        position = from_canonical_bytes(data)
        if not isinstance(position, dict):
            raise InvalidCursor("")
        return _position(operation, position, limits)
    except IsthmusError:
        raise InvalidCursor("the cursor holds no position of this query: begin again without a cursor") from None


def _position(operation: Paged, position: Item, limits: Limits) -> Item:
    """The position, when it could have come from this query."""
    table, index = operation.table, used_index(operation)
    if set(position) != set(position_names(table, index)):
        raise InvalidCursor("")
    sizes = (limits.partition_key_bytes, limits.sort_key_bytes)
    for keys in (table.keys, index.keys if index else ()):
        for key, size in zip(keys, sizes, strict=False):
            normalise_key_value(position[key.name], key.type, size, limits.number_digits)
    if isinstance(operation, Query):
        keys = table.keys if index is None else index.keys
        if position[keys[0].name] != operation.partition:
            raise InvalidCursor("")
        if len(keys) > 1 and not within(operation.range, position[keys[1].name]):
            raise InvalidCursor("")
    return position


def _query_digest(operation: Paged, backend: str) -> bytes:
    return sha256(canonical_bytes([backend, *_identity(operation)])).digest()[:_QUERY_BYTES]


def _identity(operation: Paged) -> list[Value]:
    """What makes two queries the same: everything but page size, projection and consistency."""
    condition = None if operation.condition is None else to_portable(operation.condition)
    parts: list[Value] = [operation.kind, operation.table.name, condition]
    if isinstance(operation, Query):
        parts += [operation.index, operation.partition, operation.forward, _range_identity(operation)]
    if isinstance(operation, Scan):
        parts += [operation.segment, operation.segments]
    return parts


def _range_identity(query: Query) -> Value:
    reach = query.range
    if reach is None:
        return None
    return [reach.low, reach.high, reach.low_inclusive, reach.high_inclusive, reach.prefix]


def _checksum(body: bytes) -> bytes:
    return sha256(body).digest()[:_CHECK_BYTES]
