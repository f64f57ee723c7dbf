"""Compression in frames: each frame can be read without those before it, so a frame is where reading can resume.

zstd has frames and gzip has members, and both kinds may be concatenated. Files without compression have no frames:
every place in them is as good as the beginning of one.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, Literal, get_args

from isthmus.errors import InvalidArgument
from isthmus_migration.errors import ExportDamaged

Compression = Literal["none", "gzip", "zstd"]
SUFFIXES: Final[dict[Compression, str]] = {"none": "", "gzip": ".gz", "zstd": ".zst"}
FRAME_BYTES: Final = 4 << 20
"""About how much text one frame holds."""

_BLOCK: Final = 1 << 18
_MOST: Final = 1 << 20  # of text at a time, however well it is compressed
_GZIP: Final = 31  # zlib's number for the format of gzip files
_GZIP_LEVEL: Final = 5
_ZSTD_LEVEL: Final = 3


def compression_named(name: str) -> Compression:
    """The compression of that name.

    :raises InvalidArgument: there is none
    """
    for known in get_args(Compression):
        if name == known:
            return known  # type: ignore[no-any-return]  # one of the literals
    raise InvalidArgument(f"compression {name!r} is unknown: use one of {', '.join(get_args(Compression))}")


def compression_of(name: str) -> Compression:
    """The compression of a file, by its name."""
    return "gzip" if name.endswith(".gz") else "zstd" if name.endswith(".zst") else "none"


def frames_of(records: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """The frames of a file with these records."""
    gathered: list[bytes] = []
    size = 0
    for record in records:
        gathered.append(record)
        size += len(record)
        if size >= FRAME_BYTES:
            yield compressed(b"".join(gathered), compression)
            gathered, size = [], 0
    if gathered:
        yield compressed(b"".join(gathered), compression)


def compressed(data: bytes, compression: Compression) -> bytes:
    """One frame; the same bytes for the same data, whenever it is made."""
    if compression == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(data)
    if compression == "gzip":
        packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
        return packer.compress(data) + packer.flush()
    return data


def chunks_of(
    path: Path, compression: Compression, start: int, stop: int | None
) -> Generator[tuple[bytes, int | None]]:
    """The content of a file from a frame on, in chunks of at most a megabyte or so.

    :param start: where a frame begins, in bytes of the file
    :param stop: where a later one begins, to end before it
    :return: with each chunk, where the next frame begins if this chunk is the last one of its frame
    :raises ExportDamaged: a frame is damaged or cut off
    """
    blocks = _blocks(path, start, stop)
    if compression == "none":
        return ((block, None) for block in blocks)
    return _unpacked(path, compression, blocks, start)


def _blocks(path: Path, start: int, stop: int | None) -> Generator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = stop - start if stop is not None else None
        while block := file.read(_BLOCK if left is None else min(_BLOCK, left)):
            left = left - len(block) if left is not None else None
            yield block


def _unpacked(
    path: Path, compression: Compression, blocks: Generator[bytes], position: int
) -> Generator[tuple[bytes, int | None]]:
    unpacker: _Gzip | _Zstd | None = None
    with closing(blocks):
        for block in blocks:
            rest = memoryview(block)
            while rest or (unpacker is not None and unpacker.holds_more):
                unpacker = unpacker or (_Gzip() if compression == "gzip" else _Zstd())
                try:
                    content, used = unpacker.step(rest)
                except Exception as error:  # each library has its own
                    raise _damaged(path) from error
                rest, position = rest[used:], position + used
                yield content, position if unpacker.ended else None
                unpacker = None if unpacker.ended else unpacker
    if unpacker is not None:
        raise _damaged(path)


def _damaged(path: Path) -> ExportDamaged:
    return ExportDamaged(f"the compressed data of {path.name} is damaged or cut off: copy the export again")


class _Gzip:
    """One member."""

    holds_more = False
    """Whether there is content without further data."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)

    @property
    def ended(self) -> bool:
        return self._inner.eof

    def step(self, data: memoryview) -> tuple[bytes, int]:
        """The next content, and how much of the data was used for it."""
        content = self._inner.decompress(data, _MOST)
        self.holds_more = len(content) == _MOST and not self.ended
        return content, len(data) - len(self._inner.unused_data if self.ended else self._inner.unconsumed_tail)


class _Zstd:
    """One frame."""

    holds_more = False

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()

    @property
    def ended(self) -> bool:
        return self._inner.eof

    def step(self, data: memoryview) -> tuple[bytes, int]:
        """As above. The library gives everything that its input holds at once, so it gets little."""
        taken = data[:_ZSTD_STEP]
        content = self._inner.decompress(taken)
        return content, len(taken) - len(self._inner.unused_data)


_ZSTD_STEP: Final = 1 << 10  # can't become more than 32 MB
_WINDOW: Final = 1 << 27
