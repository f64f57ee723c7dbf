"""The async database: the same names as ``database.py``, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from time import perf_counter
from typing import Any, Self, cast

from attrs import evolve, field, frozen

from isthmus import operations as op
from isthmus import requests as req
from isthmus import results as res
from isthmus import selections as sel
from isthmus.backends import Backend
from isthmus.capabilities import Capabilities, Limits
from isthmus.errors import AlreadyExists, SchemaMismatch, TableNotFound
from isthmus.expressions import Condition, Target, Targets
from isthmus.health import Health
from isthmus.metrics import MetricDescription
from isthmus.operations import Context, Returning
from isthmus.pipeline import Explanation, Pipeline
from isthmus.schema import Index, KeyDeclaration, Table
from isthmus.tables import Actions, declare
from isthmus.values import Item


class AsyncDatabase:
    """One opened database; safe for use from several threads.

    Use it as a context manager, or call ``close``. ``bind`` gives views of the same database for other callers.
    """

    def __init__(self, pipeline: Pipeline, context: Context = Context()) -> None:  # noqa: B008  # frozen
        self._pipeline = pipeline
        self._context = context
        self.tables = AsyncTables(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncDatabase {self.url}{' (closed)' if self._pipeline.closed else ''}>"

    @property
    def url(self) -> str:
        """The URL with secrets left out."""
        return self._pipeline.url

    @property
    def backend_name(self) -> str:
        """The backend's name."""
        return self._pipeline.backend_name

    @property
    def capabilities(self) -> Capabilities:
        """What callers can rely on, after all layers."""
        return self._pipeline.capabilities

    @property
    def limits(self) -> Limits:
        """The backend's limits."""
        return self._pipeline.limits

    @property
    def converter(self) -> Any:
        """The cattrs converter between Python types and portable values."""
        return self._pipeline.converter

    @property
    def backend(self) -> Backend:
        """The backend beneath all layers: for tests and tools that must see what is stored."""
        return self._pipeline.backend

    def native(self) -> Any:
        """The driver's own client: an escape hatch, outside of all layers and of the contract."""
        return self._pipeline.backend.native()

    def bind(self, *, actor: str | None) -> AsyncDatabase:
        """A view of the same database for a named caller."""
        return AsyncDatabase(self._pipeline, evolve(self._context, actor=actor))

    def explain(self) -> Explanation:
        """The composed stack, outer to inner."""
        return self._pipeline.explain()

    def describe_metrics(self) -> list[MetricDescription]:
        """The metrics that the core and the active plugins emit."""
        return self._pipeline.describe_metrics()

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
        return await self._pipeline.aexecute(operation)

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
        table = declare(name, partition_key, sort_key, indexes, ttl, versioned, timestamps)
        return AsyncBoundTable(self, self._requests(table), self._pipeline.aexecute)

    def _requests(self, table: Table) -> req.Requests:
        pipeline = self._pipeline
        return req.Requests(table, pipeline.limits, self._context, pipeline.settings.timeout, pipeline.clock)

    def context(self, timeout: float | None) -> Context:
        """The caller's context with a deadline."""
        return req.with_deadline(self._context, self._pipeline.settings.timeout if timeout is None else timeout)

    async def transact_write(
        self, actions: Iterable[op.Action], *, token: str | None = None, timeout: float | None = None
    ) -> res.TransactWriteResult:
        """Apply all actions or none.

        :param actions: what ``table.actions.put(…)`` and the like give, over any tables
        :param token: 1 to 36 characters; a repetition with the same token and content succeeds without effect
        :raises TransactionFailed: with one reason for each action
        """
        operation = req.transact_write(actions, token, self.limits, self.context(timeout))
        return cast("res.TransactWriteResult", await self.execute(operation))

    async def transact_get(self, gets: Iterable[op.Get], *, timeout: float | None = None) -> list[Item | None]:
        """Read items as they were at one moment, in order, ``None`` for missing ones.

        :param gets: what ``table.actions.get(…)`` gives
        """
        operation, places = req.transact_get(gets, self.limits, self.context(timeout))
        result = cast("res.TransactGetResult", await self.execute(operation))
        return req.at_places(result.items, places)


class AsyncTables:
    """The tables of a database."""

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def create(self, table: Table, *, timeout: float | None = None) -> AsyncBoundTable:
        """Create a table.

        :raises AlreadyExists: there is one of that name
        """
        await self._database.execute(op.CreateTable(self._database.context(timeout), table))
        return self._database.table(table)

    async def describe(self, name: str, *, timeout: float | None = None) -> Table:
        """The stored definition of a table.

        :raises TableNotFound: there is none
        """
        result = await self._database.execute(op.DescribeTable(self._database.context(timeout), name))
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
        await self._database.execute(op.DropTable(self._database.context(timeout), name))


