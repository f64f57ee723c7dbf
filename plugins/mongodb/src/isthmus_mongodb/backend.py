"""The backend: operations to plans, and their errors to those of the tree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from pymongo.asynchronous.mongo_client import AsyncMongoClient
from pymongo.errors import NetworkTimeout, OperationFailure, PyMongoError
from pymongo.synchronous.mongo_client import MongoClient

from isthmus import operations as op
from isthmus import slices
from isthmus.backends import BackendConfig, Clock
from isthmus.capabilities import Limits
from isthmus.errors import BackendError, IsthmusError
from isthmus.planned import Plan, PlannedBackend, drive
from isthmus.results import Result
from isthmus_mongodb import batches, items, mapped_pages, mapped_plans, queries, slice_reading, tables, transactions
from isthmus_mongodb.blocking import Blocking
from isthmus_mongodb.catalogue import Catalogue, Stored
from isthmus_mongodb.closing import Gate
from isthmus_mongodb.failures import OTHER_COLLECTION, had_no_effect, note_request, translate
from isthmus_mongodb.item_store import MongoDBItemStore
from isthmus_mongodb.mapped_tables import MappedTables
from isthmus_mongodb.native import Command
from isthmus_mongodb.on_loop import OnLoop
from isthmus_mongodb.options import Options, read_options
from isthmus_mongodb.probing import Server, capabilities_of, server_of
from isthmus_mongodb.swapping import Place
from isthmus_mongodb.unique import check_kept, find_holder, with_values_freed

# Where a request of these has no effect, none has: what they sent before was refused, or only read.
_ONE_WRITE = (op.Create, op.Put, op.Update, op.Delete, op.TransactWrite)
# So much before a deadline it counts as passed, seconds.
_ROUNDING = 0.02


def open_backend(config: BackendConfig) -> MongoDBBackend:
    """A backend for a URL, after its server was asked what it offers.

    :raises ConfigurationError: the URL or an option is wrong, or the server too old
    :raises Unavailable: no server answers
    """
    return MongoDBBackend(read_options(config.url, config.options), config.clock)


class MongoDBBackend(PlannedBackend):
    """One database of a MongoDB server or cluster."""

    name: ClassVar[str] = "mongodb"
    limits = Limits()

    def __init__(self, options: Options, clock: Clock = time.time) -> None:
        self.options = options
        self.clock: Clock = clock
        self.catalogue = Catalogue(options.prefix, self.limits, clock)
        self.mapped = MappedTables(options.mappings, self.limits, clock)
        self._blocking = Blocking(options)
        self._on_loop = OnLoop(options)
        self._gate = Gate()
        self.server = self._probe()
        self._blocking.numbered = self._on_loop.numbered = self.server.has_transactions
        self.capabilities = capabilities_of(self.server)
        if self.catalogue.locks:
            self.item_store = self._item_store()

    def _item_store(self) -> MongoDBItemStore:
        return MongoDBItemStore(
            self.catalogue, lambda name: name in self.mapped, self.options.hosts, self._blocking, self._on_loop,
            self._gate, self.name, former=self.server.has_transactions,
        )  # fmt: skip

    def _probe(self) -> Server:
        try:
            hello = self._blocking.send(Command({"hello": 1}), None)
            build = self._blocking.send(Command({"buildInfo": 1}), None)
            server = server_of(hello, build, self.options.hosts)
            # Where there are records, the server ran alone once, and transactions of then may hold items.
            self.catalogue.locks = not server.has_transactions or self._has_records()
        except BaseException as error:
            self._blocking.close()
            if isinstance(error, IsthmusError) or not isinstance(error, Exception):
                raise
            known = translate(error, writes=False, hosts=self.options.hosts, late=False)
            raise known or error from error
        return server

    def _has_records(self) -> bool:
        wanted = {"listCollections": 1, "nameOnly": True, "filter": {"name": self.catalogue.records}}
        return bool(self._blocking.send(Command(wanted), None)["cursor"]["firstBatch"])

    # ---- life ----

    def execute(self, operation: op.Operation) -> Result:
        self._gate.enter()
        try:
            return super().execute(operation)
        finally:
            self._gate.leave()

    async def aexecute(self, operation: op.Operation) -> Result:
        self._gate.enter()
        try:
            return await super().aexecute(operation)
        finally:
            self._gate.leave()

    def send(self, request: Any, operation: op.Operation) -> Any:
        try:
            return self._blocking.send(request, operation.context.deadline)
        except PyMongoError as error:
            note_request(error, request)
            raise

    async def asend(self, request: Any, operation: op.Operation) -> Any:
        try:
            return await self._on_loop.send(request, operation.context.deadline)
        except PyMongoError as error:
            note_request(error, request)
            raise

    def close(self) -> None:
        """Let the calls at work finish, for half a minute at most, and close the driver's sync client."""
        self._gate.shut()
        # Nobody closes it a second time, so an interruption closes both clients too.
        try:
            try:
                self._gate.wait()
            finally:
                self._blocking.close()
        finally:
            self._on_loop.forget()

    async def aclose(self) -> None:
        self._gate.shut()
        # Nobody closes it a second time, so one who is cancelled closes both clients too.
        try:
            try:
                await asyncio.to_thread(self._gate.wait)
            finally:
                await self._on_loop.close()
        finally:
            self._blocking.close()

    def native(self) -> MongoClient[dict[str, Any]] | AsyncMongoClient[dict[str, Any]]:
        """The driver's client: the async one where this thread runs an event loop, else the sync one."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._blocking.client()
        return self._on_loop.client()

    # ---- meaning ----

    def plan(self, operation: op.Operation) -> Plan:
        if self.mapped:
            plan = mapped_plans.plan_of(self.mapped, self.catalogue, operation, self.translate_error)
            if plan is not None:
                return plan
        return _PLANS[type(operation)](self, operation)

    def identifies(self, operation: op.Operation) -> bool:
        """Whether a write leaves its id with an item, so that a repetition is recognised (rule CND-7)."""
        if self.mapped and mapped_plans.concerns(self.mapped, operation):
            return False
        if isinstance(operation, op.TransactWrite):
            return operation.token is None and any(
                isinstance(action, (op.Create, op.Put, op.Update)) for action in operation.actions
            )
        return items.identifies(operation)

    def keeps_unique(self, table: str) -> bool:
        """Not in collections of others, and not where transactions of the core's may have been left behind."""
        return table not in self.mapped and not self.catalogue.locks

    def translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError:
        if isinstance(error, IsthmusError):
            return error
        if isinstance(error, OperationFailure) and error.code == OTHER_COLLECTION:
            # What was believed of the table is no longer so: a retry, for which this error asks, reads it anew.
            self.catalogue.forget_all()
        deadline = operation.context.deadline
        # The driver may notice a little before the deadline that it can't be met.
        late = deadline is not None and (isinstance(error, NetworkTimeout) or time.monotonic() >= deadline - _ROUNDING)
        writes = operation.writes and not (isinstance(operation, _ONE_WRITE) and had_no_effect(error))
        known = translate(error, writes=writes, hosts=self.options.hosts, late=late)
        # What is not the driver's was raised by a plan, before or between its requests.
        return known or BackendError(f"mongodb failed with {type(error).__name__}: see the cause")

    def explain(self, operation: op.Operation) -> Mapping[str, Any]:
        """The request behind a query or scan, with its values left out."""
        if not isinstance(operation, (op.Query, op.Scan)):
            return {}
        if operation.table.name in self.mapped:
            mapped = drive(self.mapped.find(operation.table), lambda request: self._blocking.send(request, None))
            return mapped_pages.explain(mapped, operation)
        stored: Stored = drive(self.catalogue.find(operation.table), lambda request: self._blocking.send(request, None))
        return queries.explain(stored, operation, self.clock())


