"""The backend: each operation is one LMDB transaction, so it sees one moment and is applied whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby, takewhile
from typing import Any, ClassVar, cast

import lmdb
from attrs import frozen

from isthmus import Capabilities, Capability, IsthmusError, Limits, Table
from isthmus.backends import Clock
from isthmus.embedded import NO_OPERATION_IDS, EmbeddedBackend, Session
from isthmus.errors import BackendError, Throttled
from isthmus.operations import ItemKey, Operation, Query, Scan
from isthmus.pages import used_index
from isthmus.schema import Index
from isthmus.values import Item
from isthmus_lmdb import layout
from isthmus_lmdb.files import File, release, used

_TABLE, _TOKEN, _EXPIRY = b"T", b"I", b"E"
Entry = tuple[bytes, bytes]


class LMDBBackend(EmbeddedBackend):
    """One LMDB file: durable, and safe for several threads and processes."""

    name: ClassVar[str] = "lmdb"
    capabilities = Capabilities.full_except({Capability.OPERATION_ID: NO_OPERATION_IDS})
    limits = Limits(number_digits=38)

    def __init__(self, file: File, clock: Clock = time.time) -> None:
        super().__init__(clock)
        self._file = file

    @contextmanager
    def session(self, operation: Operation) -> Iterator[Session]:
        file = self._file
        with used(file), file.write(operation) if operation.writes else file.environment.begin() as transaction:
            yield LMDBSession(transaction)

    def translate_error(self, error: Exception, operation: Operation) -> IsthmusError | None:
        if isinstance(error, (lmdb.MapFullError, lmdb.MapResizedError)):
            return BackendError("the LMDB file has outgrown its map: open it with a larger ?map_size= in the URL")
        if isinstance(error, lmdb.ReadersFullError):
            return Throttled("too many readers use the LMDB file at once: try again later")
        return None

    def native(self) -> lmdb.Environment:
        return self._file.environment

    def close(self) -> None:
        release(self._file)


@frozen
class LMDBSession(Session):
    """One LMDB transaction."""

    transaction: Any

    # ---- tables ----

    def find_table(self, name: str) -> Table | None:
        data = self.transaction.get(_TABLE + name.encode())
        return None if data is None else _table(data)

    def list_tables(self) -> Iterable[str]:
        return [key[len(_TABLE) :].decode() for key, _data in self._between(_TABLE, layout.after(_TABLE))]

    def create_table(self, table: Table) -> None:
        self.transaction.put(_TABLE + table.name.encode(), layout.pack(table.to_dict()))

    def drop_table(self, table: Table) -> None:
        for prefix in (layout.rows(table), *(layout.rows(table, index) for index in table.indexes)):
            for key in [key for key, _data in self._between(prefix, layout.after(prefix))]:
                self.transaction.delete(key)
        self.transaction.delete(_TABLE + table.name.encode())

    # ---- items ----

    def read(self, table: Table, key: ItemKey) -> Item | None:
        data = self.transaction.get(layout.key_at(layout.row_place(table, key)))
        return None if data is None else layout.unpack(data)

    def replace(self, table: Table, key: ItemKey, item: Item | None) -> None:
        row = layout.key_at(layout.row_place(table, key))
        if table.indexes:
            self._replace_entries(table, row, self.read(table, key), item)
        if item is None:
            self.transaction.delete(row)
        else:
            self.transaction.put(row, layout.pack(item))

    def _replace_entries(self, table: Table, row: bytes, old: Item | None, new: Item | None) -> None:
        """An index entry holds the key of its row."""
        for index in table.indexes:
            before, then = (item and layout.index_place(table, index, item) for item in (old, new))
            if before and before != then:
                self.transaction.delete(layout.key_at(before))
            if then and before != then:
                self.transaction.put(layout.key_at(then), row)

    def query(self, table: Table, query: Query) -> Iterable[Item]:
        return self._items(table, used_index(query), layout.query_span(table, query), query.forward)

    def scan(self, table: Table, scan: Scan) -> Iterable[Item]:
        return self._items(table, None, layout.scan_span(table, scan), True)

    def _items(self, table: Table, index: Index | None, span: layout.Span, forward: bool) -> Iterator[Item]:
        # Whatever shares the ends' first bytes is read too, and left out by its whole place.
        start, stop = span[0][: layout.HEAD], span[1]
        stop = stop if len(stop) < layout.HEAD else layout.after(stop[: layout.HEAD])
        entries = self._between(start, stop, forward)
        for _head, group in groupby(entries, lambda entry: entry[0][: layout.HEAD]):
            found = [self._placed(table, index, entry) for entry in group]
            found.sort(key=lambda pair: pair[0], reverse=not forward)
            yield from (item for place, item in found if span[0] <= place < span[1])

    def _placed(self, table: Table, index: Index | None, entry: Entry) -> tuple[bytes, Item]:
        key, value = entry
        item = layout.unpack(value if index is None else self.transaction.get(value))
        if len(key) < layout.LONGEST:
            return key, item
        place = layout.row_place(table, item) if index is None else layout.index_place(table, index, item)
        return cast("bytes", place), item

    def _between(self, start: bytes, stop: bytes, forward: bool = True) -> Iterator[Entry]:
        """Entries with ``start <= key < stop``."""
        cursor = self.transaction.cursor()
        if forward:
            entries = cursor.iternext() if cursor.set_range(start) else ()
            return takewhile(lambda entry: entry[0] < stop, entries)
        found = cursor.prev() if cursor.set_range(stop) else cursor.last()
        return takewhile(lambda entry: entry[0] >= start, cursor.iterprev() if found else ())

    # ---- tokens ----

    def token(self, token: str, now: float) -> bytes | None:
        for key, name in list(self._between(_EXPIRY, _EXPIRY + int(now + 1).to_bytes(8))):
            self.transaction.delete(key)
            self.transaction.delete(_TOKEN + name)
        return cast("bytes | None", self.transaction.get(_TOKEN + token.encode()))

    def keep_token(self, token: str, digest: bytes, expires: float) -> None:
        self.transaction.put(_TOKEN + token.encode(), digest)
        self.transaction.put(_EXPIRY + int(expires).to_bytes(8) + token.encode(), token.encode())


@lru_cache
def _table(data: bytes) -> Table:
    """A stored definition; parsed once, since every operation looks it up."""
    return Table.from_dict(layout.unpack(data))
