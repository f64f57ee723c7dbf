"""Pre-images: what the target held before an item was written, kept on disk before the write is sent.

One file for each slice that was handed out, lines of lossless JSON. A slice may run twice, and its second run would see
its own writes; so what earlier runs kept of a key counts, and a second run keeps only what they did not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import zstandard
from attrs import frozen

from isthmus.values import Item, dumps, loads
from isthmus_migration.tasks import SliceTask

Key = tuple[Any, ...]


@frozen
class Image:
    """What a key held before, and the digest of what was written.

    :param before: the item, or ``None`` where there was none
    :param written: 32 hexadecimal digits
    """

    key: Item
    before: Item | None
    written: str


def images_file(folder: Path, unit: str, number: int) -> Path:
    """The file of one slice that was handed out."""
    return folder / f"{unit}.{number:09d}.images.zst"


def read_images(path: Path) -> Iterator[Image]:
    """The images of a file, in order; none where the file is missing."""
    if not path.exists():
        return
    with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
        rest = b""
        while chunk := stream.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                data = cast("dict[str, Any]", loads(line.decode()))
                yield Image(data["key"], data["before"], data["written"])


def earlier_images(folder: Path, task: SliceTask) -> dict[str, Image]:
    """What earlier runs of this slice kept, by the text of the key; the first run's image wins."""
    found: dict[str, Image] = {}
    for number in sorted(task.unsettled):
        for image in read_images(images_file(folder, task.unit.id, number)):
            found.setdefault(dumps(image.key), image)
    return found


def keep_images(folder: Path, task: SliceTask, images: Iterable[Image]) -> None:
    """Put images on disk, whole and surely, before their items are written."""
    lines = [dumps({"key": one.key, "before": one.before, "written": one.written}) + "\n" for one in images]
    if not lines:
        return
    path = images_file(folder, task.unit.id, task.number)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as stream:
        stream.write(zstandard.ZstdCompressor(level=3).compress("".join(lines).encode()))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
