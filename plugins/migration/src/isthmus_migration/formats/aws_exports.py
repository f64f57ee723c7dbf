"""Exports that AWS wrote: what their manifests say, and what of it is believed.

The layout is that of ``dynamodb_layout``. File names in manifests are keys of a bucket; only their last part is used,
below the export's own folder. A definition of the table is not among what AWS writes.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import md5
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from isthmus_migration.errors import ExportDamaged, ExportUnsupported
from isthmus_migration.formats.dynamodb_layout import FILES, OUTPUT, ROOT, SUMMARY
from isthmus_migration.formats.files import inside
from isthmus_migration.formats.manifests import FileEntry

_CHECKSUMS: Final = (".checksum", ".md5")
_DATA_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,250}\.json(?:\.gz|\.zst)?")
_SIGNS: Final = (f"{FILES}.json", "data", "_started")
_LARGEST: Final = 256 << 20
"""Bytes of a manifest that is read."""


@frozen
class AwsExport:
    """One full export of one table."""

    table: str
    items: int
    files: tuple[FileEntry, ...]


def is_there(folder: Path) -> bool:
    """Whether a folder is an export of AWS, or holds some."""
    return bool(_folders(folder))


def _folders(folder: Path) -> list[Path]:
    if (folder / f"{SUMMARY}.json").exists():
        return [folder]
    return [path for path in _below(folder) if (path / f"{SUMMARY}.json").exists()]


def _below(folder: Path) -> list[Path]:
    root = folder / ROOT if (folder / ROOT).is_dir() else folder
    return sorted(path for path in root.iterdir() if path.is_dir())


def _check_finished(folder: Path) -> None:
    """Refuse exports of which the manifest is missing, which their service writes last."""
    for path in () if (folder / f"{SUMMARY}.json").exists() else _below(folder):
        if not (path / f"{SUMMARY}.json").exists() and any((path / name).exists() for name in _SIGNS):
            raise ExportDamaged(
                f"{path} lacks its {SUMMARY}.json, so that export was not finished or not copied whole: get it again,"
                " or move it away"
            )


def read_exports(folder: Path) -> list[AwsExport]:
    """The exports in a folder, one for each table.

    :raises ExportDamaged: a file is missing, surplus or damaged
    :raises ExportUnsupported: they are incremental, Ion, or several of one table
    """
    _check_finished(folder)
    found = [_read(folder, export) for export in _folders(folder)]
    names = [export.table for export in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ExportUnsupported(
            f"{folder} has several exports of table {twice!r}: name the folder of one of them, {ROOT}/<export id>"
        )
    return found


def _read(folder: Path, export: Path) -> AwsExport:
    summary = _summary(export)
    lines = _content(export, FILES).splitlines()
    try:
        entries = [_entry(folder, export, json.loads(line)) for line in lines if line.strip()]
        table = str(summary["tableArn"]).partition(":table/")[2] or export.name
        items = summary["itemCount"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(export / f"{FILES}.json") from error
    _check_files(export, entries)
    if type(items) is not int or items != sum(entry.items or 0 for entry in entries):
        raise ExportDamaged(
            f"the manifests of {export} disagree on the number of items: some of them was changed; get the export again"
        )
    return AwsExport(table, items, tuple(entries))


def _summary(export: Path) -> Mapping[str, Any]:
    try:
        summary = json.loads(_content(export, SUMMARY))
        output, kind = summary["outputFormat"], summary.get("exportType", "FULL_EXPORT")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(export / f"{SUMMARY}.json") from error
    if output != OUTPUT:
        raise ExportUnsupported(
            f"the export in {export} is in the format {output}: export the table again with --export-format {OUTPUT}"
        )
    if kind != "FULL_EXPORT":
        raise ExportUnsupported(
            f"the export in {export} is incremental: it holds changes to apply to a former state, and not the table's"
            " items; make a full export"
        )
    found: Mapping[str, Any] = summary
    return found


def _content(export: Path, name: str) -> bytes:
    """A manifest, after a look at its checksum."""
    path = inside(export, f"{name}.json")
    if path.stat().st_size > _LARGEST:
        raise _damaged(path)
    content = path.read_bytes()
    digest = md5(content, usedforsecurity=False)
    if _stored_checksum(export, name) not in (None, b64encode(digest.digest()).decode(), digest.hexdigest()):
        raise _damaged(path)
    return content


def _stored_checksum(export: Path, name: str) -> str | None:
    """The checksum of a manifest, where its export has one."""
    found = next((f"{name}{end}" for end in _CHECKSUMS if (export / f"{name}{end}").exists()), None)
    if found is None:
        return None
    with inside(export, found).open("rb") as file:
        return file.read(100).decode("ascii", "replace").strip()


def _entry(folder: Path, export: Path, line: Mapping[str, Any]) -> FileEntry:
    name = str(line["dataFileS3Key"]).rpartition("/")[2]
    items = line["itemCount"]
    if type(items) is not int or _DATA_FILE.fullmatch(name) is None:
        raise ValueError
    path = f"{(export / 'data').relative_to(folder).as_posix()}/{name}"
    inside(folder, path)
    return FileEntry(path, items, md5=b64decode(line["md5Checksum"], validate=True).hex())


def _check_files(export: Path, entries: list[FileEntry]) -> None:
    known = {entry.path.rpartition("/")[2] for entry in entries}
    if len(known) != len(entries):
        raise _damaged(export / f"{FILES}.json")
    data = export / "data"
    for path in sorted(data.iterdir()) if data.is_dir() else []:
        if path.name not in known and not path.name.startswith("."):
            raise ExportDamaged(f"{path} is not in the manifest of its export: move it away, or get the export again")


def _damaged(path: Path) -> ExportDamaged:
    return ExportDamaged(f"{path} is damaged, or was changed: get the export again")
