"""The backend: who carries out an operation, when, and what its errors become."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, ClassVar

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend, Clock
from isthmus.capabilities import Capabilities, Capability, Limits, Support, Unsupported
from isthmus.embedded import NO_OPERATION_IDS
from isthmus.errors import ConfigurationError, IsthmusError
from isthmus_sqlite import filters, paging
from isthmus_sqlite.answers import Answers
from isthmus_sqlite.failures import meaning, translate
from isthmus_sqlite.options import Options
from isthmus_sqlite.sessions import Sessions
from isthmus_sqlite.workers import Workers

# The first SQLite with "->", UPSERT and RETURNING.
_OLDEST = (3, 38, 0)
# Operations that write in one transaction.
_ALONE = frozenset({op.Create, op.Put, op.Update, op.Delete, op.TransactWrite, op.CreateTable, op.DropTable})


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
        self._workers = Workers(options.threads)
        self._sessions = Sessions(path, options, (*filters.FUNCTIONS, *paging.FUNCTIONS))
        self._answers = Answers(self._sessions, self.limits, clock)
        self._open()

    def _open(self) -> None:
        """Connect once, so that a file that can't be used is found now."""
        try:
            self._sessions.give_back(self._sessions.take())
        except sqlite3.Error as error:
            raise translate(error, writes=False, path=self._sessions.path) or error from error

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
                    return self._answers.answer(session, operation)
                finally:
                    session.at_work = False
        finally:
            self._sessions.give_back(session)

    async def aexecute(self, operation: op.Operation) -> res.Result:
        # An operation whose caller is cancelled still ends in its thread, so no transaction stays open.
        return await self._workers.run(self.execute, operation)

    def translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError:
        return meaning(error, operation, closed=self._sessions.closed, path=self._sessions.path)

    def explain(self, operation: op.Operation) -> dict[str, Any]:
        """The SQL statement of a query or scan."""
        if not isinstance(operation, op.Paged):
            return {}
        session = self._sessions.take()
        try:
            with session.lock:
                return self._answers.explain(session, operation)
        finally:
            self._sessions.give_back(session)

    def native(self) -> sqlite3.Connection:
        """A connection that is the current thread's own from now on."""
        return self._sessions.claim().connection

    def close(self) -> None:
        try:
            self._workers.close()
        finally:
            self._sessions.close()
