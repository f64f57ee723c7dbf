"""What every format does in its own way: where files lie, how records are written, and what completes a table."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from attrs import frozen

from isthmus.capabilities import Limits
from isthmus.dumps import DumpCodec
from isthmus.errors import InvalidArgument, IsthmusError
from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged
from isthmus_migration.formats.compression import SUFFIXES, Compression, compression_named
from isthmus_migration.formats.files import below
from isthmus_migration.formats.manifests import FileEntry, TableEntry
from isthmus_migration.formats.records import Kind
from isthmus_migration.formats.unfinished import Begun, PartFacts, Unfinished, part_name
from isthmus_migration.places.base import Part

WIDE_LIMITS = Limits(number_digits=38)
"""Of formats that hold every portable item."""


@frozen
class WrittenPart:
    """A part that makes up a table.

    :param path: ``None`` for a part without items
    """

    part: Part
    facts: PartFacts
    path: Path | None


class Layout(ABC):
    """One format in one folder.

    :cvar name: what people call the format
    :cvar kind: what separates records
    :cvar form: what a record is, as dead letters call it
    :cvar compressions: those it can be written with, the usual one first
    :cvar readable: whether it can be a source
    """

    name: ClassVar[str]
    kind: ClassVar[Kind] = "lines"
    form: ClassVar[str]
    compressions: ClassVar[tuple[Compression, ...]]
    readable: ClassVar[bool] = True
    limits: Limits = WIDE_LIMITS

    def __init__(self, folder: Path, compression: str | None = None) -> None:
        self.folder = folder
        self.compression = self._chosen(compression)

    def _chosen(self, compression: str | None) -> Compression:
        chosen = self.compressions[0] if compression is None else compression_named(compression)
        if chosen not in self.compressions:
            known = ", ".join(self.compressions)
            raise InvalidArgument(f"exports of format {self.name} have no compression {chosen!r}: use one of {known}")
        return chosen

    @property
    def suffix(self) -> str:
        """The ending of compressed files' names."""
        return SUFFIXES[self.compression]

    @abstractmethod
    def codec(self, table: Table) -> DumpCodec:
        """How items become records."""

    def check(self, table: Table) -> None:  # noqa: B027  # most take every table
        """Refuse a table that the format has no place for.

        :raises ExportUnsupported: it has none
        """

    def loss(self, table: Table, items: Sequence[Item]) -> IsthmusError | None:
        """Why a table of these items can't be completed without loss; ``None`` for formats that lose nothing."""
        return None

    def settings(self, table: Table) -> dict[str, Any]:
        """What is decided for a table when it is created, JSON-ready."""
        return {}

    @abstractmethod
    def part_path(self, begun: Begun, part: Part) -> Path:
        """The file of a part."""

    @abstractmethod
    def complete(self, begun: Begun, parts: Sequence[WrittenPart]) -> TableEntry:
        """Make a table's files final. It may be done twice."""

    def conclude(self, entries: Sequence[TableEntry]) -> None:  # noqa: B027  # most have nothing to add
        """Write what stands beside the tables, when all of them are final."""

    def remove(self, entry: TableEntry) -> None:
        """Remove a table's files."""
        for file in entry.files:
            below(self.folder, file.path).unlink(missing_ok=True)
        for name in entry.details.get("beside", ()):
            below(self.folder, name).unlink(missing_ok=True)
        if "own_folder" in entry.details:
            shutil.rmtree(below(self.folder, entry.details["own_folder"]), ignore_errors=True)

    def remove_rest(self) -> None:  # noqa: B027  # most have nothing more
        """Remove what stood beside the tables, when there is none left."""

    def relative(self, path: Path) -> str:
        """A file's name in a manifest."""
        return path.relative_to(self.folder).as_posix()

    def staged(self, begun: Begun, part: Part) -> Path:
        """The file of a part that becomes a section of another file."""
        name = f"{part_name(part)}.part{self.suffix}"
        return Unfinished(self.folder).parts(begun.table.name) / name


def entry_of(
    table: Table, parts: Sequence[WrittenPart], files: Iterable[FileEntry], details: Mapping[str, Any]
) -> TableEntry:
    """The entry of a table that is made up of parts."""
    digest = BucketDigest.merged(part.facts.digest for part in parts)
    return TableEntry(table, sum(part.facts.items for part in parts), tuple(files), digest, details)


def files_of_parts(layout: Layout, parts: Sequence[WrittenPart]) -> list[FileEntry]:
    """The entries of parts that stay files of their own."""
    return [
        FileEntry(layout.relative(part.path), part.facts.items, part.facts.size, part.facts.sha256)
        for part in parts
        if part.path is not None
    ]


def keep_only(folder: Path, wanted: Iterable[Path]) -> None:
    """Remove files that slices left which were never journaled."""
    kept = set(wanted)
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if path not in kept and path.is_file():
            path.unlink()


def check_nothing_surplus(folder: Path, entries: Iterable[TableEntry]) -> None:
    """Refuse an export with files that its manifest does not know.

    :raises ExportDamaged: naming the first one
    """
    entries = tuple(entries)
    beside = {name for entry in entries for name in entry.details.get("beside", ())}
    known = beside | {file.path for entry in entries for file in entry.files}
    for data in sorted({below(folder, entry.details["folder"]) for entry in entries}):
        for path in sorted(data.iterdir()) if data.is_dir() else []:
            name = path.relative_to(folder).as_posix()
            if name not in known and not path.name.startswith("."):
                raise ExportDamaged(
                    f"the export has a file {name!r} that its manifest does not know: move it away, or get the export"
                    " again"
                )