class AsyncBoundTable:
    """A table of an opened database.

    Keys are given as keyword arguments, or as one mapping where an attribute's name is taken by an option.
    """

    __slots__ = ("_execute", "_requests", "actions", "database", "schema")

    def __init__(self, database: AsyncDatabase, requests: req.Requests, execute: Any) -> None:
        self.database = database
        self.schema = requests.table
        self.actions = Actions(requests)
        self._requests = requests
        # Loosely typed and without a detour, because even a cast costs time on the path of each point read.
        self._execute = execute

    @property
    def name(self) -> str:
        """The table's name."""
        return self.schema.name

    async def ensure(self, *, timeout: float | None = None) -> Self:
        """Create the table unless it exists as declared; see ``Tables.ensure``."""
        await self.database.tables.ensure(self.schema, timeout=timeout)
        return self

    async def drop(self, *, timeout: float | None = None) -> None:
        """Remove the table with all its items."""
        await self.database.tables.drop(self.name, timeout=timeout)

    # ---- single items ----

    async def get(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        select: req.Projection = None,
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item:
        """Read an item.

        :raises ItemNotFound: there is none
        """
        operation = self._requests.get(key, attributes, select, consistent, timeout)
        item: Item | None = (await self._execute(operation)).item
        if item is None:
            raise req.not_found(operation, self.database.backend_name)
        return item

    async def find(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        select: req.Projection = None,
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item | None:
        """Read an item, or ``None`` when there is none."""
        result = await self._execute(self._requests.get(key, attributes, select, consistent, timeout))
        item: Item | None = result.item
        return item

    async def create(self, item: Mapping[str, Any], /, *, timeout: float | None = None) -> None:
        """Write a new item.

        :raises AlreadyExists: there is one with this key
        """
        await self._execute(self._requests.create(item, timeout))

    async def put(
        self,
        item: Mapping[str, Any],
        /,
        *,
        when: Condition | None = None,
        returning: Returning = None,
        timeout: float | None = None,
    ) -> Item | None:
        """Write an item in place of whatever has its key; ``returning="old"`` gives that.

        :raises ConditionFailed: ``when`` is false; the error carries the current item
        :raises VersionConflict: the table is versioned and the item was changed since it was read
        """
        return cast("res.WriteResult", await self._execute(self._requests.put(item, when, returning, timeout))).item

    async def update(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        set: Targets | None = None,
        set_if_absent: Targets | None = None,
        copy: Targets | None = None,
        add: Targets | None = None,
        remove: Target | Iterable[Target] | None = None,
        delete: Targets | None = None,
        append: Targets | None = None,
        prepend: Targets | None = None,
        create_lists: bool = False,
        when: Condition | None = None,
        upsert: bool = False,
        expected_version: int | None = None,
        returning: Returning = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item | None:
        """Change attributes of an item; ``returning`` gives the item before (``"old"``) or after (``"new"``).

        The changes are those of :func:`isthmus.expressions.changes`.

        :raises ItemNotFound: there is no item, and no ``upsert``
        :raises ConditionFailed: ``when`` is false; the error carries the current item
        :raises InvalidPath: a parent is missing or of another type
        :raises OutOfRange: arithmetic left the range of portable numbers
        """
        wanted = {
            "set": set, "set_if_absent": set_if_absent, "copy": copy, "add": add, "remove": remove, "delete": delete,
            "append": append, "prepend": prepend, "create_lists": create_lists,
        }  # fmt: skip
        operation = self._requests.update(key, attributes, wanted, when, upsert, expected_version, returning, timeout)
        return cast("res.WriteResult", await self._execute(operation)).item

    async def delete(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        when: Condition | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> bool:
        """Remove an item; whether there was one.

        :raises ConditionFailed: ``when`` is false; the error carries the current item
        """
        operation = self._requests.delete(key, attributes, when, expected_version, None, timeout)
        return cast("res.DeleteResult", await self._execute(operation)).existed

    async def pop(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        when: Condition | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item | None:
        """Remove an item and return it, or ``None`` when there was none."""
        operation = self._requests.delete(key, attributes, when, expected_version, "old", timeout)
        return cast("res.DeleteResult", await self._execute(operation)).item

    # ---- batches ----

    async def get_many(
        self,
        keys: Iterable[Mapping[str, Any]],
        /,
        *,
        select: req.Projection = None,
        consistent: bool = True,
        timeout: float | None = None,
    ) -> res.GetManyResult:
        """Read any number of items: in order, ``None`` for missing ones; ``failures`` lists what could not be read."""
        operation, places = self._requests.get_many(keys, select, consistent, timeout)
        return (
            req.spread(cast("res.GetManyResult", await self._execute(operation)), places)
            if places
            else res.GetManyResult()
        )

    async def put_many(
        self, items: Iterable[Mapping[str, Any]], /, *, timeout: float | None = None
    ) -> res.WriteManyResult:
        """Write any number of items, not atomically; ``failures`` lists what was not written."""
        operation = self._requests.put_many(items, timeout)
        return cast("res.WriteManyResult", await self._execute(operation)) if operation.items else res.WriteManyResult()

    async def delete_many(
        self, keys: Iterable[Mapping[str, Any]], /, *, timeout: float | None = None
    ) -> res.WriteManyResult:
        """Remove any number of items, not atomically; ``failures`` lists what was not removed."""
        operation = self._requests.delete_many(keys, timeout)
        return cast("res.WriteManyResult", await self._execute(operation)) if operation.keys else res.WriteManyResult()

    # ---- selections ----

    def query(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        index: str | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> AsyncSelection:
        """The items of one partition, in sort-key order. Nothing is read before the selection is used."""
        query, chosen, condition = sel.query_spec(self._requests, index, self._requests.merged(key, attributes))
        return AsyncSelection(self._requests, query, chosen, condition, None, timeout, database=self.database)

    def scan(self, *, segment: int | None = None, segments: int = 1, timeout: float | None = None) -> AsyncSelection:
        """All items in no promised order.

        :param segment: only this one of ``segments`` disjoint parts; without it all of them, read in parallel
        """
        sel.check_segments(segment, segments)
        scan = op.Scan(self._requests.context(None), self.schema, segment=segment or 0, segments=segments)
        parallel = segment is None and segments > 1
        return AsyncSelection(self._requests, scan, timeout=timeout, database=self.database, parallel=parallel)


@frozen
class AsyncSelection(sel.SelectionSpec):
    """A query or scan. Iterate over it, or take pages, the first item, or a count."""

    database: AsyncDatabase = field(kw_only=True)
    parallel: bool = field(default=False, kw_only=True)

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self, *, size: int = sel.ITERATION_ITEMS) -> AsyncIterator[res.Page]:
        """Pages of at most ``size`` items; one deadline covers all of them."""
        if self.matches_nothing:
            return
        if self.parallel:
            async for page in self._parallel_pages(size):
                yield page
            return
        context = self.requests.context(self.timeout)
        start, left = None, self.at_most
        while True:
            page = await self._run(self.next_page(context, start, left, size))
            left = None if left is None else left - len(page.items)
            yield page
            if page.position is None or left == 0:
                return
            start = page.position

    async def _run(self, operation: op.Operation) -> res.Page:
        return cast("res.Page", await self.database.execute(operation))

    def _whole(self) -> AsyncSelection:
        """The same selection read in one piece, which is what a position can be given in."""
        return (
            evolve(self, base=evolve(cast("op.Scan", self.base), segments=1), parallel=False) if self.parallel else self
        )

    def _segment(self, number: int) -> AsyncSelection:
        return evolve(self, base=evolve(cast("op.Scan", self.base), segment=number), parallel=False, at_most=None)

    async def _parallel_pages(self, size: int) -> AsyncIterator[res.Page]:
        """Pages of all segments as they come, one in flight for each segment."""
        left = self.at_most
        flying: dict[asyncio.Task[res.Page | None], AsyncIterator[res.Page]] = {}
        try:
            for number in range(cast("op.Scan", self.base).segments):
                stream = self._segment(number).pages(size=size)
                flying[asyncio.ensure_future(_next(stream))] = stream
            while flying and left != 0:
                ready, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                for task in ready:
                    stream, page = flying.pop(task), task.result()
                    if page is None or left == 0:
                        continue
                    flying[asyncio.ensure_future(_next(stream))] = stream
                    page = page if left is None else evolve(page, items=page.items[:left])
                    left = None if left is None else left - len(page.items)
                    yield page
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def page(self, *, size: int, cursor: str | None = None) -> res.Page:
        """One page of at most ``size`` items; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged or belongs to another query
        """
        operation = self._whole().first_page(size, cursor)
        return res.Page() if self.matches_nothing else sel.with_cursor(operation, await self._run(operation))

    def explain(self) -> dict[str, Any]:
        """How this selection will be read: the key range, what is left to filter, and the backend's native request."""
        operation = self.operation()
        return {**self.plan(operation), "native": self.database.backend.explain(operation)}

    async def first(self) -> Item | None:
        """The first item, or ``None``."""
        async for item in self.limit(1):
            return item
        return None

    async def count(self) -> int:
        """How many items match, counted by reading (rule QRY-10)."""
        if self.at_most is not None:
            return len([None async for _item in self])
        return 0 if self.matches_nothing else await self._count(self._whole())

    async def _count(self, whole: AsyncSelection) -> int:
        context = self.requests.context(self.timeout)
        page = await self._run(whole.next_count(context, None))
        total = page.count
        while page.position is not None:
            page = await self._run(whole.next_count(context, page.position))
            total += page.count
        return total

    async def sorted_by(self, attribute: Target, *, descending: bool = False, bound: int = 10_000) -> list[Item]:
        """All items sorted in memory by any attribute; those without it come last (rule QRY-3).

        :param bound: refuse to sort more items than this
        """
        sort = sel.InMemorySort(attribute, descending, bound)
        async for item in self:
            sort.add(item)
        return sort.sorted()


async def _next(stream: AsyncIterator[res.Page]) -> res.Page | None:
    return await anext(stream, None)
