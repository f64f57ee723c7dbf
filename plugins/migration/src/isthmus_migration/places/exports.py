"""Folders with exports as places."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from isthmus.errors import AlreadyExists, IsthmusError, TableNotFound, UnsupportedOperation
from isthmus.schema import Table
from isthmus.slices import Slice
from isthmus.values import Item, ValueLimits, normalise_attributes
from isthmus_migration.digests import BucketDigest, canonical_text
from isthmus_migration.errors import ExportDamaged, ExportUnsupported, WrongState
from isthmus_migration.formats.compression import compression_of
from isthmus_migration.formats.contents import Contents, contents_of, layout_named
from isthmus_migration.formats.files import check_makeable, reachable
from isthmus_migration.formats.layouts import Layout
from isthmus_migration.formats.manifests import is_ours
from isthmus_migration.formats.reading import TableReader, size_of
from isthmus_migration.formats.unfinished import Unfinished
from isthmus_migration.formats.writing import ExportWriter
from isthmus_migration.places.base import Part, Place, Receipt, TableFacts

_DEFAULT: Final = "jsonl"
_UNIT: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,180}")
_RUN: Final = 2_000
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _on_disk(
    method: Callable[Concatenate[ExportPlace, _P], _R],
) -> Callable[Concatenate[ExportPlace, _P], _R]:
    """A method that tells what a disk is in the way of as such."""

    @functools.wraps(method)
    def told(self: ExportPlace, /, *arguments: _P.args, **options: _P.kwargs) -> _R:
        with reachable(self.name):
            return method(self, *arguments, **options)

    return told


class ExportPlace(Place):
    """A folder with an export; make it with :func:`open_export`.

    :ivar format: name of the format
    :ivar compression: of what is written
    """

    holds_keys = False
    keeps_parts = True
    unique_keys = False

    def __init__(
        self, folder: Path, layout: Layout, tables: Sequence[Table], *, found: Contents | None = None,
        lossy: bool = False,
    ) -> None:  # fmt: skip
        self.name = str(folder)
        self.format, self.compression = layout.name, layout.compression
        self.form, self.limits = layout.form, layout.limits
        self._folder, self._layout, self._given = folder, layout, tuple(tables)
        self._lossy = lossy
        self._writer = ExportWriter(folder, layout, lossy=lossy)
        self._known = found
        self._for_writing = found is None
        self._readers: dict[str, TableReader] = {}

    @property
    def readable(self) -> bool:  # type: ignore[override]  # it changes when the export is finished
        """Whether the export is finished and of a format that can be read."""
        return self._layout.readable and not self._is_unfinished()

    def close(self) -> None:
        self._forget()

    # ---- tables ----

    @_on_disk
    def tables(self) -> list[Table]:
        if self._is_unfinished():
            return [begun.table for begun in self._writer.begun().values()]
        found = self._contents()
        return [found.definition(name) for name in sorted(found.files)]

    @_on_disk
    def table(self, name: str) -> Table:
        if not self._is_unfinished():
            return self._contents().definition(name)
        begun = self._writer.begun()
        if name not in begun:
            raise TableNotFound(f"the export in {self.name} has no table {name!r}")
        return begun[name].table

    def _is_unfinished(self) -> bool:
        """Whether there is nothing to read, because it is being written or was not begun."""
        return self._writer.is_open() or (self._for_writing and not is_ours(self._folder))

    @_on_disk
    def facts(self, table: Table) -> TableFacts:
        if self._is_unfinished():
            return TableFacts()
        found = self._contents()
        name = found.named(table)
        items, files = found.items.get(name), found.files[name]
        if items is None and any(compression_of(file.path) != "none" for file in files):
            return TableFacts()  # compressed bytes say little of how many items there are
        return TableFacts(items, sum(size_of(self._folder, file) for file in files))

    @_on_disk
    def digest(self, table: Table) -> BucketDigest | None:
        """What the manifest says all items of a table come to; ``None`` where another tool wrote the export."""
        found = self._contents()
        return found.digests.get(found.named(table))

    def _contents(self) -> Contents:
        if self._is_unfinished():
            raise ExportDamaged(f"the export in {self.name} is not finished yet: resume what writes it, or export anew")
        if self._known is None:
            self._known = contents_of(self._folder, self.format, self._given)
        return self._known

    def _forget(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._known = None

    def unmet_needs(self, table: Table, *, created: bool) -> list[str]:
        try:
            self._layout.check(table)
        except IsthmusError as error:
            return [error.message]
        return []

    def refusal(self, table: Table, item: Item) -> IsthmusError | None:
        try:
            limits = ValueLimits(number_digits=self.limits.number_digits)
            self._layout.codec(table).encode(normalise_attributes(item, limits))
        except IsthmusError as error:
            return error
        return None

    def losses(self, table: Table, items: Sequence[Item]) -> list[str]:
        loss = None if self._lossy else self._layout.loss(table, items)
        return [] if loss is None else [loss.message]

    # ---- reading ----

    @_on_disk
    def units(self, table: Table, wanted: int) -> list[str]:
        return self._reader(table).units(wanted)

    @_on_disk
    def read(self, table: Table, unit: str, cursor: str | None, *, items: int, size: int) -> Slice:
        return self._reader(table).read(unit, cursor, items=items, size=size)

    @_on_disk
    def get_many(self, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        """Look items up, which reads the whole table."""
        wanted = {_key_text(table, key) for key in keys}
        found: dict[bytes, Item] = {}
        for unit in self.units(table, 1) if keys else ():
            cursor: str | None = None
            while len(found) < len(wanted):
                part = self.read(table, unit, cursor, items=_RUN, size=1 << 23)
                texts = ((_key_text(table, item), item) for item in part.items)
                found.update((text, item) for text, item in texts if text in wanted)
                cursor = part.cursor
                if cursor is None:
                    break
        return [found.get(_key_text(table, key)) for key in keys]

    def _reader(self, table: Table) -> TableReader:
        if table.name not in self._readers:
            if not self._layout.readable:
                raise ExportUnsupported(
                    f"exports of format {self.format} are for other programs and can't be read back: use another format"
                )
            found = self._contents()
            files = found.files[found.named(table)]
            self._readers[table.name] = TableReader(self._folder, found.layout, table, files)
        return self._readers[table.name]

    # ---- writing ----

    @_on_disk
    def create(self, table: Table) -> None:
        if table.name in {known.name for known in self.tables()}:
            raise AlreadyExists(f"the export in {self.name} has a table {table.name!r} already: name another folder")
        self._forget()
        self._writer.create(table)

    @_on_disk
    def drop(self, table: Table) -> None:
        self._forget()
        self._writer.drop(table)

    @_on_disk
    def put_many(
        self, table: Table, items: Sequence[Item], part: Part, *, normal: bool = False, new: bool = False
    ) -> Receipt:
        """Write the file of one slice, in the place of the one that an earlier run of the slice wrote.

        :raises WrongState: the export is finished
        """
        if _UNIT.fullmatch(part.unit) is None or part.sequence < 0:
            raise WrongState("the name of a unit can't be a file's: plan the migration again")
        return Receipt(self._writer.put(table, items, part))

    def delete_many(self, table: Table, keys: Sequence[Item]) -> Receipt:
        raise UnsupportedOperation(
            f"items can't be deleted from the export in {self.name}: export anew", capability="delete",
            reason="files of an export are written once",
        )  # fmt: skip

    @_on_disk
    def has_part(self, table: Table, part: Part) -> bool:
        return self._writer.has_part(table, part)

    @_on_disk
    def finish(self, table: Table, parts: Sequence[Part]) -> None:
        """Make a table's files final; the manifest is written when this was the last table. It may be called again.

        :param parts: those that were written, in the order that their items shall have
        :raises ExportDamaged: the file of a part is gone
        :raises ExportUnsupported: the format would lose something, and nobody said that it may
        """
        self._writer.finish(table, parts)
        self._forget()


def _key_text(table: Table, item: Item) -> bytes:
    return canonical_text([item[name] for name in table.key_names])


def open_export(
    folder: str | Path,
    *,
    format: str | None = None,
    compression: str | None = None,
    create: bool = False,
    tables: Sequence[Table] = (),
    lossy: bool = False,
) -> ExportPlace:
    """Open a folder with an export, or one that shall get one.

    :param format: ``jsonl``, ``dynamodb``, ``mongodump`` or ``parquet``; what an existing export has when left out, and
        ``jsonl`` for a new one
    :param compression: ``zstd``, ``gzip`` or ``none``, for a new export; its format's usual one when left out
    :param create: open it for writing; else it must be finished
    :param tables: definitions of tables, for exports that AWS wrote, which have none
    :param lossy: whether a format may lose what it has no place for; the manifest lists it
    :raises ExportDamaged: the folder is missing, or its export unfinished or damaged
    :raises ExportUnsupported: it holds something else, or another format
    :raises InvalidArgument: there is no such format or compression
    :raises ConfigurationError: a folder to write into can't be made
    :raises Unavailable: its disk is in the way, here and in all methods
    """
    path = Path(folder)
    with reachable(str(folder)):
        if create:
            return ExportPlace(path, _layout_to_write(path, format, compression), tables, lossy=lossy)
        found = contents_of(path, format, tables)
        return ExportPlace(path, found.layout, tables, found=found)


def _layout_to_write(folder: Path, name: str | None, compression: str | None) -> Layout:
    there = _existing_layout(folder)
    if there is None:
        check_makeable(folder)
        return layout_named(name or _DEFAULT)(folder, compression)
    wanted = (name or there.name, compression or there.compression)
    if wanted != (there.name, there.compression):
        raise ExportUnsupported(
            f"{folder} has an export of format {there.name} with compression {there.compression}: name another folder,"
            " or the same format"
        )
    return there


def _existing_layout(folder: Path) -> Layout | None:
    """The layout of the export that a folder has; ``None`` if it is empty or missing."""
    if is_ours(folder):
        return contents_of(folder, None, ()).layout
    begun = Unfinished(folder).begun()
    if begun:
        settings = next(iter(begun.values())).settings
        return layout_named(settings["format"])(folder, settings["compression"])
    if folder.exists() and (not folder.is_dir() or any(not path.name.startswith(".") for path in folder.iterdir())):
        raise ExportUnsupported(f"{folder} holds something else already: name an empty or a new folder")
    return None
