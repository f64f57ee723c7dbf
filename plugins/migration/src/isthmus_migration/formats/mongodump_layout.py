"""The format ``mongodump``: the folder that mongodump writes and mongorestore reads, for each database one below it.

Layout: ``<database>/<collection>.bson`` (documents one after the other), with ``.gz`` under ``--gzip``, and
``<collection>.metadata.json`` (options and indexes in canonical Extended JSON). Documents have the form in which the
MongoDB backend stores items, and the catalogue of its tables stands beside them, so that a database restored with
``mongorestore --gzip <folder>`` can be opened with Isthmus at once. The database is called ``isthmus``;
``--nsFrom 'isthmus.*' --nsTo 'shop.*'`` gives it another name.

While it is written each part is a file. These become one file at the end, which needs room for one table twice; gzip
files may be joined like that, and reading can begin at each former part.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from isthmus.dumps import DumpCodec, DumpFormat, dump_format
from isthmus.errors import PluginError
from isthmus.schema import Table
from isthmus_migration.errors import ExportUnsupported
from isthmus_migration.formats.compression import Compression, compressed, frames_of
from isthmus_migration.formats.files import below, sha256_of, write_file
from isthmus_migration.formats.layouts import Layout, WrittenPart, entry_of
from isthmus_migration.formats.manifests import FileEntry, Frame, TableEntry
from isthmus_migration.formats.records import Kind
from isthmus_migration.formats.unfinished import Begun
from isthmus_migration.places.base import Part

DATABASE: Final = "isthmus"
BSON: Final = ".bson"
METADATA: Final = ".metadata.json"
_RESERVED: Final = "isthmus_"
_BLOCK: Final = 1 << 20


class Mongodump(Layout):
    """The layout of mongodump."""

    name = "mongodump"
    kind: ClassVar[Kind] = "documents"
    form = "bson"
    compressions: ClassVar[tuple[Compression, ...]] = ("gzip", "none")

    def __init__(self, folder: Path, compression: str | None = None) -> None:
        super().__init__(folder, compression)
        self.format = mongodump_format()
        self.limits = self.format.limits

    def codec(self, table: Table) -> DumpCodec:
        return self.format.codec(table)

    def check(self, table: Table) -> None:
        if table.name.startswith(_RESERVED):
            raise ExportUnsupported(
                f"table {table.name!r} can't be in a mongodump, because names that begin with {_RESERVED!r} belong to"
                " Isthmus there: choose another format, or another name"
            )

    def part_path(self, begun: Begun, part: Part) -> Path:
        return self.staged(begun, part)

    def complete(self, begun: Begun, parts: Sequence[WrittenPart]) -> TableEntry:
        name = begun.table.name
        path = self.folder / DATABASE / f"{name}{BSON}{self.suffix}"
        filled = [part for part in parts if part.path is not None]
        write_file(path, self._joined(filled))
        beside = self._write_metadata(name, self.format.metadata(begun.table))
        catalogue = self.folder / DATABASE / f"{self.format.catalogue}{BSON}{self.suffix}"
        known = [beside, self.relative(catalogue), self._metadata_name(self.format.catalogue)]
        items = sum(part.facts.items for part in filled)
        file = FileEntry(self.relative(path), items, path.stat().st_size, sha256_of(path), frames=_frames(filled))
        return entry_of(begun.table, parts, [file], {"folder": DATABASE, "beside": known})

    def _joined(self, parts: Sequence[WrittenPart]) -> Iterator[bytes]:
        for part in parts:
            assert part.path is not None  # these are the filled ones
            with part.path.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        if not parts:
            yield compressed(b"", self.compression)

    def conclude(self, entries: Sequence[TableEntry]) -> None:
        records = self.format.catalogue_records([entry.table for entry in entries])
        path = self.folder / DATABASE / f"{self.format.catalogue}{BSON}{self.suffix}"
        write_file(path, frames_of(records, self.compression))
        self._write_metadata(self.format.catalogue, self.format.catalogue_metadata())

    def remove(self, entry: TableEntry) -> None:
        (self.folder / self._metadata_name(entry.table.name)).unlink(missing_ok=True)
        for file in entry.files:
            below(self.folder, file.path).unlink(missing_ok=True)

    def remove_rest(self) -> None:
        shutil.rmtree(self.folder / DATABASE, ignore_errors=True)

    def _write_metadata(self, collection: str, metadata: Mapping[str, Any]) -> str:
        name = self._metadata_name(collection)
        text = json.dumps(metadata, separators=(",", ":")).encode()
        write_file(self.folder / name, [compressed(text, self.compression)])
        return name

    def _metadata_name(self, collection: str) -> str:
        return f"{DATABASE}/{collection}{METADATA}{self.suffix}"


def _frames(parts: Sequence[WrittenPart]) -> tuple[Frame, ...]:
    """Where each part but the first begins in the joined file."""
    offset = number = 0
    found = []
    for part in parts[:-1]:
        offset, number = offset + part.facts.size, number + part.facts.items
        found.append(Frame(offset, number))
    return tuple(found)


def mongodump_format() -> DumpFormat:
    """The format, as the installed plugin of MongoDB knows it.

    :raises ExportUnsupported: it is not installed, or too old
    """
    try:
        return dump_format(Mongodump.name, "mongodb")
    except PluginError as error:
        raise ExportUnsupported(
            f"exports of format {Mongodump.name} need the plugin of MongoDB: pip install -U 'isthmus[mongodb]'"
        ) from error
