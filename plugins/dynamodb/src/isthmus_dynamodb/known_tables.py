"""What is known of stored tables, asked once for each.

A handle with another key is refused before it writes (rule TAB-3).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from attrs import evolve, frozen

from isthmus.errors import SchemaMismatch, TableNotFound, Unavailable
from isthmus.schema import Index, Table
from isthmus_dynamodb.descriptions import building_indexes, described_table
from isthmus_dynamodb.failures import DENIED, NOT_FOUND, UNKNOWN_ACTION
from isthmus_dynamodb.names import TableNames
from isthmus_dynamodb.native import Request, ServiceError

_DENIED = frozenset({DENIED, UNKNOWN_ACTION})


@frozen
class StoredTable:
    """A stored table's keys and indexes.

    :param building: names of indexes that can't be read yet
    """

    table: Table
    building: frozenset[str] = frozenset()


class KnownTables:
    """The stored tables that one backend has met; used by all threads.

    A caller who may not describe tables is trusted with what it declares.
    """

    def __init__(self, names: TableNames) -> None:
        self._names = names
        self._stored: dict[str, StoredTable] = {}
        self._accepted: dict[str, Table] = {}
        self._readable: dict[str, dict[str, Index]] = {}

    def accepts(self, table: Table, index: Index | None = None) -> bool:
        """Whether this very declaration was checked before: a look without I/O for the path of each operation."""
        if self._accepted.get(table.name) is not table:
            return False
        return index is None or self._readable.get(table.name, {}).get(index.name) is index

    def complete(self, table: Table) -> Table:
        """A declared table with the stored indexes that it leaves out: what is written has to fit those too (KEY-10).

        It is the declared one itself where it leaves out none, or where nothing is known yet.
        """
        stored = self._stored.get(table.name)
        if stored is None or stored.table.indexes == table.indexes:
            return table
        names = {index.name for index in table.indexes}
        more = [index for index in stored.table.indexes if index.name not in names]
        return evolve(table, indexes=(*table.indexes, *more)) if more else table

    def forget(self, name: str) -> None:
        """Ask again when a table is used next."""
        self._stored.pop(name, None)
        self._accepted.pop(name, None)
        self._readable.pop(name, None)

    def check(self, table: Table) -> Generator[Any, Any, StoredTable]:
        """The stored table behind a declared one.

        :raises TableNotFound: there is none
        :raises SchemaMismatch: it has another key
        """
        stored = self._stored.get(table.name)
        if stored is None:
            stored = self._stored[table.name] = yield from self._ask(table)
        if stored.table.keys != table.keys:
            self.forget(table.name)
            raise _mismatch(f"table {table.name!r} is stored with another key", table, stored.table)
        self._accepted[table.name] = table
        return stored

    def check_index(self, table: Table, index: Index) -> Generator[Any, Any, None]:
        """Make sure that an index can be read as it is declared.

        :raises SchemaMismatch: it does not exist, or has other keys or another projection
        :raises Unavailable: it is still being built
        """
        stored = yield from self.check(table)
        if index.name in stored.building or index not in stored.table.indexes:
            self.forget(table.name)
            stored = yield from self.check(table)
        if index not in stored.table.indexes:
            self.forget(table.name)
            raise _mismatch(f"index {index.name!r} is not stored as it is declared", table, stored.table)
        if index.name in stored.building:
            self.forget(table.name)
            message = f"index {index.name!r} of table {table.name!r} is still being built: wait until it is active"
            raise Unavailable(message)
        self._readable.setdefault(table.name, {})[index.name] = index

    def _ask(self, table: Table) -> Generator[Any, Any, StoredTable]:
        request = Request("DescribeTable", {"TableName": self._names.native(table.name)})
        try:
            description = (yield request)["Table"]
        except ServiceError as error:
            if error.code == NOT_FOUND:
                raise table_not_found(table.name) from error
            if error.code in _DENIED:
                return StoredTable(table)
            raise
        return StoredTable(described_table(table.name, description), building_indexes(description))


class TrustedTables(KnownTables):
    """Takes each declaration as it is: for plans that are only shown."""

    def accepts(self, table: Table, index: Index | None = None) -> bool:
        return True


def table_not_found(name: str) -> TableNotFound:
    """The error for a table that the service does not know."""
    return TableNotFound(f"table {name!r} does not exist: create it with ensure(), or check region and endpoint")


def _mismatch(problem: str, declared: Table, stored: Table) -> SchemaMismatch:
    differences = [
        text for text in declared.differences(stored) if text.startswith(("partition_key", "sort_key", "index"))
    ]
    return SchemaMismatch(f"{problem}: {'; '.join(differences)}", differences=differences)
