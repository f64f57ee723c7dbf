"""Folders that mongodump wrote of a database of Isthmus.

The catalogue among the collections says what the tables are. Documents of anybody else have keys that nobody declared,
so a dump without the catalogue is refused: restored into a server, its collections can be read through a mapping.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from isthmus.dumps import DumpFormat
from isthmus.schema import Table
from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.formats.compression import compression_of
from isthmus_migration.formats.files import inside
from isthmus_migration.formats.manifests import FileEntry
from isthmus_migration.formats.mongodump_layout import BSON
from isthmus_migration.formats.records import RecordReader, Spot

_ENDINGS: Final = (BSON, f"{BSON}.gz")
_SERVER_DATABASES: Final = frozenset({"admin", "config", "local"})
_SOME: Final = 1_000


@frozen
class Dumped:
    """One table and its file."""

    table: Table
    files: tuple[FileEntry, ...]


def is_there(folder: Path) -> bool:
    """Whether a folder is a dump of a database, or holds some."""
    return bool(_databases(folder))


def _databases(folder: Path) -> list[Path]:
    if _has_collections(folder):
        return [folder]
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in below if path.name not in _SERVER_DATABASES and _has_collections(path)]


def _has_collections(folder: Path) -> bool:
    return any(path.name.endswith(_ENDINGS) for path in folder.iterdir())


def read_dump(folder: Path, form: DumpFormat) -> list[Dumped]:
    """The tables of a dump.

    :raises ExportDamaged: a file is missing, or there in two forms
    :raises ExportUnsupported: it is of several databases, or of none of Isthmus
    """
    databases = _databases(folder)
    if len(databases) > 1:
        names = ", ".join(path.name for path in databases)
        raise ExportUnsupported(f"{folder} is a dump of several databases: name the folder of one of them: {names}")
    (database,) = databases
    catalogue = _file(database, form.catalogue)
    if catalogue is None:
        raise ExportUnsupported(
            f"{database} is a dump of a database that Isthmus did not make, so the keys of its documents are unknown:"
            " restore it into a MongoDB and name that with a mapping, which says what the keys are"
        )
    dumped = form.tables(_records(inside(database, catalogue.name)))
    if len({one.table.name for one in dumped}) != len(dumped):
        raise ExportUnsupported(f"{database} has tables of one name under two prefixes: restore it and name one prefix")
    return [Dumped(one.table, (_entry(folder, database, one.collection),)) for one in dumped]


def _file(database: Path, collection: str) -> Path | None:
    """The file of a collection, if there is one.

    :raises ExportDamaged: there are two, of two dumps into one folder
    """
    found = [path for ending in _ENDINGS if (path := database / f"{collection}{ending}").exists()]
    if len(found) > 1:
        raise ExportDamaged(
            f"the dump in {database} has {found[0].name} and {found[1].name}, of two dumps: move one of them away"
        )
    return found[0] if found else None


def _entry(folder: Path, database: Path, collection: str) -> FileEntry:
    path = _file(database, collection)
    if path is None:
        raise ExportDamaged(
            f"the dump in {database} lacks the file of collection {collection!r}: dump the database again"
        )
    relative = path.relative_to(folder).as_posix()
    return FileEntry(relative, size=inside(folder, relative).stat().st_size)


def _records(path: Path) -> Iterator[bytes]:
    reader = RecordReader(path, compression_of(path.name), "documents", Spot())
    while records := reader.take(_SOME, 1 << 30):
        yield from records
