"""The backend: which plan answers which operation, and how requests are carried out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from attrs import evolve

from isthmus import operations as op
from isthmus.backends import BackendConfig, Clock
from isthmus.capabilities import Capabilities, Limits
from isthmus.errors import IsthmusError
from isthmus.metrics import throttled
from isthmus.operations import Operation
from isthmus.planned import Plan, PlannedBackend
from isthmus.slices import AskFacts
from isthmus_dynamodb.abilities import capabilities
from isthmus_dynamodb.batches import delete_many, get_many, put_many
from isthmus_dynamodb.failures import translated
from isthmus_dynamodb.known_tables import KnownTables, TrustedTables
from isthmus_dynamodb.names import TableNames
from isthmus_dynamodb.native import AnswerLost, Pause, Request, ServiceError, Transport
from isthmus_dynamodb.options import Options, read_options
from isthmus_dynamodb.point_reads import get, resolve
from isthmus_dynamodb.queries import query, scan
from isthmus_dynamodb.service import LIMITS, Service
from isthmus_dynamodb.table_settings import TableSettings
from isthmus_dynamodb.tables import Tables
from isthmus_dynamodb.transactions import transact_get, transact_write
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.writing import write

_LEAVES_AN_ITEM = (op.Create, op.Put, op.Update)
_PLANS: Final[dict[type[Operation], Callable[[Any, Service], Plan]]] = {
    op.Get: get,
    op.Create: write,
    op.Put: write,
    op.Update: write,
    op.Delete: write,
    op.Query: query,
    op.Scan: scan,
    op.GetMany: get_many,
    op.PutMany: put_many,
    op.DeleteMany: delete_many,
    op.TransactWrite: transact_write,
    op.TransactGet: transact_get,
    op.Resolve: resolve,
}


class DynamoDBBackend(PlannedBackend):
    """Answers operations with requests to DynamoDB, or to whatever speaks its protocol.

    :param transport: carries the requests
    :param clock: seconds since the epoch; expiry is judged by it
    """

    name: ClassVar[str] = "dynamodb"
    limits: Limits = LIMITS

    def __init__(self, transport: Transport, options: Options, clock: Clock = time.time) -> None:
        self.clock: Clock = clock
        self.capabilities: Capabilities = capabilities(options)
        self._transport = transport
        self._send = transport.send
        self._identifying = options.operation_ids
        names = TableNames(options.prefix)
        known = KnownTables(names)
        self._service = Service(clock, names, known, marks=options.operation_ids, count_throttled=self._count_throttled)
        self._shown = evolve(self._service, known=TrustedTables(names))
        tables = Tables(names, _settings(options), known)
        self._table_plans: dict[type[Operation], Callable[[Any], Plan]] = {
            op.CreateTable: tables.create,
            op.DescribeTable: tables.describe,
            AskFacts: tables.facts,
            op.ListTables: tables.list,
            op.DropTable: tables.drop,
        }

    def plan(self, operation: Operation) -> Plan:
        found = _PLANS.get(type(operation))
        return self._table_plans[type(operation)](operation) if found is None else found(operation, self._service)

    def send(self, request: Request | Pause, operation: Operation) -> Any:
        if isinstance(request, Pause):
            return time.sleep(request.seconds)
        try:
            return self._send(request, operation.context.deadline)
        except (ServiceError, AnswerLost) as error:
            error.action = request.action
            raise

    async def asend(self, request: Request | Pause, operation: Operation) -> Any:
        if isinstance(request, Pause):
            return await asyncio.sleep(request.seconds)
        try:
            return await self._transport.asend(request, operation.context.deadline)
        except (ServiceError, AnswerLost) as error:
            error.action = request.action
            raise

    def _count_throttled(self, operation: Operation, members: int) -> None:
        if self.measure is not None:
            self.measure(throttled(operation.kind, operation.table_names, self.name, members))

    def identifies(self, operation: Operation) -> bool:
        if not self._identifying or operation.idempotent:
            return False
        if isinstance(operation, op.TransactWrite):
            return any(isinstance(action, _LEAVES_AN_ITEM) for action in operation.actions)
        return isinstance(operation, (*_LEAVES_AN_ITEM, op.Delete))

    def translate_error(self, error: Exception, operation: Operation) -> IsthmusError | None:
        return translated(error, operation)

    def explain(self, operation: Operation) -> Mapping[str, Any]:
        """The first request of the plan; empty where nothing has to be asked.

        That a table's definition is compared first is left out.
        """
        found = _PLANS.get(type(operation))
        plan = self.plan(operation) if found is None else found(operation, self._shown)
        request = next(plan, None)
        plan.close()
        return {} if request is None else {"action": request.action, "parameters": request.parameters}

    def native(self) -> Any:
        """A boto3 client with the same endpoint and credentials."""
        return self._transport.client

    def close(self) -> None:
        self._transport.close()

    async def aclose(self) -> None:
        await self._transport.aclose()


def open_backend(config: BackendConfig) -> DynamoDBBackend:
    """A backend for a ``dynamodb:`` URL; no request is sent.

    :raises ConfigurationError: the URL or an option can't be used
    :raises Unauthenticated: there are no credentials
    """
    options = read_options(config)
    return DynamoDBBackend(open_transport(options), options, config.clock)


def _settings(options: Options) -> TableSettings:
    return TableSettings(options.billing, options.read_units, options.write_units, options.local_indexes)
