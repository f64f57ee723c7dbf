"""Operations to statements, on a session that may carry them out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from isthmus import operations as op
from isthmus import results as res
from isthmus import slices
from isthmus.backends import Clock
from isthmus.capabilities import Limits
from isthmus.embedded import image
from isthmus.errors import AlreadyExists, IsthmusError
from isthmus.evaluate import project
from isthmus.expressions import Path
from isthmus.values import Item
from isthmus.writes import require_unchanged, revision_of, write
from isthmus_sqlite import batches, catalogue, paging, slice_reading, transactions
from isthmus_sqlite.catalogue import Catalogue
from isthmus_sqlite.failures import meaning, missing_table
from isthmus_sqlite.layout import Layout, stored_item
from isthmus_sqlite.session import Session
from isthmus_sqlite.sessions import Sessions

_CHUNK = 10_000
# Expired items are removed by every so many writes, so many at once.
_PURGE_EVERY, _PURGE_ITEMS = 64, 256


class Answers:
    """What each operation needs."""

    def __init__(self, sessions: Sessions, limits: Limits, clock: Clock) -> None:
        self._sessions = sessions
        self._limits = limits
        self._clock = clock
        self._catalogue = Catalogue()
        self._purge_in = _PURGE_EVERY

    def answer(self, session: Session, operation: op.Operation) -> res.Result:
        """Carry out one operation."""
        answer = _ANSWERS[type(operation)]
        try:
            return answer(self, session, operation)
        except sqlite3.OperationalError as error:
            if not missing_table(error):
                raise
        # The table was dropped, and perhaps created anew, by somebody else.
        self._catalogue.forget(operation.table_names)
        return answer(self, session, operation)

    def explain(self, session: Session, operation: op.Paged) -> dict[str, Any]:
        """The statement of a query or scan."""
        layout = self._catalogue.layout(operation.table, session)
        return paging.plan(layout, operation, self._clock()).explain()

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
        row = session.execute(layout.get, (*params, self._clock()) if layout.visible else params).fetchone()
        revision = revision_of(None if row is None else stored_item(row[0])) if operation.revision else None
        return res.GetResult(None if row is None else _item(row[0], operation.projection), revision)

    def _get_many(self, session: Session, operation: op.GetMany) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        now = (self._clock(),) if layout.visible else ()
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
            return paging.read_page(session, paging.plan(layout, operation, self._clock()))

    def _divide(self, session: Session, operation: slices.DivideTable) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        with session.interrupted_at(operation.context.deadline):
            return slice_reading.divide(session, layout, operation)

    def _facts(self, session: Session, operation: slices.AskFacts) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        with session.interrupted_at(operation.context.deadline):
            return slice_reading.facts(session, layout)

    def _slice(self, session: Session, operation: slices.ReadSlice) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        with session.interrupted_at(operation.context.deadline):
            return slice_reading.read(session, layout, operation, self._clock())

    def _slice_count(self, session: Session, operation: slices.CountSlice) -> res.Result:
        layout = self._catalogue.layout(operation.table, session)
        with session.transaction("BEGIN"), session.interrupted_at(operation.context.deadline):
            return slice_reading.count(session, layout, operation, self._clock())

    # ---- writes ----

    def _create(self, session: Session, operation: op.Create) -> res.Result:
        if operation.unchanged is not None:
            return self._change(session, operation)
        with self._sessions.writing(session, operation.context.deadline):
            layout = self._catalogue.layout(operation.table, session)
            layout.check(operation.table, operation.item, self._limits)
            now = (self._clock(),) if layout.visible else ()
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
            layout.check(operation.table, operation.item, self._limits)
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
            now = self._clock()
            old = transactions.current(session, layout, action.key, now)
            if action.unchanged is not None:
                require_unchanged(action, revision_of(old))
            new = write(action, old, self._limits, now)
            layout.check(action.table, new, self._limits)
            transactions.store(session, layout, action.key, new)
            self._purge(session, layout)
        return old, new

    def _write_many(self, session: Session, operation: op.PutMany | op.DeleteMany) -> res.Result:
        """Chunks, each in a transaction of its own, so that other writers get their turn."""
        layout = self._catalogue.layout(operation.table, session)
        members = batches.checked(layout, operation, self._limits)
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
        if isinstance(error, IsthmusError):
            return error
        failure = meaning(error, operation, closed=self._sessions.closed, path=self._sessions.path)
        failure.__cause__ = error
        return failure

    def _transact_write(self, session: Session, operation: op.TransactWrite) -> res.Result:
        with self._transaction(session, operation.context):
            return transactions.write_all(
                session, lambda table: self._catalogue.layout(table, session), operation, self._limits, self._clock()
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
                session.execute(layout.purge, (self._clock(), _PURGE_ITEMS))


def _item(text: object, projection: tuple[Path, ...] | None) -> Item:
    item = stored_item(text)
    return item if projection is None else project(item, projection)


def _written(operation: op.Create | op.Put) -> res.WriteResult:
    return res.WriteResult(image(operation.item) if operation.returning == "new" else None)


_ANSWERS: dict[type[op.Operation], Callable[[Answers, Session, Any], res.Result]] = {
    op.CreateTable: Answers._create_table,  # noqa: SLF001  # the table of this class's own methods
    op.DescribeTable: Answers._describe_table,  # noqa: SLF001
    op.ListTables: Answers._list_tables,  # noqa: SLF001
    op.DropTable: Answers._drop_table,  # noqa: SLF001
    op.Get: Answers._get,  # noqa: SLF001
    op.Create: Answers._create,  # noqa: SLF001
    op.Put: Answers._put,  # noqa: SLF001
    op.Update: Answers._change,  # noqa: SLF001
    op.Delete: Answers._delete,  # noqa: SLF001
    op.Query: Answers._page,  # noqa: SLF001
    op.Scan: Answers._page,  # noqa: SLF001
    slices.DivideTable: Answers._divide,  # noqa: SLF001
    slices.AskFacts: Answers._facts,  # noqa: SLF001
    slices.ReadSlice: Answers._slice,  # noqa: SLF001
    slices.CountSlice: Answers._slice_count,  # noqa: SLF001
    op.GetMany: Answers._get_many,  # noqa: SLF001
    op.PutMany: Answers._write_many,  # noqa: SLF001
    op.DeleteMany: Answers._write_many,  # noqa: SLF001
    op.TransactWrite: Answers._transact_write,  # noqa: SLF001
    op.TransactGet: Answers._transact_get,  # noqa: SLF001
}
