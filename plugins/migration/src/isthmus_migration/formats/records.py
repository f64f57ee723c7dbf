"""Records of a file, read from any place on: lines, or BSON documents."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

from attrs import frozen

from isthmus.errors import ItemTooLarge
from isthmus_migration.errors import ExportDamaged
from isthmus_migration.formats.compression import Compression, chunks_of

Kind = Literal["lines", "documents"]

LONGEST: Final = 20 << 20
"""Bytes of the longest record that is read or written.

An item of 400 KB takes most as a list of the number 10**125, 17 MB.
"""

_LENGTH: Final = 4  # bytes that a BSON document begins with: its length, little-endian
_SHORTEST: Final = 5

Split = Callable[[bytes], tuple[list[bytes], bytes]]


@frozen
class Spot:
    """A place between two records of a file.

    :param offset: where a frame begins, in bytes of the file
    :param skip: records of that frame before the place
    :param number: records of the file before the place
    """

    offset: int = 0
    skip: int = 0
    number: int = 0


def check_length(record: bytes) -> bytes:
    """The record itself, where it can be read back.

    :raises ItemTooLarge: it is longer than any that is read
    """
    if len(record) > LONGEST:
        raise ItemTooLarge(
            f"the item takes {len(record)} bytes of a file, {LONGEST} are allowed: store parts elsewhere"
        )
    return record


def _lines(data: bytes) -> tuple[list[bytes], bytes]:
    found = data.split(b"\n")
    return found, found.pop()


def _documents(data: bytes) -> tuple[list[bytes], bytes]:
    found, place, end = [], 0, len(data)
    while end - place >= _LENGTH:
        length = int.from_bytes(data[place : place + _LENGTH], "little", signed=True)
        if not _SHORTEST <= length <= LONGEST:
            raise ValueError
        if end - place < length:
            break
        found.append(data[place : place + length])
        place += length
    return found, data[place:]


_SPLITS: Final[dict[Kind, Split]] = {"lines": _lines, "documents": _documents}
_SEPARATOR: Final[dict[Kind, int]] = {"lines": 1, "documents": 0}


class RecordReader:
    """Reads records of one file in order; ``spot`` is where it stands.

    :param stop: where a frame begins before which reading ends; ``None`` reads to the end of the file
    :raises ExportDamaged: by its methods, when the file is cut off, or holds no records of this kind
    """

    def __init__(
        self, path: Path, compression: Compression, kind: Kind, spot: Spot, stop: int | None = None
    ) -> None:  # fmt: skip
        self._path, self._split = path, _SPLITS[kind]
        self._separator = _SEPARATOR[kind]
        self._framed = compression != "none"
        self._offset, self._skip, self._number = spot.offset, 0, spot.number - spot.skip
        self._batches = self._read(chunks_of(path, compression, spot.offset, stop))
        self._batch: list[bytes] = []
        self._place = 0
        self._following: int | None = None
        self._pass_over(spot.skip)

    @property
    def spot(self) -> Spot:
        """Where the next record begins."""
        return Spot(self._offset, self._skip, self._number)

    def close(self) -> None:
        """Release the file."""
        self._batches.close()

    def take(self, most: int, size: int) -> list[bytes]:
        """The next records.

        :param most: at most so many
        :param size: about how many bytes of them, at least one record
        :return: none at the end of the file
        """
        taken: list[bytes] = []
        while len(taken) < most and size > 0 and self._available():
            record = self._batch[self._place]
            taken.append(record)
            size -= len(record)
            self._advance(record)
        return taken

    @property
    def ended(self) -> bool:
        """Whether there is no further record."""
        return not self._available()

    def _pass_over(self, count: int) -> None:
        while count and self._available():
            self._advance(self._batch[self._place])
            count -= 1
        if count:
            raise ExportDamaged(f"{self._path.name} has fewer records than before: was the export replaced meanwhile?")

    def _advance(self, record: bytes) -> None:
        self._place += 1
        self._number += 1
        if self._framed:
            self._skip += 1
            self._cross()
        else:
            self._offset += len(record) + self._separator

    def _cross(self) -> None:
        """Count from the next frame on, where one begins behind the last record of the batch."""
        if self._place == len(self._batch) and self._following is not None:
            self._offset, self._skip, self._following = self._following, 0, None

    def _available(self) -> bool:
        while self._place >= len(self._batch):
            following = next(self._batches, None)
            if following is None:
                return False
            self._batch, self._following = following
            self._place = 0
            self._cross()
        return True

    def _read(self, chunks: Generator[tuple[bytes, int | None]]) -> Generator[tuple[list[bytes], int | None]]:
        rest: list[bytes] = []  # pieces of a record that is not whole yet
        size = 0
        with closing(chunks):
            for chunk, following in chunks:
                rest.append(chunk)
                size += len(chunk)
                if size > LONGEST + (2 << 20):
                    raise ExportDamaged(
                        f"{self._path.name} has a record of more than {LONGEST} bytes, which no item needs: is it of"
                        " another format?"
                    )
                if not self._may_end(chunk, size):
                    continue
                records, left = self._whole(b"".join(rest))
                rest, size = [left], len(left)
                yield records, None if left else following
        yield self._last(b"".join(rest)), None

    def _may_end(self, chunk: bytes, size: int) -> bool:
        """Whether a record may have become whole, so that long ones are not joined again for each chunk."""
        return not self._separator or b"\n" in chunk or not size

    def _whole(self, data: bytes) -> tuple[list[bytes], bytes]:
        try:
            return self._split(data)
        except ValueError:
            raise ExportDamaged(
                f"{self._path.name} is no sequence of BSON documents: it was damaged, or is of another format"
            ) from None

    def _last(self, rest: bytes) -> list[bytes]:
        if rest and not self._separator:
            raise ExportDamaged(f"{self._path.name} is cut off in the middle of a document: copy the export again")
        return [rest] if rest else []
