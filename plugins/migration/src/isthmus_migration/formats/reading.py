"""Reading a table of an export in units and slices.

A unit is a run of files, or of sections of a file where these are known. A cursor is a file, a frame in it and the
records of that frame that were read already, so resuming decompresses at most one frame again; a file that is a single
frame, as AWS writes them, from its beginning. A reader stays open between the slices of a unit in one process, so that
costs something only after a restart.

Every file is compared with its checksum before its first record is used in a process, where a checksum is known, and
its records are counted. So a record that is malformed was written like that: it is reported with its bytes, file and
number, and the others are read on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from isthmus.errors import InvalidCursor, InvalidStoredValue
from isthmus.results import Unreadable
from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus.values import Item
from isthmus_migration.errors import ExportDamaged
from isthmus_migration.formats.codecs import check_read_key
from isthmus_migration.formats.compression import compression_of
from isthmus_migration.formats.files import inside, md5_of, sha256_of
from isthmus_migration.formats.layouts import Layout
from isthmus_migration.formats.manifests import FileEntry
from isthmus_migration.formats.records import RecordReader, Spot

_OPEN: Final = 4
"""Files that stay open between slices."""


@frozen
class Position:
    """A place in a table: the number of a file, and a place in it."""

    file: int
    spot: Spot = field(factory=Spot)

    def to_list(self) -> list[int]:
        """The position as JSON-ready data."""
        return [self.file, self.spot.offset, self.spot.skip, self.spot.number]

    @classmethod
    def from_list(cls, data: Any) -> Position:
        """The position that ``to_list`` described.

        :raises ValueError: it is none
        """
        file, *rest = data
        if any(type(number) is not int or number < 0 for number in data) or len(rest) != 3:
            raise ValueError
        return cls(file, Spot(*rest))


@frozen
class Span:
    """A unit: from one position up to another one, at which a frame begins."""

    start: Position
    end: Position

    def to_text(self) -> str:
        """The unit as text."""
        return json.dumps([self.start.to_list(), self.end.to_list()], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Span:
        """The unit of a text.

        :raises InvalidCursor: it is none
        """
        try:
            start, end = json.loads(text)
            return cls(Position.from_list(start), Position.from_list(end))
        except (ValueError, TypeError):
            raise _damaged_cursor() from None


def _damaged_cursor() -> InvalidCursor:
    return InvalidCursor("a unit or cursor of an export is damaged, or another place's: plan the migration again")


def _position_in(span: Span, cursor: str) -> Position:
    """The position of a cursor.

    :raises InvalidCursor: it is none, or none inside of the unit
    """
    try:
        place = Position.from_list(json.loads(cursor))
    except (ValueError, TypeError):
        raise _damaged_cursor() from None
    if _is_over(place, span.end) or not _is_over(place, span.start):
        raise _damaged_cursor()
    return place


def _is_over(place: Position, end: Position) -> bool:
    return (place.file, place.spot.offset) >= (end.file, end.spot.offset)


class TableReader:
    """Reads one table; used by one thread at a time."""

    def __init__(self, folder: Path, layout: Layout, table: Table, files: Sequence[FileEntry]) -> None:
        self._folder, self._table, self._files = folder, table, tuple(files)
        self._kind, self._form = layout.kind, layout.form
        self._decode = layout.codec(table).decode
        self._sound: set[int] = set()
        self._open: dict[tuple[Position, Position], RecordReader] = {}

    def close(self) -> None:
        """Release all files."""
        for reader in self._open.values():
            reader.close()
        self._open.clear()

    # ---- units ----

    def units(self, wanted: int) -> list[str]:
        """Divide the table; about so many units, of about the same size."""
        points = self._points()
        sizes = [self._size(here, there) for here, there in pairwise(points)]
        share = max(sum(sizes) / max(wanted, 1), 1)
        starts, gathered = [points[0]], 0.0
        for point, size in zip(points[1:-1], sizes, strict=False):
            gathered += size
            if gathered >= share * len(starts):
                starts.append(point)
        ends = [*starts[1:], points[-1]]
        return [Span(start, end).to_text() for start, end in zip(starts, ends, strict=True)]

    def _points(self) -> list[Position]:
        """Where units may begin, and the end."""
        points: list[Position] = []
        for number, entry in enumerate(self._files):
            points.append(Position(number))
            points += [Position(number, Spot(frame.offset, 0, frame.number)) for frame in entry.frames]
        return [*points, Position(len(self._files))] if points else [Position(0), Position(0)]

    def _size(self, here: Position, there: Position) -> int:
        if here.file == there.file:
            return there.spot.offset - here.spot.offset
        return size_of(self._folder, self._files[here.file]) - here.spot.offset

    # ---- slices ----

    def read(self, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        """Read a run of a unit's items; see ``isthmus.slices``."""
        span = Span.from_text(unit)
        place = span.start if cursor is None else _position_in(span, cursor)
        found: list[Item] = []
        faults: list[Unreadable] = []
        while not _is_over(place, span.end):
            reader = self._reader(place, span.end)
            with _closed_on_error(reader):
                before = reader.spot.number
                records = reader.take(items, size)
                self._decoded(place.file, before, records, found, faults)
                items, size = items - len(records), size - sum(map(len, records))
                place = self._after(place, reader, span.end)
            if items <= 0 or size <= 0:
                break
        over = _is_over(place, span.end)
        return Slice(found, None if over else json.dumps(place.to_list()), tuple(faults))

    def _reader(self, place: Position, end: Position) -> RecordReader:
        reader = self._open.pop((place, end), None)
        if reader is not None:
            return reader
        if place.file >= len(self._files):
            raise _damaged_cursor()
        entry = self._files[place.file]
        path = self._checked(place.file, entry)
        stop = end.spot.offset if end.file == place.file else None
        return RecordReader(path, compression_of(path.name), self._kind, place.spot, stop)

    def _after(self, place: Position, reader: RecordReader, end: Position) -> Position:
        """Where the next slice begins; the reader is kept for it."""
        if not reader.ended:
            following = evolve(place, spot=reader.spot)
            self._keep(following, end, reader)
            return following
        reader.close()
        self._count(place.file, reader.spot.number, end)
        return end if end.file == place.file else Position(place.file + 1)

    def _keep(self, place: Position, end: Position, reader: RecordReader) -> None:
        if len(self._open) >= _OPEN:
            oldest = next(iter(self._open))
            self._open.pop(oldest).close()
        self._open[place, end] = reader

    def _count(self, file: int, number: int, end: Position) -> None:
        entry = self._files[file]
        wanted = end.spot.number if end.file == file else entry.items
        if wanted is not None and number != wanted:
            raise ExportDamaged(
                f"{entry.path} has {number} records where its manifest says {wanted}: get the export again"
            )

    def _decoded(
        self, file: int, number: int, records: Sequence[bytes], found: list[Item], faults: list[Unreadable]
    ) -> None:
        decode, table = self._decode, self._table
        for record in records:
            number += 1
            try:
                item = decode(record)
                check_read_key(table, item)
            except InvalidStoredValue as error:
                name = f"{self._files[file].path}:{number}"
                faults.append(Unreadable(error, name=name, original=record, form=self._form))
            else:
                found.append(item)

    # ---- files ----

    def _checked(self, number: int, entry: FileEntry) -> Path:
        """A file that is as its manifest says."""
        path = inside(self._folder, entry.path)
        if number in self._sound:
            return path
        problem = _problem(path, entry)
        if problem:
            raise ExportDamaged(f"{entry.path} {problem}: it was damaged or changed, get the export again")
        self._sound.add(number)
        return path


@contextmanager
def _closed_on_error(reader: RecordReader) -> Iterator[None]:
    try:
        yield
    except BaseException:
        reader.close()
        raise


def _problem(path: Path, entry: FileEntry) -> str:
    """In what a file differs from its entry, or nothing."""
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        return f"has {size} bytes where its manifest says {entry.size}"
    if not size and entry.items != 0 and compression_of(path.name) != "none":
        return "has 0 bytes, which no compressed file has"
    sound = entry.sha256 is None or sha256_of(path) == entry.sha256
    sound = sound and (entry.md5 is None or md5_of(path).hex() == entry.md5)
    return "" if sound else "does not have the checksum that its manifest says"


def size_of(folder: Path, entry: FileEntry) -> int:
    """Bytes of a file, as they are known or else as they are."""
    return entry.size if entry.size is not None else inside(folder, entry.path).stat().st_size
