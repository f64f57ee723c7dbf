"""What is known of an export while it is written, in the folder ``.isthmus-export`` of it.

Each table has ``<table>.table.json`` from its creation on, and ``<table>.done.json`` once its files are final. Each
part has ``parts/<table>/<part>.json``: what was written, so that finishing needn't read the items again. A part's facts
are used only if its file still has their checksum, so it doesn't matter where a crash falls between the two. Each of
these files has a line with the checksum of its own text before that.
"""

from __future__ import annotations

import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from isthmus.schema import Table
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged
from isthmus_migration.formats.files import write_file
from isthmus_migration.formats.manifests import TableEntry
from isthmus_migration.places.base import Part

NAME: Final = ".isthmus-export"


@frozen
class Begun:
    """A table that was created.

    :param settings: of the export: format, compression, and what the format decided for this table
    """

    table: Table
    settings: Mapping[str, Any]


@frozen
class PartFacts:
    """What was written as one part.

    :param size: bytes of its file
    :param sha256: of its file, hexadecimal; empty for a part without items, which has no file
    """

    items: int
    size: int = 0
    sha256: str = ""
    digest: BucketDigest = field(factory=BucketDigest, repr=False)


def part_name(part: Part) -> str:
    """The name of a part's file, without its ending; parts sort in the order of their numbers."""
    return f"{part.unit}-{part.sequence:06d}"


class Unfinished:
    """The state of an export in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / NAME

    def exists(self) -> bool:
        """Whether something was begun here."""
        return self.folder.is_dir()

    def begin(self, begun: Begun) -> None:
        """Note a new table, of which nothing counts that a former one of its name left."""
        self.forget(begun.table.name)
        content = {"table": begun.table.to_dict(), "settings": dict(begun.settings)}
        self._write(self._file(begun.table.name, "table"), content)

    def begun(self) -> dict[str, Begun]:
        """All tables, by their names and in their order."""
        found = [self._read(path) for path in sorted(self.folder.glob("*.table.json"))]
        tables = [Begun(Table.from_dict(content["table"]), content["settings"]) for content in found]
        return {begun.table.name: begun for begun in tables}

    def complete(self, entry: TableEntry) -> None:
        """Note that the files of a table are final."""
        self._write(self._file(entry.table.name, "done"), entry.to_dict())

    def completed(self, name: str) -> TableEntry | None:
        """The final files of a table, if they are."""
        path = self._file(name, "done")
        return TableEntry.from_dict(self._read(path)) if path.exists() else None

    def forget(self, name: str) -> None:
        """Remove what is known of a table."""
        self._file(name, "table").unlink(missing_ok=True)
        self._file(name, "done").unlink(missing_ok=True)
        self.forget_parts(name)

    def forget_parts(self, name: str) -> None:
        """Remove what is known of a table's parts, staged files included."""
        shutil.rmtree(self.parts(name), ignore_errors=True)

    def remove(self) -> None:
        """Remove everything that is known."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- parts ----

    def parts(self, name: str) -> Path:
        """The folder of a table's parts."""
        return self.folder / "parts" / name

    def note_part(self, name: str, part: Part, facts: PartFacts) -> None:
        """Note what was written as a part."""
        content = {"items": facts.items, "size": facts.size, "sha256": facts.sha256,
                   "digest": b64encode(facts.digest.pack()).decode()}  # fmt: skip
        self._write(self._facts(name, part), content)

    def part(self, name: str, part: Part) -> PartFacts | None:
        """What was written as a part, if it was."""
        path = self._facts(name, part)
        if not path.exists():
            return None
        content = self._read(path)
        digest = BucketDigest.unpack(b64decode(content["digest"]))
        return PartFacts(content["items"], content["size"], content["sha256"], digest)

    def _facts(self, name: str, part: Part) -> Path:
        return self.parts(name) / f"{part_name(part)}.json"

    def _file(self, name: str, kind: str) -> Path:
        return self.folder / f"{name}.{kind}.json"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        text = json.dumps(content)
        write_file(path, [f"{_checksum(text)}\n{text}".encode()])

    def _read(self, path: Path) -> Any:
        """What was written to a file.

        :raises ExportDamaged: it was damaged since
        """
        checksum, _end, text = path.read_bytes().decode("utf-8", "replace").partition("\n")
        if checksum != _checksum(text):
            raise ExportDamaged(f"{path} is damaged: remove the folder of the export, and export anew")
        return json.loads(text)


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()
