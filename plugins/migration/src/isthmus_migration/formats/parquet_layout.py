"""The format ``parquet``: ``<table>/<table>.parquet`` for analytics. It can be written only, and is lossy by nature.

Parts are kept as JSON lines until the table is complete, because only then all types of an attribute are known. What
would lose something is refused by name, unless losses were allowed; the manifest lists them under ``lost``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from isthmus.schema import Table
from isthmus.values import Item
from isthmus_migration.errors import ExportUnsupported
from isthmus_migration.formats.codecs import JsonCodec
from isthmus_migration.formats.compression import Compression
from isthmus_migration.formats.files import replacing, sha256_of
from isthmus_migration.formats.layouts import Layout, WrittenPart, entry_of
from isthmus_migration.formats.manifests import FileEntry, TableEntry
from isthmus_migration.formats.parquet_columns import Column, ColumnFacts, column_of, values_of
from isthmus_migration.formats.records import RecordReader, Spot
from isthmus_migration.formats.unfinished import Begun
from isthmus_migration.places.base import Part

_ROWS: Final = 10_000
_BYTES: Final = 64 << 20
_MOST_NAMED: Final = 20
_KEY_KINDS: Final = {"string": "string", "number": "integer", "binary": "binary"}


class ParquetFiles(Layout):
    """One Parquet file for each table."""

    name = "parquet"
    form = "isthmus-json"
    compressions: ClassVar[tuple[Compression, ...]] = ("zstd", "gzip", "none")
    readable = False

    def __init__(self, folder: Path, compression: str | None = None) -> None:
        super().__init__(folder, compression)
        _pyarrow()

    def codec(self, table: Table) -> JsonCodec:
        return JsonCodec()

    def part_path(self, begun: Begun, part: Part) -> Path:
        return self.staged(begun, part)

    def complete(self, begun: Begun, parts: Sequence[WrittenPart]) -> TableEntry:
        columns = self._columns(begun.table, self._runs(parts))
        lost = _lost(columns)
        if lost and not begun.settings["lossy"]:
            raise _would_lose(begun.table, lost)
        path = self.folder / begun.table.name / f"{begun.table.name}.parquet"
        with replacing(path) as temporary:
            self._write(temporary, columns, parts)
        items = sum(part.facts.items for part in parts)
        file = FileEntry(self.relative(path), items, path.stat().st_size, sha256_of(path))
        details = {"folder": begun.table.name, "own_folder": begun.table.name, "lost": lost}
        return entry_of(begun.table, parts, [file], details)

    def loss(self, table: Table, items: Sequence[Item]) -> ExportUnsupported | None:
        lost = _lost(self._columns(table, [list(items)]))
        return _would_lose(table, lost) if lost else None

    def _columns(self, table: Table, runs: Iterable[list[Item]]) -> list[Column]:
        facts: dict[str, ColumnFacts] = {key.name: ColumnFacts() for key in table.keys}
        count = 0
        for items in runs:
            count += len(items)
            for item in items:
                for name, value in item.items():
                    facts.setdefault(name, ColumnFacts()).see(value)
        if not count:
            return [Column(key.name, _KEY_KINDS[key.type]) for key in table.keys]  # type: ignore[arg-type]  # a kind
        return [column_of(name, found, count) for name, found in facts.items()]

    def _runs(self, parts: Sequence[WrittenPart]) -> Iterator[list[Item]]:
        decode = JsonCodec().decode
        for part in parts:
            if part.path is None:
                continue
            reader = RecordReader(part.path, self.compression, "lines", Spot())
            while records := reader.take(_ROWS, _BYTES):
                yield [decode(record) for record in records]

    def _write(self, path: Path, columns: list[Column], parts: Sequence[WrittenPart]) -> None:
        pa, pq = _pyarrow()
        schema = pa.schema([pa.field(column.name, _arrow_type(pa, column)) for column in columns])
        with pq.ParquetWriter(path, schema, compression=self.compression) as writer:
            for items in self._runs(parts):
                arrays = [pa.array(values_of(column, items), schema.field(place).type)
                          for place, column in enumerate(columns)]  # fmt: skip
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _lost(columns: Iterable[Column]) -> list[str]:
    return [f"{column.name!r}: {'; '.join(column.losses)}" for column in columns if column.losses]


def _arrow_type(pa: Any, column: Column) -> Any:
    types = {
        "string": pa.string, "json": pa.string, "boolean": pa.bool_, "binary": pa.binary, "integer": pa.int64,
        "double": pa.float64,
    }  # fmt: skip
    if column.kind == "decimal":
        return pa.decimal128(column.precision, column.scale)
    return pa.list_(pa.string()) if column.kind == "strings" else types[column.kind]()


def _would_lose(table: Table, lost: list[str]) -> ExportUnsupported:
    named = ", ".join(lost[:_MOST_NAMED])
    more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    return ExportUnsupported(
        f"Parquet has no place for all of table {table.name!r}: {named}{more}. Allow it with --lossy (lossy=True in"
        " Python), or choose the format jsonl"
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExportUnsupported(
            "exports of format parquet need pyarrow: pip install 'isthmus-migration[parquet]'"
        ) from error
    return pa, pq
