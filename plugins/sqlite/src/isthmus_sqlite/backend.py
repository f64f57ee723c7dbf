"""The backend: operations to statements."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ClassVar, cast

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Support, Unsupported
from isthmus.errors import AlreadyExists, ConfigurationError, DeadlineExceeded, IsthmusError
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.values import Item, loads_trusted
from isthmus.writes import write
from isthmus_sqlite import catalogue, filters, paging, transactions
from isthmus_sqlite.catalogue import Catalogue
from isthmus_sqlite.failures import missing_table, translate
from isthmus_sqlite.layout import Layout
from isthmus_sqlite.options import Options
from isthmus_sqlite.sessions import Session, Sessions

# The first SQLite with "->", UPSERT and RETURNING.
_OLDEST = (3, 38, 0)
_CHUNK = 10_000
# Expired items are removed by every so many writes, so many at once.
_PURGE_EVERY, _PURGE_ITEMS = 64, 256


def capabilities(path: str | None, synchronous: str) -> Capabilities:
    """What a database offers."""
    exceptions: dict[Capability, Support] = {}
    if path is None:
        exceptions[Capability.DURABLE] = Unsupported("the database is in memory; use sqlite:/// for a file")
        exceptions[Capability.SHARED_BY_PROCESSES] = Unsupported("each process has a memory of its own; use a file")
    elif synchronous != "full":
        exceptions[Capability.DURABLE] = Unsupported(
            f"with synchronous={synchronous} a power failure may lose acknowledged writes; use synchronous=full"
        )
    return Capabilities.full_except(exceptions)


class SQLiteBackend(Backend):
    """One SQLite file, or a database in memory."""

    name: ClassVar[str] = "sqlite"
    limits = Limits(number_digits=38)

    def __init__(self, path: str | None, options: Options, clock: Clock = time.time) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: Isthmus needs 3.38 or later")
        self.capabilities = capabilities(path, options.synchronous)
        self._clock = clock
        self._catalogue = Catalogue()
        self._executor: ThreadPoolExecutor | None = None
        self._executor_process = 0
        self._executor_lock = threading.Lock()
        self._threads = options.threads
        self._in_memory = path is None
        self._purge_in = _PURGE_EVERY
        self._sessions = Sessions(path, options, (*filters.FUNCTIONS, *paging.FUNCTIONS))
        self._open()

    def _open(self) -> None:
        """Connect once, so that a file that can't be used is found now."""
        try:
            self._sessions.get()
        except sqlite3.Error as error:
            raise translate(error, writes=False) or error from error

    # ---- life ----

    def execute(self, operation: op.Operation) -> res.Result:
        if self._in_memory:
            with self._sessions.memory_lock:
                return self._answer(operation)
        return self._answer(operation)

    def _answer(self, operation: op.Operation) -> res.Result:
        answer = _ANSWERS[type(operation)]
        try:
            return answer(self, operation)
        except sqlite3.OperationalError as error:
            if not missing_table(error):
                raise
        # The table was dropped, and perhaps created anew, by somebody else.
        self._catalogue.forget(operation.table_names)
        return answer(self, operation)

    async def aexecute(self, operation: op.Operation) -> res.Result:
        # An operation whose caller is cancelled still ends in its thread, so no transaction stays open.
        return await asyncio.get_running_loop().run_in_executor(self._pool(), self.execute, operation)

    def _pool(self) -> ThreadPoolExecutor:
        with self._executor_lock:
            # Threads don't survive a fork.
            if self._executor is None or self._executor_process != os.getpid():
                self._executor_process = os.getpid()
                self._executor = ThreadPoolExecutor(self._threads, "isthmus-sqlite")
            return self._executor

    def translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError | None:
        return translate(error, writes=operation.writes)

    def explain(self, operation: op.Operation) -> dict[str, Any]:
        """The SQL statement of a query or scan."""
        if not isinstance(operation, op.Paged):
            return {}
        layout = self._catalogue.layout(operation.table, self._session(operation.context))
        return paging.plan(layout, operation, self._clock()).explain()

    def native(self) -> sqlite3.Connection:
        """The current thread's connection."""
        return self._sessions.get().connection

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()
        self._sessions.close()

    # ---- tables ----

    def _create_table(self, operation: op.CreateTable) -> res.Result:
        with self._transaction(operation.context) as session:
            catalogue.create(session, operation.table)
        return res.TableResult(operation.table)

    def _describe_table(self, operation: op.DescribeTable) -> res.Result:
        return res.TableResult(catalogue.read(self._session(operation.context), operation.name).table)

    def _list_tables(self, operation: op.ListTables) -> res.Result:
        return res.TablesResult(catalogue.names(self._session(operation.context)))

    def _drop_table(self, operation: op.DropTable) -> res.Result:
        self._catalogue.forget((operation.name,))
        with self._transaction(operation.context) as session:
            catalogue.drop(session, operation.name)
        return res.DropResult()

    # ---- reads ----

    def _get(self, operation: op.Get) -> res.GetResult:
        session = self._sessions.get(operation.context.deadline)
        layout = self._catalogue.layout(operation.table, session)
        params = layout.key(operation.key)
        row = session.execute(layout.get, (*params, self._clock()) if layout.visible else params).fetchone()
        return res.GetResult(None if row is None else _item(row[0], operation.projection))

    def _get_many(self, operation: op.GetMany) -> res.Result:
        session = self._session(operation.context)
        layout = self._catalogue.layout(operation.table, session)
        now = (self._clock(),) if layout.visible else ()
        with session.transaction("BEGIN"):
            found = [session.execute(layout.get, (*layout.key(key), *now)).fetchone() for key in operation.keys]
        return res.GetManyResult([None if row is None else _item(row[0], operation.projection) for row in found])

    def _transact_get(self, operation: op.TransactGet) -> res.Result:
        session = self._session(operation.context)
        with session.transaction("BEGIN"):
            return res.TransactGetResult([self._get(get).item for get in operation.gets])

    def _page(self, operation: op.Paged) -> res.Result:
        session = self._session(operation.context)
        layout = self._catalogue.layout(operation.table, session)
        with session.interrupted_at(operation.context.deadline):
            return paging.read_page(session, paging.plan(layout, operation, self._clock()))

    # ---- writes ----

    def _create(self, operation: op.Create) -> res.Result:
        with self._sessions.writing(operation.context.deadline) as session:
            layout = self._catalogue.layout(operation.table, session)
            now = (self._clock(),) if layout.visible else ()
            written = session.execute(layout.create, (*layout.row(operation.item), *now)).rowcount
            self._purge(session, layout)
        if not written:
            raise AlreadyExists(f"table {operation.table.name!r} has an item with this key: use put to replace it")
        return res.WriteResult()

    def _put(self, operation: op.Put) -> res.Result:
        if operation.condition is not None or operation.returning is not None:
            return self._change(operation)
        with self._sessions.writing(operation.context.deadline) as session:
            layout = self._catalogue.layout(operation.table, session)
            session.execute(layout.put, layout.row(operation.item))
            self._purge(session, layout)
        return res.WriteResult()

    def _change(self, operation: op.Put | op.Update) -> res.Result:
        old, new = self._apply(operation)
        return res.WriteResult(old if operation.returning == "old" else new if operation.returning == "new" else None)

    def _delete(self, operation: op.Delete) -> res.Result:
        old, _new = self._apply(operation)
        return res.DeleteResult(old if operation.returning == "old" else None, existed=old is not None)

    def _apply(self, action: op.Put | op.Update | op.Delete) -> tuple[Item | None, Item | None]:
        """Read, judge and write in one transaction; the images before and after."""
        with self._transaction(action.context) as session:
            layout = self._catalogue.layout(action.table, session)
            now = self._clock()
            old = transactions.current(session, layout, action.key, now)
            new = write(action, old, self.limits, now)
            transactions.store(session, layout, action.key, new)
            self._purge(session, layout)
        return old, new

    def _put_many(self, operation: op.PutMany) -> res.Result:
        return self._write_many(operation, operation.items)

    def _delete_many(self, operation: op.DeleteMany) -> res.Result:
        return self._write_many(operation, operation.keys)

    def _write_many(self, operation: op.PutMany | op.DeleteMany, members: Sequence[Item]) -> res.Result:
        """Chunks, each in a transaction of its own, so that other writers get their turn."""
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            if start:
                _check(operation.context)
            with self._transaction(operation.context) as session:
                layout = self._catalogue.layout(operation.table, session)
                if isinstance(operation, op.PutMany):
                    session.connection.executemany(layout.put, map(layout.row, chunk))
                else:
                    session.connection.executemany(layout.delete, map(layout.key, chunk))
                self._purge(session, layout)
        return res.WriteManyResult(len(members))

    def _transact_write(self, operation: op.TransactWrite) -> res.Result:
        with self._transaction(operation.context) as session:
            layouts = [self._catalogue.layout(action.table, session) for action in operation.actions]
            return transactions.write_all(session, layouts, operation, self.limits, self._clock())

    # ---- helpers ----

    def _session(self, context: op.Context) -> Session:
        return self._sessions.get(context.deadline)

    def _transaction(self, context: op.Context) -> transactions.Writing:
        return transactions.Writing(self._sessions, context.deadline)

    def _purge(self, session: Session, layout: Layout) -> None:
        """Remove some expired items now and then. They are invisible already, so this only frees space."""
        if not layout.visible:
            return
        self._purge_in -= 1
        if self._purge_in <= 0:
            self._purge_in = _PURGE_EVERY
            # The write itself may be committed already, so a failure here must not look like one of the write.
            with suppress(sqlite3.Error):
                session.execute(layout.purge, (self._clock(), _PURGE_ITEMS))