def _on_place(plan: Callable[[Place, Any], Plan]) -> Callable[[MongoDBBackend, Any], Plan]:
    """The plan of an operation on one item, after its table was found."""

    def found_first(backend: MongoDBBackend, operation: op.TableOperation) -> Plan:
        stored = yield from backend.catalogue.find(operation.table)
        if operation.writes:
            check_kept(operation.table, stored.table)
        return (yield from plan(stored.place, operation))

    def planned(backend: MongoDBBackend, operation: op.TableOperation) -> Plan:
        stored = backend.catalogue.recent(operation.table)
        return plan(stored.place, operation) if stored is not None else found_first(backend, operation)

    return planned


def _put_many(backend: MongoDBBackend, operation: op.PutMany) -> Plan:
    translated = partial(backend.translate_error, operation=operation)
    return batches.put_many(backend.catalogue, operation, backend.options.hosts, translated)


def _delete_many(backend: MongoDBBackend, operation: op.DeleteMany) -> Plan:
    translated = partial(backend.translate_error, operation=operation)
    return batches.delete_many(backend.catalogue, operation, backend.options.hosts, translated)


def _transact_write(backend: MongoDBBackend, operation: op.TransactWrite) -> Plan:
    find = partial(mapped_plans.forms_of, backend.mapped, backend.catalogue)
    return transactions.transact_write(backend.catalogue, operation, find)


def _transact_get(backend: MongoDBBackend, operation: op.TransactGet) -> Plan:
    find = partial(mapped_plans.forms_of, backend.mapped, backend.catalogue)
    return transactions.transact_get(backend.catalogue, operation, find)


def _resolve(backend: MongoDBBackend, operation: op.Resolve) -> Plan:
    stored = yield from backend.catalogue.read(operation.table_name)
    result: Result = yield from items.resolve(stored.place, operation)
    return result


_PLANS: dict[type[op.Operation], Callable[[MongoDBBackend, Any], Plan]] = {
    op.CreateTable: lambda backend, operation: tables.create(backend.catalogue, operation),
    op.DescribeTable: lambda backend, operation: tables.describe(backend.catalogue, operation),
    op.KeepUnique: lambda backend, operation: tables.keep_unique(backend.catalogue, operation),
    op.FindHolder: _on_place(find_holder),
    op.ListTables: lambda backend, _operation: tables.list_names(backend.catalogue),
    op.DropTable: lambda backend, operation: tables.drop(backend.catalogue, operation),
    op.Get: _on_place(items.get),
    op.Create: _on_place(with_values_freed(items.create)),
    op.Put: _on_place(with_values_freed(items.put)),
    op.Update: _on_place(with_values_freed(items.update)),
    op.Delete: _on_place(items.delete),
    op.Query: lambda backend, operation: queries.page(backend.catalogue, operation),
    op.Scan: lambda backend, operation: queries.page(backend.catalogue, operation),
    slices.DivideTable: _on_place(lambda place, operation: slice_reading.divide(slice_reading.own(place), operation)),
    slices.AskFacts: _on_place(lambda place, _operation: slice_reading.facts(slice_reading.own(place))),
    slices.ReadSlice: _on_place(lambda place, operation: slice_reading.read(slice_reading.own(place), operation)),
    slices.CountSlice: _on_place(lambda place, operation: slice_reading.count(slice_reading.own(place), operation)),
    op.GetMany: lambda backend, operation: batches.get_many(backend.catalogue, operation),
    op.PutMany: _put_many,
    op.DeleteMany: _delete_many,
    op.TransactWrite: _transact_write,
    op.TransactGet: _transact_get,
    op.Resolve: _resolve,
}
