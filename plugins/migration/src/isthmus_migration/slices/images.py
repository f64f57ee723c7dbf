"""Pre-images: what the target held right before an item was written, kept on disk before the write is sent.

One file for each slice that was handed out: a line that says what it is of, then a line for each item: key,
item and digest with tabs between them, lossless JSON.
Files are numbered in the order in which slices were handed out, so together they are a log that is undone from its end.
A slice may run twice; its second run sees what its first one wrote, and says so: undoing both leaves what stood there
before the first. Workers on several machines need a work directory that all of them share.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Self, cast

import zstandard
from attrs import frozen

from isthmus.errors import InvalidValue
from isthmus.values import Item, dumps, loads
from isthmus_migration.errors import ImagesUnwritable, MigrationError, WorkDirectoryDamaged
from isthmus_migration.tasks import SliceTask

_SUFFIX: Final = ".images.zst"
_CHUNK: Final = 1 << 20
_TAB: Final = b"\t"


@frozen
class Image:
    """What a key held before, and the digest of what was written.

    :param before: the item, or ``None`` where there was none
    :param written: 32 hexadecimal digits; empty where the item was deleted
    """

    key: Item
    before: Item | None
    written: str

    @property
    def written_digest(self) -> int | None:
        """The digest of what was written; ``None`` where the item was deleted."""
        return int(self.written, 16) if self.written else None


@frozen
class ImageFile:
    """What a file of images is of.

    :param number: of the slice that was handed out
    :param phase: of the slice
    :param table: the source's table
    :param unsettled: numbers of runs before it that were never journaled, of the same items or some of them
    :param count: how many images it holds
    """

    path: Path
    number: int
    phase: str
    table: str
    unsettled: tuple[int, ...] = ()
    count: int = 0

    @classmethod
    def of(cls, path: Path) -> Self:
        """What a file's first line says.

        :raises WorkDirectoryDamaged: the file can't be read
        """
        with _lines(path) as lines:
            head = _data(path, next(lines, b""))
        return cls(path, number_of(path), head["phase"], head["table"], tuple(head["unsettled"]), int(head["images"]))

    def images(self) -> Iterator[Image]:
        """The images, in the order in which they were kept.

        :raises WorkDirectoryDamaged: the file can't be read
        """
        return read_images(self.path)


def images_file(folder: Path, phase: str, unit: str, number: int) -> Path:
    """The file of one slice that was handed out."""
    return folder / phase / unit / f"{number:09d}{_SUFFIX}"


def image_files(folder: Path) -> list[Path]:
    """The files of the folder of one unit, the latest first."""
    found = (path for path in folder.glob(f"*{_SUFFIX}") if path.name.removesuffix(_SUFFIX).isdecimal())
    return sorted(found, reverse=True)


def forget_images(folder: Path, task: SliceTask) -> None:
    """Remove the images of a task's unit, but for those of slices that were never journaled, and its own."""
    left = {*task.unsettled, task.number}
    for path in image_files(folder / task.phase / task.unit.id):
        if number_of(path) not in left:
            path.unlink(missing_ok=True)


def unit_folders(folder: Path) -> list[Path]:
    """The folders of all units of all phases that have images; none where there is no folder."""
    return sorted(unit for unit in folder.glob("*/*") if image_files(unit))


def files_of_table(folder: Path, table: str) -> Iterator[ImageFile]:
    """All files of images of a table of the source."""
    for unit in unit_folders(folder):
        for path in image_files(unit):
            file = ImageFile.of(path)
            if file.table == table:
                yield file


def read_images(path: Path) -> Iterator[Image]:
    """The images of a file, in order; none where the file is missing.

    :raises WorkDirectoryDamaged: the file can't be read
    """
    if not path.exists():
        return
    with _lines(path) as lines:
        left = int(_data(path, next(lines, b""))["images"])
        for line in lines:
            yield _image(path, line)
            left -= 1
        if left:
            raise _damaged(path)


def _data(path: Path, line: bytes) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", loads(line.decode()))
    except (InvalidValue, UnicodeDecodeError) as error:
        raise _damaged(path) from error


def _image(path: Path, line: bytes) -> Image:
    key, _, rest = line.partition(_TAB)
    before, _, written = rest.partition(_TAB)
    return Image(_data(path, key), _data(path, before) if before else None, written.decode())


def _line(image: Image) -> str:
    # An item stands by itself: within another map it could be nested more deeply than any item may be.
    before = "" if image.before is None else dumps(image.before)
    return f"{dumps(image.key)}\t{before}\t{image.written}"


def keep_images(folder: Path, task: SliceTask, images: Iterable[Image]) -> None:
    """Put images on disk, whole and surely, before their items are written.

    :raises ImagesUnwritable: the disk is full, or can't be written
    """
    lines = [_line(one) for one in images]
    if not lines:
        return
    head = {"phase": task.phase, "table": task.unit.table, "unsettled": list(task.unsettled),
            "images": len(lines)}  # fmt: skip
    text = "\n".join([dumps(head), *lines, ""])
    path = images_file(folder, task.phase, task.unit.id, task.number)
    if path.exists():
        # A cluster ran the slice once more by itself; what this run would find are perhaps the former one's writes.
        raise MigrationError(f"slice {task.number} ran before: it is handed out anew", retryable=True)
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(folder)
            _sync_folder(path.parent.parent)
        _write_surely(path, zstandard.ZstdCompressor(level=3, write_checksum=True).compress(text.encode()))
    except OSError as error:
        raise ImagesUnwritable(
            f"{path} can't be written ({error.strerror}): make room or mend the disk, then resume; nothing was "
            "overwritten that could not be put back"
        ) from error


def _write_surely(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise _damaged(path) from error
    with raw:
        yield _split(path, raw)


def _split(path: Path, raw: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    try:
        with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
            while chunk := stream.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
    except (OSError, zstandard.ZstdError) as error:
        raise _damaged(path) from error
    if rest:
        raise _damaged(path)


def _damaged(path: Path) -> WorkDirectoryDamaged:
    return WorkDirectoryDamaged(f"{path} is damaged: restore it from a copy of the work directory")


def number_of(path: Path) -> int:
    """The number of the slice that kept a file."""
    return int(path.name.removesuffix(_SUFFIX))
