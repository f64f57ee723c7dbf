"""The format ``dynamodb``: the folder that DynamoDB's export to S3 writes and its import from S3 reads.

Layout (Amazon DynamoDB Developer Guide, "DynamoDB table export output format")::

    AWSDynamoDB/<export id>/manifest-summary.json   one JSON object: version, tableArn, itemCount, outputFormat …
    AWSDynamoDB/<export id>/manifest-files.json     JSON lines: itemCount, md5Checksum, etag, dataFileS3Key
    AWSDynamoDB/<export id>/*.checksum              the MD5 of each of these, base64
    AWSDynamoDB/<export id>/data/*.json.gz          lines {"Item": {…}}

Each table has an export id of its own. ``ImportTable`` wants the prefix of a ``data`` folder and reads all files below
it, whatever their names; it takes gzip, zstd and uncompressed files.
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar, Final

from isthmus.schema import Table
from isthmus_migration.formats.codecs import DynamoDBCodec
from isthmus_migration.formats.compression import Compression, compressed
from isthmus_migration.formats.files import md5_of, sha256_of, write_file
from isthmus_migration.formats.layouts import Layout, WrittenPart, entry_of, files_of_parts, keep_only
from isthmus_migration.formats.manifests import FileEntry, TableEntry
from isthmus_migration.formats.unfinished import Begun, part_name
from isthmus_migration.places.base import Part

ROOT: Final = "AWSDynamoDB"
SUMMARY: Final = "manifest-summary"
FILES: Final = "manifest-files"
VERSION: Final = "2020-06-30"
OUTPUT: Final = "DYNAMODB_JSON"


class DynamoDBExport(Layout):
    """AWS's layout.

    :param foreign: whether AWS wrote it
    """

    name = "dynamodb"
    form = "dynamodb-json-line"
    compressions: ClassVar[tuple[Compression, ...]] = ("gzip", "zstd", "none")

    def __init__(self, folder: Path, compression: str | None = None, *, foreign: bool = False) -> None:
        super().__init__(folder, compression)
        self._foreign = foreign

    def codec(self, table: Table) -> DynamoDBCodec:
        return DynamoDBCodec(foreign=self._foreign)

    def settings(self, table: Table) -> dict[str, Any]:
        return {"export_id": f"{time.time_ns() // 1_000_000:014d}-{os.urandom(4).hex()}"}

    def part_path(self, begun: Begun, part: Part) -> Path:
        return self._data(begun) / f"{part_name(part)}.json{self.suffix}"

    def complete(self, begun: Begun, parts: Sequence[WrittenPart]) -> TableEntry:
        data = self._data(begun)
        keep_only(data, [part.path for part in parts if part.path is not None])
        files = files_of_parts(self, parts) or [self._empty_file(data)]
        entry = entry_of(begun.table, parts, files, {"folder": self.relative(data)})
        beside = self._write_manifests(data.parent, entry)
        own = self.relative(data.parent)
        return entry_of(begun.table, parts, files, {"folder": self.relative(data), "own_folder": own, "beside": beside})

    def remove_rest(self) -> None:
        with suppress(OSError):
            (self.folder / ROOT).rmdir()

    def _data(self, begun: Begun) -> Path:
        return self.folder / ROOT / str(begun.settings["export_id"]) / "data"

    def _empty_file(self, data: Path) -> FileEntry:
        """A file without items, as AWS writes it for an empty partition; an import of no file at all fails."""
        path = data / f"empty.json{self.suffix}"
        write_file(path, [compressed(b"", self.compression)])
        return FileEntry(self.relative(path), 0, path.stat().st_size, sha256_of(path))

    def _write_manifests(self, export: Path, entry: TableEntry) -> list[str]:
        lines = [json.dumps(self._file_line(file)) + "\n" for file in entry.files]
        contents = {FILES: "".join(lines).encode(), SUMMARY: json.dumps(self._summary(export, entry)).encode()}
        for name, content in contents.items():
            write_file(export / f"{name}.json", [content])
            write_file(export / f"{name}.checksum", [b64encode(md5(content, usedforsecurity=False).digest())])
        return [self.relative(export / f"{name}.{end}") for name in contents for end in ("json", "checksum")]

    def _file_line(self, file: FileEntry) -> dict[str, Any]:
        digest = md5_of(self.folder / file.path)
        return {
            "itemCount": file.items, "md5Checksum": b64encode(digest).decode(), "etag": digest.hex(),
            "dataFileS3Key": file.path,
        }  # fmt: skip

    def _summary(self, export: Path, entry: TableEntry) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        arn = f"arn:aws:dynamodb:local:000000000000:table/{entry.table.name}"
        return {
            "version": VERSION, "exportArn": f"{arn}/export/{export.name}", "startTime": now, "endTime": now,
            "tableArn": arn, "tableId": None, "exportTime": now, "s3Bucket": None, "s3Prefix": None,
            "manifestFilesS3Key": self.relative(export / f"{FILES}.json"), "billedSizeBytes": 0,
            "itemCount": entry.items, "outputFormat": OUTPUT, "exportType": "FULL_EXPORT",
        }  # fmt: skip
