"""What a folder holds, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from isthmus.errors import InvalidArgument, TableNotFound
from isthmus.schema import Table
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.formats import aws_exports, mongodumps
from isthmus_migration.formats.dynamodb_layout import DynamoDBExport
from isthmus_migration.formats.files import inside
from isthmus_migration.formats.json_lines import JsonLines
from isthmus_migration.formats.layouts import Layout, check_nothing_surplus
from isthmus_migration.formats.manifests import FileEntry, Manifest, is_ours, read_manifest
from isthmus_migration.formats.mongodump_layout import Mongodump
from isthmus_migration.formats.parquet_layout import ParquetFiles
from isthmus_migration.formats.unfinished import Unfinished

LAYOUTS: Final[dict[str, type[Layout]]] = {
    layout.name: layout for layout in (JsonLines, DynamoDBExport, Mongodump, ParquetFiles)
}


@frozen
class Contents:
    """The tables of a finished export.

    :param files: of each table, by the name that the export has for it
    :param definitions: of the tables, by the same names, as far as they are known
    :param items: their numbers, as far as they are known
    :param digests: as above
    """

    layout: Layout
    files: Mapping[str, tuple[FileEntry, ...]]
    definitions: Mapping[str, Table]
    items: Mapping[str, int]
    digests: Mapping[str, BucketDigest]

    def named(self, table: Table) -> str:
        """The export's name for a table.

        :raises TableNotFound: it has none
        """
        if table.name in self.files:
            return table.name
        only = next(iter(self.files)) if len(self.files) == 1 else None
        if only is not None and (only not in self.definitions or self.definitions[only].name == table.name):
            # AWS allows names that Isthmus does not; what is the only table needs no name.
            return only
        raise TableNotFound(
            f"the export in {self.layout.folder} has no table {table.name!r}; its tables: {', '.join(self.files)}"
        )

    def definition(self, name: str) -> Table:
        """The definition of a table.

        :raises ExportUnsupported: the export doesn't say what the table's key is
        """
        for known, table in self.definitions.items():
            if name in (known, table.name):
                return table
        if name not in self.files:
            raise TableNotFound(
                f"the export in {self.layout.folder} has no table {name!r}; its tables: {', '.join(self.files)}"
            )
        raise ExportUnsupported(
            f"an export that AWS wrote does not say what the key of table {name!r} is: give its definition, with"
            f" definitions=[Table({name!r}, partition_key=…)] from Python, or with --definition {name}=FILE, a file of"
            " `isthmus tables describe --json`"
        )


def layout_named(name: str) -> type[Layout]:
    """The layout of a format.

    :raises InvalidArgument: there is none
    """
    if name not in LAYOUTS:
        raise InvalidArgument(f"the format {name!r} is unknown: use one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def contents_of(folder: Path, format_name: str | None, tables: Sequence[Table]) -> Contents:
    """What a folder holds.

    :param format_name: the expected format; ``None`` takes any
    :param tables: definitions, where the export has none
    :raises ExportDamaged: there is no folder, or its export is unfinished or damaged
    :raises ExportUnsupported: it holds nothing that is known, or another format, or one that can't be read
    """
    if not folder.is_dir():
        raise ExportDamaged(
            f"there is no folder {folder}: name one with an export, or a database by its URL, as sqlite:///shop.db"
        )
    found = _recognised(folder)
    name = found.layout.name
    if format_name is not None and format_name != name:
        raise ExportUnsupported(f"{folder} holds an export of format {name}, not {format_name}: leave the format out")
    return _with_definitions(found, tables)


def _recognised(folder: Path) -> Contents:
    if is_ours(folder):
        return ours(read_manifest(folder), folder)
    if Unfinished(folder).exists():
        raise ExportDamaged(f"the export in {folder} was not finished: resume what writes it, or export anew")
    for is_there, read in _FOREIGN:
        if is_there(folder):
            return read(folder)
    raise ExportUnsupported(
        f"{folder} holds no export that is known: neither manifest.json of Isthmus, nor AWSDynamoDB, nor .bson files"
    )


def ours(manifest: Manifest, folder: Path) -> Contents:
    """What a manifest says.

    :raises ExportDamaged: there are files beside those that it knows, or one of them is missing
    """
    check_nothing_surplus(folder, manifest.tables)
    for file in (file for entry in manifest.tables for file in entry.files):
        inside(folder, file.path)
    layout = layout_named(manifest.format)(folder, manifest.compression)
    by_name = {entry.table.name: entry for entry in manifest.tables}
    return Contents(
        layout,
        {name: entry.files for name, entry in by_name.items()},
        {name: entry.table for name, entry in by_name.items()},
        {name: entry.items for name, entry in by_name.items() if entry.items is not None},
        {name: entry.digest for name, entry in by_name.items() if entry.digest is not None},
    )


def _aws(folder: Path) -> Contents:
    exports = aws_exports.read_exports(folder)
    files = {export.table: export.files for export in exports}
    items = {export.table: export.items for export in exports}
    return Contents(DynamoDBExport(folder, foreign=True), files, {}, items, {})


def _mongodump(folder: Path) -> Contents:
    layout = Mongodump(folder)
    dumped = mongodumps.read_dump(folder, layout.format)
    files = {one.table.name: one.files for one in dumped}
    return Contents(layout, files, {one.table.name: one.table for one in dumped}, {}, {})


_FOREIGN: Final[tuple[tuple[Callable[[Path], bool], Callable[[Path], Contents]], ...]] = (
    (aws_exports.is_there, _aws),
    (mongodumps.is_there, _mongodump),
)


def _with_definitions(found: Contents, tables: Iterable[Table]) -> Contents:
    if found.definitions:
        _check_agreeing(found, tables)
        return found
    given: dict[str, Table] = {}
    for table in tables:
        name = found.named(table)
        if name in given:
            raise InvalidArgument(
                f"table {name!r} of the export in {found.layout.folder} has two definitions: give one"
            )
        given[name] = table
    return Contents(found.layout, found.files, given, found.items, found.digests) if given else found


def _check_agreeing(found: Contents, tables: Iterable[Table]) -> None:
    for table in tables:
        known = found.definitions.get(table.name)
        if known is not None and known.keys != table.keys:
            raise InvalidArgument(
                f"the export in {found.layout.folder} says itself what the key of table {table.name!r} is, and that is "
                "not that of the definition: leave the definition out"
            )
