"""The backend: operations to statements."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Support, Unsupported
from isthmus.embedded import NO_OPERATION_IDS, image
from isthmus.errors import AlreadyExists, BackendError, Closed, ConfigurationError, DeadlineExceeded, IsthmusError
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.values import Item
from isthmus.writes import require_unchanged, revision_of, write
from isthmus_sqlite import batches, catalogue, filters, paging, transactions
from isthmus_sqlite.catalogue import Catalogue
from isthmus_sqlite.failures import busy, interrupted, missing_table, translate
from isthmus_sqlite.layout import Layout, stored_item
from isthmus_sqlite.options import Options
from isthmus_sqlite.session import Session
from isthmus_sqlite.sessions import Sessions
from isthmus_sqlite.workers import Workers

# The first SQLite with "->", UPSERT and RETURNING.
_OLDEST = (3, 38, 0)
_CHUNK = 10_000
# Expired items are removed by every so many writes, so many at once.
_PURGE_EVERY, _PURGE_ITEMS = 64, 256
# Operations that write in one transaction.
_ALONE = frozenset({op.Create, op.Put, op.Update, op.Delete, op.TransactWrite, op.CreateTable, op.DropTable})
# SQLite waits for whole milliseconds, so it may give up a little before a deadline, seconds.
_ROUNDING = 0.01


def capabilities(path: str | None, synchronous: str) -> Capabilities:
    """What a database offers."""
    exceptions: dict[Capability, Support] = {Capability.OPERATION_ID: NO_OPERATION_IDS}
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
        self.clock: Clock = clock
        self._catalogue = Catalogue()
        self._workers = Workers(options.threads)
        self._purge_in = _PURGE_EVERY
        self._sessions = Sessions(path, options, (*filters.FUNCTIONS, *paging.FUNCTIONS))
        self._open()

    def _open(self) -> None:
        """Connect once, so that a file that can't be used is found now."""
        try:
            self._sessions.give_back(self._sessions.take())
        except sqlite3.Error as error:
            raise translate(error, writes=False, path=self._sessions.path) or error from error

    # ---- life ----

    def execute(self, operation: op.Operation) -> res.Result:
        deadline = operation.context.deadline
        if type(operation) not in _ALONE or self._sessions.shared:
            return self._carry_out(operation, deadline)
        # The turn comes before the connection: so threads that write one after the other use the same one, which has
        # what the one before wrote in its cache.
        with self._sessions.turn(deadline):
            return self._carry_out(operation, deadline)

    def _carry_out(self, operation: op.Operation, deadline: float | None) -> res.Result:
        session = self._sessions.take()
        try:
            with session.lock if deadline is None else session.held_until(deadline):
                self._sessions.admit(session, writes=operation.writes, deadline=deadline)
                try:
                    return self._answer(session, operation)
                finally:
                    session.at_work = False
        finally:
            self._sessions.give_back(session)

    def _answer(self, session: Session, operation: op.Operation) -> res.Result:
        answer = _ANSWERS[type(operation)]
        try:
            return answer(self, session, operation)
        except sqlite3.OperationalError as error:
            if not missing_table(error):
                raise
        # The table was dropped, and perhaps created anew, by somebody else.
        self._catalogue.forget(operation.table_names)
        return answer(self, session, operation)

    async def aexecute(self, operation: op.Operation) -> res.Result:
        # An operation whose caller is cancelled still ends in its thread, so no transaction stays open.
        return await self._workers.run(self.execute, operation)

    def translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError:
        if interrupted(error) and self._sessions.closed:
            return Closed("the database was closed while this operation was at work: connect again")
        deadline = operation.context.deadline
        if busy(error) and deadline is not None and time.monotonic() >= deadline - _ROUNDING:
            return DeadlineExceeded("the deadline passed while another process was writing: allow a longer timeout")
        # What is not SQLite's own was raised before a statement or a COMMIT, so nothing was applied.
        return translate(error, writes=operation.writes, path=self._sessions.path) or BackendError(
            f"sqlite failed with {type(error).__name__}, nothing was applied: see the cause"
        )

    def explain(self, operation: op.Operation) -> dict[str, Any]:
        """The SQL statement of a query or scan."""
        if not isinstance(operation, op.Paged):
            return {}
        session = self._sessions.take()
        try:
            with session.lock:
                layout = self._catalogue.layout(operation.table, session)
        finally:
            self._sessions.give_back(session)
        return paging.plan(layout, operation, self.clock()).explain()

    def native(self) -> sqlite3.Connection:
        """A connection that is the current thread's own from now on."""
        return self._sessions.claim().connection

    def close(self) -> None:
        self._workers.close()
        self._sessions.close()

    # ---- tables ----

    def _create_table(self, session: Session, operation: op.CreateTable) -> res.Result:
        with self._transaction(session, operation.context):
            catalogue.create(session, operation.table)
        return res.TableResult(operation.table)

    def _describe_table(self, session: Session, operation: op.DescribeTable) -> res.Result:
        return res.TableResult(catalogue.read(session, operation.name).table)

    def _list_tables(self, session: Session, operation: op.ListTables) -> res.Result:
        return res.TablesResult(catalogue.names(session))

    def _drop_table(self, session: Session, operation: op.DropTable) -> res.Result:
        self._catalogue.forget((operation.name,))
        with self._transaction(session, operation.context):
            catalogue.drop(session, operation.name)
        return res.DropResult()

    # ---- reads ----

    def _get(self, session: Session, operation: op.Get) -> res.GetResult:
        layout = self._catalogue.layout(operation.table, session)
        params = layout.key(operation.key)
        row = session.execute(layout.get, (*params, self.clock()) if layout.visible else params).fetchone()
        revision = revision_of(None if row is None else stored_item(row[0])) if operation.revision else None
        return res.GetResult(None if row is None else _item(row[0], operation.projection), revision)

    def _get_many(self, session: Session, operation: op.GetMany) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        now = (self.clock(),) if layout.visible else ()
        keys = batches.until(operation.keys, operation.context.deadline)
        with session.transaction("BEGIN"):
            found = [session.execute(layout.get, (*layout.key(key), *now)).fetchone() for key in keys]
        return res.GetManyResult([None if row is None else _item(row[0], operation.projection) for row in found])

    def _transact_get(self, session: Session, operation: op.TransactGet) -> res.Result:
        with session.transaction("BEGIN"):
            found = [self._get(session, get) for get in operation.gets]
        return res.TransactGetResult([one.item for one in found], [one.revision for one in found])

    def _page(self, session: Session, operation: op.Paged) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        with session.interrupted_at(operation.context.deadline):
            return paging.read_page(session, paging.plan(layout, operation, self.clock()))

    # ---- writes ----

    def _create(self, session: Session, operation: op.Create) -> res.Result:
        if operation.unchanged is not None:
            return self._change(session, operation)
        with self._sessions.writing(session, operation.context.deadline):
            layout = self._catalogue.layout(operation.table, session)
            layout.check(operation.table, operation.item, self.limits)
            now = (self.clock(),) if layout.visible else ()
            written = session.execute(layout.create, (*layout.row(operation.item), *now)).rowcount
            self._purge(session, layout)
        if not written:
            raise AlreadyExists(f"table {operation.table.name!r} has an item with this key: use put to replace it")
        return _written(operation)

    def _put(self, session: Session, operation: op.Put) -> res.Result:
        if operation.condition is not None or operation.returning == "old" or operation.unchanged is not None:
            return self._change(session, operation)
        with self._sessions.writing(session, operation.context.deadline):
            layout = self._catalogue.layout(operation.table, session)
            layout.check(operation.table, operation.item, self.limits)
            session.execute(layout.put, layout.row(operation.item))
            self._purge(session, layout)
        return _written(operation)

    def _change(self, session: Session, operation: op.Create | op.Put | op.Update) -> res.Result:
        old, new = self._apply(session, operation)
        return res.WriteResult(old if operation.returning == "old" else image(new) if operation.returning else None)

    def _delete(self, session: Session, operation: op.Delete) -> res.Result:
        old, _new = self._apply(session, operation)
        return res.DeleteResult(old if operation.returning == "old" else None, existed=old is not None)

    def _apply(self, session: Session, action: op.Action) -> tuple[Item | None, Item | None]:
        """Read, judge and write in one transaction; the images before and after."""
        with self._transaction(session, action.context):
            layout = self._catalogue.layout(action.table, session)
            now = self.clock()
            old = transactions.current(session, layout, action.key, now)
            if action.unchanged is not None:
                require_unchanged(action, revision_of(old))
            new = write(action, old, self.limits, now)
            layout.check(action.table, new, self.limits)
            transactions.store(session, layout, action.key, new)
            self._purge(session, layout)
        return old, new

    def _write_many(self, session: Session, operation: op.PutMany | op.DeleteMany) -> res.Result:
        """Chunks, each in a transaction of its own, so that other writers get their turn."""
        layout = self._catalogue.layout(operation.table, session)
        members = batches.checked(layout, operation, self.limits)
        for start in range(0, len(members), _CHUNK):
            try:
                with self._transaction(session, operation.context):
                    chunk = batches.rows(layout, operation, members[start : start + _CHUNK])
                    session.connection.executemany(*chunk)
                    self._purge(session, layout)
            except Exception as error:
                if not start or missing_table(error):
                    raise
                return batches.partly(start, len(members), self._translated(error, operation))
        return res.WriteManyResult(len(members))

    def _translated(self, error: Exception, operation: op.Operation) -> IsthmusError:
        failure = error if isinstance(error, IsthmusError) else self.translate_error(error, operation)
        failure.__cause__ = error if failure is not error else error.__cause__
        return failure

    def _transact_write(self, session: Session, operation: op.TransactWrite) -> res.Result:
        with self._transaction(session, operation.context):
            return transactions.write_all(
                session, lambda table: self._catalogue.layout(table, session), operation, self.limits, self.clock()
            )

    # ---- helpers ----

    def _transaction(self, session: Session, context: op.Context) -> transactions.Writing:
        return transactions.Writing(self._sessions, session, context.deadline)

    def _purge(self, session: Session, layout: Layout) -> None:
        """Remove some expired items now and then. They are invisible already, so this only frees space."""
        if not layout.visible:
            return
        self._purge_in -= 1
        if self._purge_in <= 0:
            self._purge_in = _PURGE_EVERY
            # The write itself may be committed already, so a failure here must not look like one of the write.
            with suppress(sqlite3.Error):
                session.execute(layout.purge, (self.clock(), _PURGE_ITEMS))


def _item(text: object, projection: tuple[Path, ...] | None) -> Item:
    item = stored_item(text)
    return item if projection is None else project(item, projection)


def _written(operation: op.Create | op.Put) -> res.WriteResult:
    return res.WriteResult(image(operation.item) if operation.returning == "new" else None)


_ANSWERS: dict[type[op.Operation], Callable[[SQLiteBackend, Session, Any], res.Result]] = {
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
    op.PutMany: SQLiteBackend._write_many,  # noqa: SLF001
    op.DeleteMany: SQLiteBackend._write_many,  # noqa: SLF001
    op.TransactWrite: SQLiteBackend._transact_write,  # noqa: SLF001
    op.TransactGet: SQLiteBackend._transact_get,  # noqa: SLF001
}
