"""A base for backends over stores that run inside the process: the author supplies rows, their meaning is here.

A store takes part through a ``Session``, one transaction of it. ``EmbeddedBackend`` turns each operation into a few
calls of one session, so conditions, updates, expiry, pages, batches, transactions and tokens are the same on all.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.capabilities import Capability, Unsupported, refuse
from isthmus.errors import (
    AlreadyExists,
    DeadlineExceeded,
    IdempotencyMismatch,
    IsthmusError,
    SchemaMismatch,
    TableNotFound,
    TransactionFailed,
)
from isthmus.evaluate import project
from isthmus.pages import Candidate, take_page, used_index
from isthmus.schema import Table
from isthmus.tokens import TOKEN_SECONDS, content_digest
from isthmus.values import Item, copy_item, item_size
from isthmus.writes import check_index_keys, require_unchanged, revision_of, visible, write

M = TypeVar("M")
NO_OPERATION_IDS = Unsupported("a write inside this process ends with its outcome; read the item instead")
"""The level of ``Capability.OPERATION_ID`` for embedded stores."""
_LOOK_EVERY = 256


def seconds_left(context: op.Context) -> float:
    """Seconds until the deadline, negative when it has passed."""
    return float("inf") if context.deadline is None else context.deadline - time.monotonic()


def too_late(operation: op.Operation) -> DeadlineExceeded:
    """The error of an operation that was given up, with nothing applied."""
    return DeadlineExceeded(f"the deadline of this {operation.kind} passed: allow a longer timeout")


def in_time(operation: op.Operation, members: Iterable[M]) -> Iterator[M]:
    """The members of a batch, until the deadline passes; the clock is looked at every now and then.

    :raises DeadlineExceeded: with ``maybe_applied`` where members were written before
    """
    for place, member in enumerate(members):
        if place % _LOOK_EVERY == 0 and seconds_left(operation.context) <= 0:
            error = too_late(operation)
            error.maybe_applied = operation.writes and place > 0
            raise error
        yield member


def image(item: Item | None) -> Item | None:
    """A copy of what a write left, because that is part of the operation (rule LYR-3)."""
    return None if item is None else copy_item(item)


class ItemSession(ABC):
    """What operations on one item need of a transaction. Items go in and out as copies."""

    __slots__ = ()

    @abstractmethod
    def find_table(self, name: str) -> Table | None:
        """The definition that a table was created with."""

    @abstractmethod
    def read(self, table: Table, key: op.ItemKey) -> Item | None:
        """The item that has these key attributes."""

    @abstractmethod
    def replace(self, table: Table, key: op.ItemKey, item: Item | None) -> None:
        """Put ``item``, or nothing, in the place of whatever has the key, in the table and its indexes.

        :param key: a mapping that holds the key attributes, and perhaps others
        """


class Session(ItemSession):
    """One transaction of a store, used by one thread.

    Tables are given as they are stored. Items go in and out as copies. Expired items count as any other: hiding them is
    not the store's business.
    """

    @abstractmethod
    def list_tables(self) -> Iterable[str]:
        """The names of all tables, in any order."""

    @abstractmethod
    def create_table(self, table: Table) -> None:
        """Store the definition of a table that does not exist."""

    @abstractmethod
    def drop_table(self, table: Table) -> None:
        """Remove a table that exists, with its items."""

    @abstractmethod
    def query(self, table: Table, query: op.Query) -> Iterable[Item]:
        """Whole items of ``query.partition`` inside ``query.range``, beyond ``query.start``, in the order asked for.

        With an index, those that have all of its keys. Conditions, limits and projections are applied by the caller.
        """

    @abstractmethod
    def scan(self, table: Table, scan: op.Scan) -> Iterable[Item | res.Unreadable]:
        """Whole items of one segment after ``scan.start``, in an order that stays the same.

        What can't be read raises ``InvalidStoredValue``; with ``scan.report_unreadable`` it is given as ``Unreadable``.
        """

    @abstractmethod
    def token(self, token: str, now: float) -> bytes | None:
        """The digest that an unexpired token was stored with."""

    @abstractmethod
    def keep_token(self, token: str, digest: bytes, expires: float) -> None:
        """Store a token until a time, seconds since the epoch."""


class EmbeddedBackend(Backend):
    """Answers all operations with the sessions of a store.

    :param clock: seconds since the epoch; expiry is judged by it
    """

    def __init__(self, clock: Clock = time.time) -> None:
        self.clock: Clock = clock
        self._answers: dict[type[op.Operation], Callable[[Any, Any], res.Result]] = {
            op.CreateTable: self._create_table,
            op.DescribeTable: self._describe_table,
            op.ListTables: self._list_tables,
            op.DropTable: self._drop_table,
            op.Get: self._get,
            op.Create: self._write,
            op.Put: self._write,
            op.Update: self._write,
            op.Delete: self._delete,
            op.Query: self._query,
            op.Scan: self._scan,
            op.GetMany: self._get_many,
            op.PutMany: self._put_many,
            op.DeleteMany: self._delete_many,
            op.TransactWrite: self._transact_write,
            op.TransactGet: self._transact_get,
            op.Resolve: self._resolve,
        }

    @abstractmethod
    def session(self, operation: op.Operation) -> AbstractContextManager[Session]:
        """A transaction for one operation: it can be read-only unless ``operation.writes``.

        Waits no longer than ``seconds_left(operation.context)``, else raises ``too_late(operation)``. What was written
        is kept when the body ends; a store that can undo it does so when the body raises.
        """

    def execute(self, operation: op.Operation) -> res.Result:
        with self.session(operation) as session:
            return self.answer(session, operation)

    def answer(self, session: ItemSession, operation: op.Operation) -> res.Result:
        """Answer with a session; for operations on one item it can be one that does no more."""
        return self._answers[type(operation)](session, operation)

    # ---- tables ----

    def _named(self, session: ItemSession, name: str) -> Table:
        found = session.find_table(name)
        if found is None:
            raise TableNotFound(f"table {name!r} does not exist: create it with ensure()")
        return found

    def _stored(self, session: ItemSession, table: Table) -> Table:
        """The stored definition of a declared table."""
        found = self._named(session, table.name)
        if found is not table and found.keys != table.keys:
            raise _mismatch(f"table {table.name!r} is stored with another key", table, found)
        return found

    def _create_table(self, session: Session, operation: op.CreateTable) -> res.Result:
        if session.find_table(operation.table.name) is not None:
            raise AlreadyExists(f"table {operation.table.name!r} exists already: use ensure() to accept it")
        session.create_table(operation.table)
        return res.TableResult(operation.table)

    def _describe_table(self, session: Session, operation: op.DescribeTable) -> res.Result:
        return res.TableResult(self._named(session, operation.name))

    def _list_tables(self, session: Session, _operation: op.ListTables) -> res.Result:
        return res.TablesResult(sorted(session.list_tables()))

    def _drop_table(self, session: Session, operation: op.DropTable) -> res.Result:
        session.drop_table(self._named(session, operation.name))
        return res.DropResult()

    # ---- single items ----

    def _read(self, session: ItemSession, table: Table, key: op.ItemKey) -> Item | None:
        return visible(table, session.read(table, key), self.clock())

    def _get(self, session: ItemSession, operation: op.Get) -> res.GetResult:
        item = self._read(session, self._stored(session, operation.table), operation.key)
        paths = operation.projection
        revision = revision_of(item) if operation.revision else None
        return res.GetResult(item if item is None or paths is None else project(item, paths), revision)

    def _write(self, session: ItemSession, operation: op.Create | op.Put | op.Update) -> res.Result:
        old, new = self._apply(session, operation)
        return res.WriteResult(old if operation.returning == "old" else image(new) if operation.returning else None)

    def _delete(self, session: ItemSession, operation: op.Delete) -> res.Result:
        old, _new = self._apply(session, operation)
        return res.DeleteResult(old if operation.returning == "old" else None, existed=old is not None)

    def _apply(self, session: ItemSession, action: op.Action) -> tuple[Item | None, Item | None]:
        table = self._stored(session, action.table)
        old, new = self._judge(session, table, action)
        session.replace(table, action.key, new)
        return old, new

    def _judge(self, session: ItemSession, table: Table, action: op.Action) -> tuple[Item | None, Item | None]:
        """The visible item before an action and the item after it, without applying anything."""
        now = self.clock()
        old = visible(table, session.read(table, action.key), now)
        if action.unchanged is not None:
            require_unchanged(action, revision_of(old))
        new = write(action, old, self.limits, now)
        self._check_indexes(table, action.table, new)
        return old, new

    def _check_indexes(self, table: Table, declared: Table, item: Item | None) -> None:
        # An item was checked against the declared indexes already; the stored ones may be more.
        if item is not None and table.indexes != declared.indexes:
            check_index_keys(table, item, self.limits)

    # ---- pages ----

    def _query(self, session: Session, operation: op.Query) -> res.Page:
        table, index = self._stored(session, operation.table), used_index(operation)
        if index is not None and index not in table.indexes:
            raise _mismatch(f"index {index.name!r} is not stored as it is declared", operation.table, table)
        return take_page(self._candidates(table, session.query(table, operation), operation), operation)

    def _scan(self, session: Session, operation: op.Scan) -> res.Page:
        table = self._stored(session, operation.table)
        return take_page(self._candidates(table, session.scan(table, operation), operation), operation)

    def _candidates(
        self, table: Table, items: Iterable[Item | res.Unreadable], operation: op.Paged
    ) -> Iterator[Candidate | res.Unreadable]:
        now = self.clock()
        weighed = operation.max_bytes is not None
        for item in items:
            if operation.context.deadline is not None and seconds_left(operation.context) <= 0:
                raise too_late(operation)
            if isinstance(item, res.Unreadable):
                yield item
            elif visible(table, item, now) is not None:
                yield item, item_size(item) if weighed else 0

    # ---- batches ----

    def _get_many(self, session: Session, operation: op.GetMany) -> res.Result:
        gets = (op.Get(operation.context, operation.table, key, operation.projection) for key in operation.keys)
        return res.GetManyResult([self._get(session, get).item for get in in_time(operation, gets)])

    def _put_many(self, session: Session, operation: op.PutMany) -> res.Result:
        table = self._stored(session, operation.table)
        for item in operation.items:
            self._check_indexes(table, operation.table, item)
        for item in in_time(operation, operation.items):
            session.replace(table, item, item)
        return res.WriteManyResult(len(operation.items))

    def _delete_many(self, session: Session, operation: op.DeleteMany) -> res.Result:
        table = self._stored(session, operation.table)
        for key in in_time(operation, operation.keys):
            session.replace(table, key, None)
        return res.WriteManyResult(len(operation.keys))

    # ---- transactions ----

    def _transact_write(self, session: Session, operation: op.TransactWrite) -> res.Result:
        if operation.token is not None and self._replayed(session, operation.token, content_digest(operation)):
            return res.TransactWriteResult(replayed=True)
        tables = [self._stored(session, action.table) for action in operation.actions]
        outcomes = [
            self._outcome(session, table, action) for table, action in zip(tables, operation.actions, strict=True)
        ]
        reasons = [outcome if isinstance(outcome, IsthmusError) else None for outcome in outcomes]
        if any(reasons):
            raise TransactionFailed("nothing was applied: see the reasons, one for each action", reasons=reasons)
        for table, action, outcome in zip(tables, operation.actions, outcomes, strict=True):
            if not isinstance(action, op.Check) and not isinstance(outcome, IsthmusError):
                session.replace(table, action.key, outcome)
        if operation.token is not None:
            session.keep_token(operation.token, content_digest(operation), self.clock() + TOKEN_SECONDS)
        return res.TransactWriteResult()

    def _outcome(self, session: ItemSession, table: Table, action: op.Action) -> Item | IsthmusError | None:
        """The item after an action, or why there can't be one."""
        try:
            return self._judge(session, table, action)[1]
        except IsthmusError as error:
            return error

    def _replayed(self, session: Session, token: str, digest: bytes) -> bool:
        known = session.token(token, self.clock())
        if known is not None and known != digest:
            raise IdempotencyMismatch("this token was used for other content: use a new token")
        return known is not None

    def _resolve(self, _session: Session, _operation: op.Resolve) -> res.Result:
        raise refuse(Capability.OPERATION_ID, NO_OPERATION_IDS.reason, self.name)

    def _transact_get(self, session: Session, operation: op.TransactGet) -> res.Result:
        found = [self._get(session, get) for get in operation.gets]
        return res.TransactGetResult([one.item for one in found], [one.revision for one in found])


def _mismatch(problem: str, declared: Table, stored: Table) -> SchemaMismatch:
    differences = declared.differences(stored)
    return SchemaMismatch(f"{problem}: {'; '.join(differences)}", differences=differences)
