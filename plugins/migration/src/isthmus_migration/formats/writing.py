"""Writing an export part by part, and finishing it.

Workers write parts at the same time; creating, finishing and dropping is the coordinator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from isthmus.errors import IsthmusError, TableNotFound
from isthmus.schema import Table
from isthmus.values import Item, ValueLimits, normalise_attributes
from isthmus_migration.digests import BucketDigest
from isthmus_migration.errors import ExportDamaged, WrongState
from isthmus_migration.formats import manifests
from isthmus_migration.formats.codecs import check_written_key
from isthmus_migration.formats.compression import frames_of
from isthmus_migration.formats.files import inside, remove_leftovers, sha256_of, write_file
from isthmus_migration.formats.layouts import Layout, WrittenPart
from isthmus_migration.formats.manifests import FileEntry, Manifest, TableEntry, read_manifest
from isthmus_migration.formats.reading import TableReader
from isthmus_migration.formats.records import check_length
from isthmus_migration.formats.unfinished import Begun, PartFacts, Unfinished
from isthmus_migration.places.base import Part, Refusal

_RUN = 2_000


class ExportWriter:
    """Writes into one folder."""

    def __init__(self, folder: Path, layout: Layout, *, lossy: bool) -> None:
        self._folder, self._layout, self._lossy = folder, layout, lossy
        self._state = Unfinished(folder)
        self._begun: dict[str, Begun] = {}

    def is_open(self) -> bool:
        """Whether the export was begun and is not finished."""
        return self._state.exists() and not (self._folder / manifests.NAME).exists()

    def begun(self) -> dict[str, Begun]:
        """The tables of an export that is not finished."""
        return self._state.begun()

    # ---- tables ----

    def create(self, table: Table) -> None:
        """Begin a table; a finished export is an unfinished one again."""
        self._layout.check(table)
        self._reopen()
        self._state.begin(Begun(table, self._settings(table)))

    def _settings(self, table: Table) -> dict[str, object]:
        layout = self._layout
        common = {"format": layout.name, "compression": layout.compression, "lossy": self._lossy}
        return {**common, **layout.settings(table)}

    def _reopen(self) -> None:
        path = self._folder / manifests.NAME
        if not path.exists():
            return
        manifest = read_manifest(self._folder)
        self._state.remove()
        for entry in manifest.tables:
            self._state.begin(Begun(entry.table, self._settings(entry.table)))
            self._state.complete(entry)
        path.unlink()

    def drop(self, table: Table) -> None:
        """Remove a table's files, and all of the export with its last table."""
        self._reopen()
        begun = self._state.begun().get(table.name)
        if begun is None:
            raise TableNotFound(f"the export in {self._folder} has no table {table.name!r}")
        entry = self._state.completed(table.name) or self._layout.complete(begun, [])
        self._layout.remove(entry)
        self._begun.pop(table.name, None)
        if len(self._state.begun()) > 1:
            self._state.forget(table.name)
            self._conclude()
        else:
            self._remove_rest()

    def _remove_rest(self) -> None:
        """Remove what is left without tables; what is known of the last one goes last, so that it can be done again."""
        self._layout.remove_rest()
        remove_leftovers(self._folder)
        self._state.remove()
        with suppress(OSError):
            self._folder.rmdir()

    # ---- parts ----

    def put(self, table: Table, items: Sequence[Item], part: Part) -> tuple[Refusal, ...]:
        """Write one part; items that the format has no place for, or that could not be read back, are refused."""
        begun = self._table(table)
        path = self._layout.part_path(begun, part)
        records, kept, refusals = self._encoded(table, items)
        if not records:
            path.unlink(missing_ok=True)
            self._state.note_part(table.name, part, PartFacts(0))
            return refusals
        write_file(path, frames_of(records, self._layout.compression))
        digest = BucketDigest.of(kept, table.key_names)
        facts = PartFacts(len(kept), path.stat().st_size, sha256_of(path), digest)
        self._state.note_part(table.name, part, facts)
        return refusals

    def _encoded(self, table: Table, items: Iterable[Item]) -> tuple[list[bytes], list[Item], tuple[Refusal, ...]]:
        encode = self._layout.codec(table).encode
        limits = ValueLimits(number_digits=self._layout.limits.number_digits)
        records, kept, refusals = [], [], []
        for position, item in enumerate(items):
            try:
                # Stores can hold what others wrote and no reader of files takes, deeper nesting say.
                ready = normalise_attributes(item, limits)
                check_written_key(table, ready)
                records.append(check_length(encode(ready)))
            except IsthmusError as error:
                refusals.append(Refusal(position, error))
            else:
                kept.append(ready)
        return records, kept, tuple(refusals)

    def _table(self, table: Table) -> Begun:
        """What is known of a table that is written.

        :raises WrongState: it is final already
        :raises TableNotFound: it was never created
        """
        known = self._begun.get(table.name) or self._state.begun().get(table.name)
        if not self.is_open() or (known is not None and self._state.completed(table.name)):
            raise WrongState(
                f"table {table.name!r} of the export in {self._folder} is complete: export anew to change it"
            )
        if known is None:
            raise TableNotFound(f"the export in {self._folder} has no table {table.name!r}: create it first")
        self._begun[table.name] = known
        return known

    # ---- finishing ----

    def has_part(self, table: Table, part: Part) -> bool:
        """Whether a part was written, and its table is not complete yet."""
        return self._state.part(table.name, part) is not None

    def finish(self, table: Table, parts: Sequence[Part]) -> None:
        """Make a table final; the last one makes the export final."""
        if not self.is_open() and (self._folder / manifests.NAME).exists():
            self._state.remove()
            return
        if self._state.completed(table.name) is None:
            begun = self._table(table)
            written = [self._written(begun, part) for part in parts]
            self._state.complete(self._layout.complete(begun, written))
        self._state.forget_parts(table.name)
        self._conclude()

    def _written(self, begun: Begun, part: Part) -> WrittenPart:
        """A part and what is in it.

        :raises ExportDamaged: its file is gone
        """
        path = self._layout.part_path(begun, part)
        facts = self._state.part(begun.table.name, part)
        if facts is not None and not facts.items and not path.exists():
            return WrittenPart(part, facts, None)
        if not path.exists():
            raise ExportDamaged(f"{path} is gone, which a slice had written: export anew")
        checksum = sha256_of(path)
        if facts is None or facts.sha256 != checksum:
            facts = self._read_again(begun.table, path, checksum)
        return WrittenPart(part, facts, path)

    def _read_again(self, table: Table, path: Path, checksum: str) -> PartFacts:
        """What is in a part whose writer ended before it could note that."""
        size = path.stat().st_size
        entry = FileEntry(path.relative_to(self._folder).as_posix())
        digest, cursor, count = BucketDigest(), None, 0
        with closing(TableReader(self._folder, self._layout, table, [entry])) as reader:
            while True:
                found = reader.read(reader.units(1)[0], cursor, items=_RUN, size=1 << 23)
                if found.unreadable:
                    raise ExportDamaged(f"{path} is damaged: export anew")
                digest.add(found.items, table.key_names)
                count, cursor = count + len(found.items), found.cursor
                if cursor is None:
                    break
        if not count:  # a part without items has no file
            raise ExportDamaged(f"{path} is damaged: export anew")
        return PartFacts(count, size, checksum, digest)

    def _conclude(self) -> None:
        """Write the manifest, if no table is missing."""
        entries: list[TableEntry] = []
        for name in self._state.begun():
            entry = self._state.completed(name)
            if entry is None:
                return
            for file in entry.files:
                inside(self._folder, file.path)
            entries.append(entry)
        self._layout.conclude(entries)
        remove_leftovers(self._folder)
        made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        Manifest(self._layout.name, self._layout.compression, made, tuple(entries)).write(self._folder)
        self._state.remove()
