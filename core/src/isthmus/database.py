"""The sync database. ``async_database.py`` has the same names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from isthmus import operations as op
from isthmus import results as res
from isthmus import transactions as txn
from isthmus.arguments import check_open, check_operation, check_table, positive
from isthmus.bound_table import BoundTable
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
    from isthmus.repository.model import Model
    from isthmus.repository.repository import Repository
    from isthmus.slices import SliceReader
    from isthmus.transactions.unit_of_work import UnitOfWork

    T = TypeVar("T")
    Work = Callable[[UnitOfWork], T]


class Database(DatabaseBase):
    """One opened database; safe for use from several threads.

    Use it as a context manager, or call ``close``. ``bind`` gives views of the same database for other callers.
    """

    def __init__(self, pipeline: Pipeline, context: Context = Context()) -> None:  # noqa: B008  # frozen
        super().__init__(pipeline, context)
        self.tables = Tables(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def health(self) -> Health:
        """Whether the backend answers, and what the plugins say of themselves."""
        started, problem = perf_counter(), None
        try:
            self.execute(self._pipeline.ping())
        except Exception as error:  # reported, not raised: that is what the call is for
            problem = error
        return self._pipeline.health(self._pipeline.backend_check(problem, perf_counter() - started))

    def close(self) -> None:
        """Release everything; a second call does nothing."""
        if self._pipeline.shut():
            self._pipeline.backend.close()

    def execute(self, operation: op.Operation) -> res.Result:
        """Send one operation through all layers; what every other method does in the end."""
        check_operation(operation)
        return self._pipeline.execute(operation)

    def dispatch(self, operation: op.Operation) -> res.Result:
        """Send one operation to the backend beneath all layers, with retries, deadline and translated errors.

        For plugins whose backend answers operations that no layer knows, as those of ``isthmus.slices``.

        :raises Closed: the database was closed
        """
        check_open(self._pipeline.closed)
        return self._pipeline.dispatch(operation)

    def offered_slice_reader(self, table: Table) -> SliceReader | None:
        check_open(self._pipeline.closed)
        return self._pipeline.offered_slice_reader(self, table)

    def explain_operation(self, operation: op.Operation) -> Mapping[str, Any]:
        """The native request that an operation leads to; empty when the backend has none to show.

        :raises Closed: the database was closed
        """
        check_open(self._pipeline.closed)
        return self._pipeline.backend.explain(operation)

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
    ) -> BoundTable:
        """A declared table, ready for operations. Nothing is sent: ``ensure`` creates it where it is missing.

        :param versioned: whether to count versions, in the attribute ``version`` or one of that name
        :param timestamps: whether to maintain ``created_at`` and ``updated_at``
        :raises InvalidArgument: the declaration is not valid
        """
        table = Table.declare(name, partition_key, sort_key, indexes, ttl, versioned, timestamps)
        return BoundTable(self, self._requests(table), self._pipeline.execute)

    def repository(self, kind: type[T], *, model: Model | None = None) -> Repository[T]:
        """The entities of an attrs class.

        :param model: how the class is stored, where it doesn't say so itself by ``__isthmus__``
        :raises InvalidArgument: the class can't be stored, or not beside the classes that were asked for before
        """
        from isthmus.repository.registry import registry_of  # a program without repositories loads none of it
        from isthmus.repository.repository import Repository

        registry = registry_of(self._pipeline)
        mapper = registry.mapper_in(self, kind, model) if self.writes_wait else registry.mapper(kind, model)
        return Repository(self, mapper, self.table(mapper.table), counted=not self.writes_wait)

    def transact_write(
        self, actions: Iterable[op.Action], *, token: str | None = None, timeout: float | None = None
    ) -> res.TransactWriteResult:
        """Apply all actions or none.

        :param actions: what ``table.actions.put(…)`` and the like give, over any tables
        :param token: 1 to 36 characters; a repetition with the same token and content succeeds without effect
        :raises TransactionFailed: with one reason for each action
        """
        operation = txn.transact_write(actions, token, self.limits, self.context(timeout))
        return cast("res.TransactWriteResult", self.execute(operation))

    def transact_get(self, gets: Iterable[op.Get], *, timeout: float | None = None) -> list[Item | None]:
        """Read items as they were at one moment, in order, ``None`` for missing ones.

        :param gets: what ``table.actions.get(…)`` gives
        """
        operation, places = txn.transact_get(gets, self.limits, self.context(timeout))
        result = cast("res.TransactGetResult", self.execute(operation))
        return txn.spread_reads(result.items, places)

    def transaction(self, *, token: str | None = None, timeout: float | None = None) -> UnitOfWork:
        """A unit of work: reads and writes inside its ``with`` block that are applied all or not at all, at its end.

        Reads inside see the writes that wait, and are validated at the end. A body that raises leaves nothing behind.

        :param token: 1 to 36 characters; a repetition with this token that asks for the same succeeds without effect
        :param timeout: seconds for everything that is sent
        :raises Conflict: at the end, where an item was changed since it was read: repeat all of it, see
            ``run_transaction``
        :raises TransactionFailed: at the end, where an action failed for another reason
        """
        from isthmus.transactions.unit_of_work import UnitOfWork  # only those pay for it that use it

        return UnitOfWork(self._pipeline, self._context, token=token, timeout=timeout)

    def run_transaction(self, function: Work[T], *, attempts: int = 5, deadline: float | None = None) -> T:
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
        from isthmus.transactions.running import Attempts, run  # only those pay for it that use it

        return run(self.transaction, function, Attempts(self._pipeline, attempts, deadline))

    def resolve(self, operation_id: str, *, timeout: float | None = None) -> res.Outcome:
        """What became of a write that ended with ``OutcomeUnknown``, or with another error that may have been applied.

        :param operation_id: what the error carries
        :return: ``"applied"``; ``"not_applied"`` where the item holds the id of an older write; else ``"unknown"``,
            as where a later writer, or a put without a condition, left no trace of it
        :raises InvalidArgument: the text is no operation id
        """
        operation = resolve_request(operation_id, self.context(timeout))
        return cast("res.ResolveResult", self.execute(operation)).outcome

    def recover(self, *, limit: int | None = None, timeout: float | None = None) -> Recovery:
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
        return Recovery() if fallback is None else fallback.recover(self.context(timeout), limit)


class Tables:
    """The tables of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, table: Table, *, timeout: float | None = None) -> BoundTable:
        """Create a table.

        :raises AlreadyExists: there is one of that name
        """
        check_table(table)
        self._database.execute(op.CreateTable(self._database.context(timeout), table))
        return self._database.table(table)

    def describe(self, name: str, *, timeout: float | None = None) -> Table:
        """The stored definition of a table.

        :raises TableNotFound: there is none
        """
        result = self._database.execute(op.DescribeTable(self._database.context(timeout), check_table_name(name)))
        return cast("res.TableResult", result).table

    def open(self, name: str, *, timeout: float | None = None) -> BoundTable:
        """A table as it is stored, ready for operations."""
        return self._database.table(self.describe(name, timeout=timeout))

    def list(self, *, timeout: float | None = None) -> list[str]:
        """The names of all tables, in order."""
        result = self._database.execute(op.ListTables(self._database.context(timeout)))
        return list(cast("res.TablesResult", result).names)

    def ensure(self, table: Table, *, timeout: float | None = None) -> BoundTable:
        """Create a table unless it exists as declared; never drops or changes one (rule TAB-2).

        :raises SchemaMismatch: it exists with another definition
        """
        check_table(table)
        try:
            stored = self.describe(table.name, timeout=timeout)
        except TableNotFound:
            try:
                return self.create(table, timeout=timeout)
            except AlreadyExists:  # another process was faster
                stored = self.describe(table.name, timeout=timeout)
        differences = table.differences(stored)
        if differences:
            message = f"table {table.name!r} is stored with another definition: {'; '.join(differences)}"
            raise SchemaMismatch(message, differences=differences)
        return self._database.table(table)

    def drop(self, name: str, *, timeout: float | None = None) -> None:
        """Remove a table with all its items.

        :raises TableNotFound: there is none
        """
        self._database.execute(op.DropTable(self._database.context(timeout), check_table_name(name)))
