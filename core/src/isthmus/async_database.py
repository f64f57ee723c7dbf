"""The async database: the same names as ``database.py``, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from isthmus import operations as op
from isthmus import results as res
from isthmus import transactions as txn
from isthmus.arguments import check_open, check_operation, check_table, positive
from isthmus.async_bound_table import AsyncBoundTable
from isthmus.database_base import DatabaseBase
from isthmus.errors import AlreadyExists, SchemaMismatch, TableNotFound
from isthmus.health import Health
from isthmus.operation_ids import resolve_request
from isthmus.operations import Context
from isthmus.pipeline import Pipeline
from isthmus.schema import Index, KeyDeclaration, Table
from isthmus.values import Item, check_table_name

if TYPE_CHECKING:
    from isthmus.fallback.recovery import Recovery
    from isthmus.repository.async_repository import AsyncRepository
    from isthmus.repository.model import Model
    from isthmus.transactions.async_unit_of_work import AsyncUnitOfWork

    T = TypeVar("T")
    Work = Callable[[AsyncUnitOfWork], Awaitable[T]]


class AsyncDatabase(DatabaseBase):
    """One opened database; safe for use from several threads.

    Use it as a context manager, or call ``close``. ``bind`` gives views of the same database for other callers.
    """

    def __init__(self, pipeline: Pipeline, context: Context = Context()) -> None:  # noqa: B008  # frozen
        super().__init__(pipeline, context)
        self.tables = AsyncTables(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def health(self) -> Health:
        """Whether the backend answers, and what the plugins say of themselves."""
        started, problem = perf_counter(), None
        try:
            await self.execute(self._pipeline.ping())
        except Exception as error:  # reported, not raised: that is what the call is for
            problem = error
        return self._pipeline.health(self._pipeline.backend_check(problem, perf_counter() - started))

    async def close(self) -> None:
        """Release everything; a second call does nothing."""
        if self._pipeline.shut():
            await self._pipeline.backend.aclose()

    async def execute(self, operation: op.Operation) -> res.Result:
        """Send one operation through all layers; what every other method does in the end."""
        check_operation(operation)
        return await self._pipeline.aexecute(operation)

    async def dispatch(self, operation: op.Operation) -> res.Result:
        """Send one operation to the backend beneath all layers, with retries, deadline and translated errors.

        For plugins whose backend answers operations that no layer knows, as those of ``isthmus.slices``.

        :raises Closed: the database was closed
        """
        check_open(self._pipeline.closed)
        return await self._pipeline.adispatch(operation)

    async def explain_operation(self, operation: op.Operation) -> Mapping[str, Any]:
        """The native request that an operation leads to; empty when the backend has none to show.

        :raises Closed: the database was closed
        """
        check_open(self._pipeline.closed)
        backend = self._pipeline.backend
        return await asyncio.to_thread(backend.explain, operation) if backend.blocking else backend.explain(operation)

    def table(
        self,
        name: str | Table,
        *,
        partition_key: KeyDeclaration | None = None,
        sort_key: KeyDeclaration | None = None,
        indexes: Iterable[Index] = (),
        ttl: str | None = None,
        versioned: bool | str = False,
        timestamps: bool = False,
    ) -> AsyncBoundTable:
        """A declared table, ready for operations. Nothing is sent: ``ensure`` creates it where it is missing.

        :param versioned: whether to count versions, in the attribute ``version`` or one of that name
        :param timestamps: whether to maintain ``created_at`` and ``updated_at``
        :raises InvalidArgument: the declaration is not valid
        """
        table = Table.declare(name, partition_key, sort_key, indexes, ttl, versioned, timestamps)
        return AsyncBoundTable(self, self._requests(table), self._pipeline.aexecute)

    def repository(self, kind: type[T], *, model: Model | None = None) -> AsyncRepository[T]:
        """The entities of an attrs class.

        :param model: how the class is stored, where it doesn't say so itself by ``__isthmus__``
        :raises InvalidArgument: the class can't be stored, or not beside the classes that were asked for before
        """
        from isthmus.repository.async_repository import AsyncRepository
        from isthmus.repository.registry import registry_of  # a program without repositories loads none of it

        registry = registry_of(self._pipeline)
        mapper = registry.mapper_in(self, kind, model) if self.writes_wait else registry.mapper(kind, model)
        return AsyncRepository(self, mapper, self.table(mapper.table), counted=not self.writes_wait)

    async def transact_write(
        self, actions: Iterable[op.Action], *, token: str | None = None, timeout: float | None = None
    ) -> res.TransactWriteResult:
        """Apply all actions or none.

        :param actions: what ``table.actions.put(…)`` and the like give, over any tables
        :param token: 1 to 36 characters; a repetition with the same token and content succeeds without effect
        :raises TransactionFailed: with one reason for each action
        """
        operation = txn.transact_write(actions, token, self.limits, self.context(timeout))
        return cast("res.TransactWriteResult", await self.execute(operation))

    async def transact_get(self, gets: Iterable[op.Get], *, timeout: float | None = None) -> list[Item | None]:
        """Read items as they were at one moment, in order, ``None`` for missing ones.

        :param gets: what ``table.actions.get(…)`` gives
        """
        operation, places = txn.transact_get(gets, self.limits, self.context(timeout))
        result = cast("res.TransactGetResult", await self.execute(operation))
        return txn.spread_reads(result.items, places)

    def transaction(self, *, token: str | None = None, timeout: float | None = None) -> AsyncUnitOfWork:
        """A unit of work: reads and writes inside its ``with`` block that are applied all or not at all, at its end.

        Reads inside see the writes that wait, and are validated at the end. A body that raises leaves nothing behind.

        :param token: 1 to 36 characters; a repetition with this token that asks for the same succeeds without effect
        :param timeout: seconds for everything that is sent
        :raises Conflict: at the end, where an item was changed since it was read: repeat all of it, see
            ``run_transaction``
        :raises TransactionFailed: at the end, where an action failed for another reason
        """
        from isthmus.transactions.async_unit_of_work import AsyncUnitOfWork  # only those pay for it that use it

        return AsyncUnitOfWork(self._pipeline, self._context, token=token, timeout=timeout)

    async def run_transaction(self, function: Work[T], *, attempts: int = 5, deadline: float | None = None) -> T:
        """Run ``function(tx)`` in a unit of work, again when other writers were in the way; what it returned.

        What the function does elsewhere is not undone when it is run again or fails, so it should do nothing but read
        and write through ``tx`` and compute. It is also run again where it raised after reads that don't fit together,
        because others wrote between them. Between attempts there is a random wait that grows. An outcome that is
        unknown is never repeated: ``OutcomeUnknown`` says so.

        :param attempts: how often the function may be run
        :param deadline: seconds for all of it
        :raises Conflict: others were in the way each time
        :raises DeadlineExceeded: there was no time for another attempt
        """
        from isthmus.transactions.running import Attempts, arun  # only those pay for it that use it

        return await arun(self.transaction, function, Attempts(self._pipeline, attempts, deadline))

    async def resolve(self, operation_id: str, *, timeout: float | None = None) -> res.Outcome:
        """What became of a write that ended with ``OutcomeUnknown``, or with another error that may have been applied.

        :param operation_id: what the error carries
        :return: ``"applied"``; ``"not_applied"`` where the item holds the id of an older write; else ``"unknown"``,
            as where a later writer, or a put without a condition, left no trace of it
        :raises InvalidArgument: the text is no operation id
        """
        operation = resolve_request(operation_id, self.context(timeout))
        return cast("res.ResolveResult", await self.execute(operation)).outcome

    async def recover(self, *, limit: int | None = None, timeout: float | None = None) -> Recovery:
        """Finish or undo the transactions of clients that died, where the core runs transactions itself.

        It happens by itself too: whoever meets what a dead client left deals with it, once its lease has run out. A
        database with transactions of its own has nothing to recover.

        :param limit: most transactions to look at; all of them by default
        """
        from isthmus.fallback.recovery import Recovery  # few databases need it

        check_open(self._pipeline.closed)
        fallback = self._pipeline.fallback
        if limit is not None:
            positive(limit, "limit")
        return Recovery() if fallback is None else await fallback.arecover(self.context(timeout), limit)


class AsyncTables:
    """The tables of a database."""

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def create(self, table: Table, *, timeout: float | None = None) -> AsyncBoundTable:
        """Create a table.

        :raises AlreadyExists: there is one of that name
        """
        check_table(table)
        await self._database.execute(op.CreateTable(self._database.context(timeout), table))
        return self._database.table(table)

    async def describe(self, name: str, *, timeout: float | None = None) -> Table:
        """The stored definition of a table.

        :raises TableNotFound: there is none
        """
        result = await self._database.execute(op.DescribeTable(self._database.context(timeout), check_table_name(name)))
        return cast("res.TableResult", result).table

    async def open(self, name: str, *, timeout: float | None = None) -> AsyncBoundTable:
        """A table as it is stored, ready for operations."""
        return self._database.table(await self.describe(name, timeout=timeout))

    async def list(self, *, timeout: float | None = None) -> list[str]:
        """The names of all tables, in order."""
        result = await self._database.execute(op.ListTables(self._database.context(timeout)))
        return list(cast("res.TablesResult", result).names)

    async def ensure(self, table: Table, *, timeout: float | None = None) -> AsyncBoundTable:
        """Create a table unless it exists as declared; never drops or changes one (rule TAB-2).

        :raises SchemaMismatch: it exists with another definition
        """
        check_table(table)
        try:
            stored = await self.describe(table.name, timeout=timeout)
        except TableNotFound:
            try:
                return await self.create(table, timeout=timeout)
            except AlreadyExists:  # another process was faster
                stored = await self.describe(table.name, timeout=timeout)
        differences = table.differences(stored)
        if differences:
            message = f"table {table.name!r} is stored with another definition: {'; '.join(differences)}"
            raise SchemaMismatch(message, differences=differences)
        return self._database.table(table)

    async def drop(self, name: str, *, timeout: float | None = None) -> None:
        """Remove a table with all its items.

        :raises TableNotFound: there is none
        """
        await self._database.execute(op.DropTable(self._database.context(timeout), check_table_name(name)))
