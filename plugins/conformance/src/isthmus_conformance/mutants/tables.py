"""Mutants whose tables, capabilities or errors are wrong."""

from __future__ import annotations

import threading
from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.embedded import ItemSession
from isthmus.errors import AlreadyExists, ConditionFailed, IsthmusError, TableNotFound
from isthmus.memory import MemoryBackend
from isthmus.memory_tables import Store
from isthmus.schema import Table
from isthmus_conformance.mutants.registry import mutant


@mutant("TAB-1", "TAB-2")
class DropLeavesItems(MemoryBackend):
    """A table that is dropped and created again holds its old items."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._dropped: dict[str, Store] = {}

    def execute(self, operation: op.Operation) -> res.Result:
        stores = self._session.stores
        if isinstance(operation, op.DropTable) and operation.name in stores:
            self._dropped[operation.name] = stores[operation.name]
        result = super().execute(operation)
        if isinstance(operation, op.CreateTable) and operation.table.name in self._dropped:
            stores[operation.table.name] = self._dropped.pop(operation.table.name)
        return result


@mutant("TAB-3", "TAB-2")
class DescribeForgetsIndexes(MemoryBackend):
    """A described table has no indexes."""

    def execute(self, operation: op.Operation) -> res.Result:
        found = super().execute(operation)
        forgetful = isinstance(operation, op.DescribeTable) and isinstance(found, res.TableResult)
        return res.TableResult(evolve(found.table, indexes=())) if forgetful else found  # type: ignore[attr-defined]  # a table


@mutant("TAB-1")
class WritesCreateTables(MemoryBackend):
    """A write to an unknown table creates it."""

    def execute(self, operation: op.Operation) -> res.Result:
        try:
            return super().execute(operation)
        except TableNotFound:
            if not isinstance(operation, (op.Create, op.Put, op.PutMany)):
                raise
            super().execute(op.CreateTable(operation.context, operation.table))
            return super().execute(operation)


@mutant("TAB-1")
class UnknownTablesAreEmpty(MemoryBackend):
    """A read of an unknown table finds nothing, without an error."""

    def execute(self, operation: op.Operation) -> res.Result:
        try:
            return super().execute(operation)
        except TableNotFound:
            if isinstance(operation, op.Get):
                return res.GetResult()
            raise


@mutant("TAB-2")
class CreateTableReplaces(MemoryBackend):
    """Creating a table that exists empties it."""

    def execute(self, operation: op.Operation) -> res.Result:
        if isinstance(operation, op.CreateTable):
            self._session.stores.pop(operation.table.name, None)
        return super().execute(operation)


@mutant("TAB-3")
class OtherKeysAccepted(MemoryBackend):
    """A table is used with whatever key the caller declares."""

    def _stored(self, session: ItemSession, table: Table) -> Table:
        return self._named(session, table.name)


class _Telling(MemoryBackend):
    """Errors go through ``tell``."""

    def tell(self, error: IsthmusError, operation: op.Operation) -> str:
        """Their message."""
        return error.message

    def execute(self, operation: op.Operation) -> res.Result:
        try:
            return super().execute(operation)
        except IsthmusError as error:
            error.args = (self.tell(error, operation),)
            raise


@mutant("TAB-4")
class ErrorsShowValues(_Telling):
    """The message of a failed condition shows the current item."""

    def tell(self, error: IsthmusError, operation: op.Operation) -> str:
        return f"false for {error.current!r}" if isinstance(error, ConditionFailed) else error.message


@mutant("TAB-4")
class ErrorsShowKeys(_Telling):
    """The message of a failed creation shows the key."""

    def tell(self, error: IsthmusError, operation: op.Operation) -> str:
        return f"there is {getattr(operation, 'key', '')!r}" if isinstance(error, AlreadyExists) else error.message


@mutant("TXN-12", "LYR-1")
class PromisesWhatItCannot(MemoryBackend):
    """Transactional reads are declared, and fail."""

    def execute(self, operation: op.Operation) -> res.Result:
        if isinstance(operation, op.TransactGet):
            raise NotImplementedError("transactional reads are not written yet")
        return super().execute(operation)


@mutant("TAB-6")
class OneThreadOnly(MemoryBackend):
    """The backend answers only the thread that opened it, as a plain sqlite3 connection does."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._owner = -1

    def execute(self, operation: op.Operation) -> res.Result:
        if self._owner == -1:
            self._owner = threading.get_ident()
        if threading.get_ident() != self._owner:
            raise RuntimeError("used in another thread")
        return super().execute(operation)


@mutant("TAB-1")
class DroppedTwice(MemoryBackend):
    """Dropping an unknown table succeeds."""

    def execute(self, operation: op.Operation) -> res.Result:
        try:
            return super().execute(operation)
        except TableNotFound:
            if isinstance(operation, op.DropTable):
                return res.DropResult()
            raise
