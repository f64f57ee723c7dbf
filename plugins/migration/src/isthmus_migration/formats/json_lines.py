"""The format ``jsonl``: ``<table>/<part>.jsonl.zst``, one item a line.

A line is the lossless JSON of ``isthmus.values.dumps``, and not the text that digests hash: that text is a little
quicker to write, but is no JSON and has no reader, while this one is documented, is read by ``isthmus tables import``
too, and every tool can look into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from isthmus.schema import Table
from isthmus_migration.formats.codecs import JsonCodec
from isthmus_migration.formats.compression import Compression
from isthmus_migration.formats.layouts import Layout, WrittenPart, entry_of, files_of_parts, keep_only
from isthmus_migration.formats.manifests import TableEntry
from isthmus_migration.formats.unfinished import Begun, part_name
from isthmus_migration.places.base import Part


class JsonLines(Layout):
    """Files of lossless JSON in a folder for each table."""

    name = "jsonl"
    form = "isthmus-json"
    compressions: ClassVar[tuple[Compression, ...]] = ("zstd", "gzip", "none")

    def codec(self, table: Table) -> JsonCodec:
        return JsonCodec()

    def part_path(self, begun: Begun, part: Part) -> Path:
        return self.folder / begun.table.name / f"{part_name(part)}.jsonl{self.suffix}"

    def complete(self, begun: Begun, parts: Sequence[WrittenPart]) -> TableEntry:
        data = self.folder / begun.table.name
        keep_only(data, [part.path for part in parts if part.path is not None])
        details = {"folder": begun.table.name, "own_folder": begun.table.name}
        return entry_of(begun.table, parts, files_of_parts(self, parts), details)