def _item(text: str, projection: tuple[Path, ...] | None) -> Item:
    item = cast("Item", loads_trusted(text))
    return item if projection is None else project(item, projection)


def _check(context: op.Context) -> None:
    if context.deadline is not None and time.monotonic() >= context.deadline:
        raise DeadlineExceeded("the deadline passed between two parts of the batch: allow a longer timeout",
                               maybe_applied=True)  # fmt: skip


_ANSWERS: dict[type[op.Operation], Callable[[SQLiteBackend, Any], res.Result]] = {
    op.CreateTable: SQLiteBackend._create_table,  # noqa: SLF001  # the table of this class's own methods
    op.DescribeTable: SQLiteBackend._describe_table,  # noqa: SLF001
    op.ListTables: SQLiteBackend._list_tables,  # noqa: SLF001
    op.DropTable: SQLiteBackend._drop_table,  # noqa: SLF001
    op.Get: SQLiteBackend._get,  # noqa: SLF001
    op.Create: SQLiteBackend._create,  # noqa: SLF001
    op.Put: SQLiteBackend._put,  # noqa: SLF001
    op.Update: SQLiteBackend._change,  # noqa: SLF001
    op.Delete: SQLiteBackend._delete,  # noqa: SLF001
    op.Query: SQLiteBackend._page,  # noqa: SLF001
    op.Scan: SQLiteBackend._page,  # noqa: SLF001
    op.GetMany: SQLiteBackend._get_many,  # noqa: SLF001
    op.PutMany: SQLiteBackend._put_many,  # noqa: SLF001
    op.DeleteMany: SQLiteBackend._delete_many,  # noqa: SLF001
    op.TransactWrite: SQLiteBackend._transact_write,  # noqa: SLF001
    op.TransactGet: SQLiteBackend._transact_get,  # noqa: SLF001
}
