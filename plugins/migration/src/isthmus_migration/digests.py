"""Digests of tables that do not depend on the order of items: sums of hashes in buckets, chosen by the key's hash.

An item's digest is the first 128 bits of the SHA-256 of its canonical text. The digests of a table are summed modulo
2**128 in 65,536 buckets; a bucket also counts its items. Sums can be added in any order, from any worker, so a table's
digest grows slice by slice. Two tables that differ in one item differ in one bucket, and only the items of that bucket
have to be looked at again. A sum is used, and not an exclusive or, because two equal items would cancel each other out.

The canonical text is JSON with sorted names, in which a number is its canonical literal and never a double, and what
JSON does not know stands in brackets that JSON does not have: ``<s[…]>``, ``<n[…]>`` and ``<b[…]>`` for sets with
sorted members, ``<x"…">`` for binary values in base64. So two different items never have the same text, and it never
depends on the order of maps and sets, nor on the machine.
"""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

import orjson
from attrs import define, field, frozen

from isthmus.errors import InvalidValue
from isthmus.values import Item

BUCKETS: Final = 65_536
_RANGE: Final = 1 << 128
_MASK: Final = BUCKETS - 1
_SORTED: Final = orjson.OPT_SORT_KEYS
_ENTRY: Final = struct.Struct(">HI16s")
_VERSION: Final = b"\x01"
_LOW: Final = -(1 << 63)
_HIGH: Final = 1 << 64


def canonical_text(value: Any) -> bytes:
    """The canonical text of a normal value or item.

    :raises InvalidValue: it holds something that is not portable
    """
    try:
        return orjson.dumps(value, _other, _SORTED)
    except (TypeError, orjson.JSONEncodeError):
        pass
    try:
        # Integers of more than 64 bits are the one portable value that the encoder refuses without asking.
        return orjson.dumps(_without_wide(value), _other, _SORTED)
    except (TypeError, orjson.JSONEncodeError):
        raise InvalidValue("a value that is not portable can't be digested: normalise it first") from None


def _other(value: Any) -> orjson.Fragment:
    kind = type(value)
    if kind is Decimal:
        return orjson.Fragment(_number(value))
    if kind is frozenset:
        return orjson.Fragment(_set(value))
    if kind is bytes:
        return orjson.Fragment(b'<x"' + b2a_base64(value, newline=False) + b'">')
    raise TypeError


def _number(value: Decimal) -> bytes:
    return format(value, "f").encode()


def _set(members: frozenset[Any]) -> bytes:
    kind = type(next(iter(members)))
    if kind is str:
        return b"<s" + orjson.dumps(sorted(members)) + b">"
    if kind is bytes:
        return b"<b[" + b",".join(sorted(b2a_base64(member, newline=False) for member in members)) + b"]>"
    return b"<n[" + b",".join(sorted(str(member).encode() if type(member) is int else _number(member)
                                      for member in members)) + b"]>"  # fmt: skip


def _without_wide(value: Any) -> Any:
    if type(value) is int and not _LOW <= value < _HIGH:
        return orjson.Fragment(str(value).encode())
    if type(value) is dict:
        return {name: _without_wide(member) for name, member in value.items()}
    return [_without_wide(member) for member in value] if type(value) is list else value


def item_digest(item: Item) -> int:
    """The 128-bit digest of a normal item."""
    return int.from_bytes(sha256(canonical_text(item)).digest()[:16])


def bucket_of(key: Iterable[Any]) -> int:
    """The bucket of an item, by the values of its key attributes in the order of the key."""
    return crc32(canonical_text(list(key))) & _MASK


def keyed(names: tuple[str, ...]) -> Callable[[Item], int]:
    """A function that gives an item's bucket."""
    if len(names) == 1:
        (name,) = names
        return lambda item: crc32(canonical_text([item[name]])) & _MASK
    first, second = names
    return lambda item: crc32(canonical_text([item[first], item[second]])) & _MASK


@frozen
class Difference:
    """A bucket in which two digests differ."""

    bucket: int
    source: tuple[int, int]
    target: tuple[int, int]


@define
class BucketDigest:
    """Sums of items' digests.

    :param buckets: number of items and sum of their digests, for each bucket that is not empty
    """

    buckets: dict[int, tuple[int, int]] = field(factory=dict)

    @classmethod
    def of(cls, items: Iterable[Item], key_names: tuple[str, ...]) -> BucketDigest:
        """The digest of some items."""
        digest = cls()
        digest.add(items, key_names)
        return digest

    def add(self, items: Iterable[Item], key_names: tuple[str, ...]) -> None:
        """Take items."""
        bucket, buckets = keyed(key_names), self.buckets
        for item in items:
            place = bucket(item)
            count, total = buckets.get(place, (0, 0))
            buckets[place] = count + 1, (total + item_digest(item)) % _RANGE

    def add_one(self, bucket: int, digest: int) -> None:
        """Take one item that was hashed before."""
        count, total = self.buckets.get(bucket, (0, 0))
        self.buckets[bucket] = count + 1, (total + digest) % _RANGE

    def merge(self, other: BucketDigest) -> None:
        """Take all that another digest took."""
        buckets = self.buckets
        for place, (count, total) in other.buckets.items():
            mine, sum_of_mine = buckets.get(place, (0, 0))
            buckets[place] = mine + count, (sum_of_mine + total) % _RANGE

    def subtract(self, other: BucketDigest) -> None:
        """Give back all that another digest took; what it took must have been taken here too."""
        buckets = self.buckets
        for place, (count, total) in other.buckets.items():
            mine, sum_of_mine = buckets.get(place, (0, 0))
            left = mine - count, (sum_of_mine - total) % _RANGE
            if left == (0, 0):
                buckets.pop(place, None)
            else:
                buckets[place] = left

    @property
    def items(self) -> int:
        """How many items were taken."""
        return sum(count for count, _total in self.buckets.values())

    @property
    def text(self) -> str:
        """32 hexadecimal digits that stand for the whole: the sum over all buckets."""
        return f"{sum(total for _count, total in self.buckets.values()) % _RANGE:032x}"

    def differences(self, target: BucketDigest) -> Iterator[Difference]:
        """The buckets in which another digest differs."""
        for place in sorted({*self.buckets, *target.buckets}):
            here, there = self.buckets.get(place, (0, 0)), target.buckets.get(place, (0, 0))
            if here != there:
                yield Difference(place, here, there)

    def pack(self) -> bytes:
        """The digest as bytes: 22 for each bucket that is not empty."""
        entries = (_ENTRY.pack(place, count, total.to_bytes(16)) for place, (count, total) in self.buckets.items())
        return _VERSION + b"".join(entries)

    @classmethod
    def unpack(cls, data: bytes) -> BucketDigest:
        """The digest whose bytes these are.

        :raises InvalidValue: they are damaged, or of another version
        """
        if data[:1] != _VERSION or (len(data) - 1) % _ENTRY.size:
            raise InvalidValue("a stored digest is damaged or of another version: verify again")
        buckets = {place: (count, int.from_bytes(total)) for place, count, total in _ENTRY.iter_unpack(data[1:])}
        return cls(buckets)

    @classmethod
    def merged(cls, parts: Iterable[BucketDigest]) -> BucketDigest:
        """The sum of digests."""
        total = cls()
        for part in parts:
            total.merge(part)
        return total


Digests = Mapping[str, BucketDigest]
