"""Sets of buckets as short text, for units of a verification."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable

from isthmus_migration.digests import BUCKETS


def pack_buckets(buckets: Iterable[int]) -> str:
    """The text for a set of buckets; a few characters for few buckets, 11,000 at most."""
    bits = bytearray(BUCKETS // 8)
    for bucket in buckets:
        bits[bucket >> 3] |= 1 << (bucket & 7)
    return b64encode(zlib.compress(bytes(bits), 9)).decode()


def unpack_buckets(text: str) -> frozenset[int]:
    """The set whose text this is."""
    bits = zlib.decompress(b64decode(text))
    return frozenset(
        (place << 3) + bit for place, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1
    )  # fmt: skip
