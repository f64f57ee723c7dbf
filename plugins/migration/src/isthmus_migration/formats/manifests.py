"""``manifest.json``: what an export holds, so that nothing can be missing, surplus or changed without being noticed.

It is written last, so a folder without it is an unfinished export. It holds a checksum of itself; each file's size,
number of items and SHA-256; and each table's definition and digest, by which an import proves itself.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from isthmus.schema import Table
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.formats.compression import Compression, compression_named
from isthmus_migration.formats.files import write_file

NAME: Final = "manifest.json"
KIND: Final = "isthmus-export"
FORMAT_VERSION: Final = 1
CODEC_VERSION: Final = 1
"""Counts changes of how items become records."""


@frozen
class Frame:
    """A place where reading can begin.

    :param offset: in bytes of the file
    :param number: records of the file before it
    """

    offset: int
    number: int


@frozen
class FileEntry:
    """A file of an export.

    :param path: below the export's folder, with ``/`` between names
    :param items: ``None`` where nobody wrote down how many it holds
    :param size: in bytes; ``None`` as above
    :param sha256: hexadecimal; ``None`` as above
    :param md5: hexadecimal, where another tool wrote that down
    :param frames: further places where reading can begin
    """

    path: str
    items: int | None = None
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    frames: tuple[Frame, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready data."""
        frames = {"frames": [[frame.offset, frame.number] for frame in self.frames]} if self.frames else {}
        return {"path": self.path, "items": self.items, "size": self.size, "sha256": self.sha256, **frames}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FileEntry:
        """The entry that ``to_dict`` described.

        :raises ValueError: it is none
        """
        size = _count(data["size"])
        frames = tuple(Frame(_number(offset), _number(number)) for offset, number in data.get("frames", ()))
        offsets = [0, *(frame.offset for frame in frames)]
        if offsets != sorted(offsets) or (size is not None and offsets[-1] > size):
            raise ValueError("frames that are not in order")
        sha256 = None if data["sha256"] is None else _text(data["sha256"])
        return cls(_text(data["path"]), _count(data["items"]), size, sha256, None, frames)


@frozen
class TableEntry:
    """A table of an export.

    :param digest: ``None`` where nobody wrote one down
    :param details: what its format keeps besides, JSON-ready
    """

    table: Table
    items: int | None
    files: tuple[FileEntry, ...]
    digest: BucketDigest | None = field(default=None, repr=False)
    details: Mapping[str, Any] = field(factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready data."""
        return {
            "schema": self.table.to_dict(), "items": self.items, "files": [entry.to_dict() for entry in self.files],
            "digest": _digest_to_dict(self.digest), "details": dict(self.details),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableEntry:
        """The entry that ``to_dict`` described.

        :raises ValueError: it is none
        """
        files = tuple(FileEntry.from_dict(entry) for entry in data["files"])
        digest = _digest_from_dict(data["digest"])
        return cls(Table.from_dict(data["schema"]), _count(data["items"]), files, digest, _details(data["details"]))


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("no text")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no number")
    return value


def _count(value: Any) -> int | None:
    return None if value is None else _number(value)


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a format keeps; the names of files and folders among it are what they should be."""
    beside = data.get("beside", [])
    if type(beside) is not list:
        raise ValueError("no list")
    for name in (data["folder"], data.get("own_folder", ""), *beside):
        _text(name)
    return dict(data)


def _digest_to_dict(digest: BucketDigest | None) -> dict[str, str] | None:
    return None if digest is None else {"text": digest.text, "buckets": b64encode(digest.pack()).decode()}


def _digest_from_dict(data: Mapping[str, str] | None) -> BucketDigest | None:
    return None if data is None else BucketDigest.unpack(b64decode(data["buckets"], validate=True))


@frozen
class Manifest:
    """What an export holds.

    :param made: when it was finished, UTC as text
    """

    format: str
    compression: Compression
    made: str
    tables: tuple[TableEntry, ...]

    def to_json(self) -> bytes:
        """The text of ``manifest.json``."""
        content = {
            "kind": KIND, "format_version": FORMAT_VERSION, "codec_version": CODEC_VERSION, "format": self.format,
            "compression": self.compression, "made": self.made, "tables": [entry.to_dict() for entry in self.tables],
        }  # fmt: skip
        return json.dumps({**content, "checksum": _checksum(content)}, indent=1, ensure_ascii=False).encode() + b"\n"

    def write(self, folder: Path) -> None:
        """Put it into the folder of an export, which is finished thereby."""
        write_file(folder / NAME, [self.to_json()])


def _checksum(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def is_ours(folder: Path) -> bool:
    """Whether a folder has a manifest of ours, be it damaged."""
    path = folder / NAME
    try:
        if not path.is_file():  # a pipe would never end
            return False
        with path.open("rb") as file:
            return f'"{KIND}"'.encode() in file.read(4096)
    except OSError:
        return False


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a finished export.

    :raises ExportDamaged: there is none, or it was damaged or edited
    :raises ExportUnsupported: a later release wrote it
    """
    try:
        content = json.loads((folder / NAME).read_bytes())
        checksum = content.pop("checksum")
        version, codec = content["format_version"], content["codec_version"]
        if checksum != _checksum(content):
            raise _damaged(folder)
        if version > FORMAT_VERSION or codec > CODEC_VERSION:
            raise ExportUnsupported(
                f"the export in {folder} has format version {version}.{codec}, this release reads"
                f" {FORMAT_VERSION}.{CODEC_VERSION}: use the release that wrote it, or a later one"
            )
        tables = tuple(TableEntry.from_dict(entry) for entry in content["tables"])
        return Manifest(_text(content["format"]), compression_named(content["compression"]), content["made"], tables)
    except FileNotFoundError:
        raise ExportDamaged(
            f"{folder} has no {NAME}, so its export was not finished: resume what writes it, or export anew"
        ) from None
    except ExportUnsupported:
        raise
    except Exception as error:  # whatever hostile text may lead to
        raise _damaged(folder) from error


def _damaged(folder: Path) -> ExportDamaged:
    return ExportDamaged(
        f"{folder / NAME} is damaged or was edited: copy the export again, or export anew; where the files are of a"
        " layout of another tool, they can be read without it"
    )
