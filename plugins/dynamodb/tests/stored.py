"""What tests of tables and queries share: databases with names of their own, recorded requests, scripted answers."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

from attrs import define, field
from botocore.exceptions import ClientError

from isthmus import BackendConfig, Database, RetryPolicy, connect
from isthmus_dynamodb.backend import DynamoDBBackend
from isthmus_dynamodb.native import Json, Pause, Request, ServiceError, Transport
from isthmus_dynamodb.options import read_options
from isthmus_dynamodb.transports import open_transport

NOW = 4_000_000_000
_NUMBERS = itertools.count()


@define
class Recorder:
    """A transport that notes what it carries."""

    transport: Transport
    sent: list[Request] = field(factory=list)

    def send(self, request: Request, deadline: float | None) -> Json:
        """Note the request and carry it on."""
        self.sent.append(request)
        return self.transport.send(request, deadline)

    async def asend(self, request: Request, deadline: float | None) -> Json:
        """The async twin."""
        self.sent.append(request)
        return await self.transport.asend(request, deadline)

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.transport.aclose()

    @property
    def client(self) -> Any:
        """The client of what carries the requests."""
        return self.transport.client

    @property
    def actions(self) -> list[str]:
        """The actions of all requests, in order."""
        return [request.action for request in self.sent]


@define
class Store:
    """A database whose tables begin with a prefix of their own."""

    database: Database
    recorder: Recorder
    prefix: str

    @property
    def client(self) -> Any:
        """A boto3 client."""
        return self.recorder.client

    def describe(self, name: str) -> Json:
        """What the service says of a table."""
        return cast("Json", self.client.describe_table(TableName=self.prefix + name)["Table"])

    def create_raw(self, name: str, keys: str, indexes: Json | None = None) -> None:
        """Create a table with the plain client.

        :param keys: ``"p:S s:N"``: the keys with their types
        :param indexes: further parameters, with the attributes of their keys under ``AttributeDefinitions``
        """
        pairs = [key.split(":") for key in keys.split()]
        more = dict(indexes or {})
        definitions = [{"AttributeName": name, "AttributeType": kind} for name, kind in pairs]
        self.client.create_table(
            TableName=self.prefix + name,
            KeySchema=key_schema(*(name for name, _kind in pairs)),
            AttributeDefinitions=definitions + more.pop("AttributeDefinitions", []),
            BillingMode="PAY_PER_REQUEST",
            **more,
        )

    def update_raw(self, name: str, **changes: Any) -> None:
        """Change a table with the plain client, again where a busy emulator answers that it has failed within."""
        until(lambda: self._updated(name, changes))

    def _updated(self, name: str, changes: Json) -> bool:
        try:
            self.client.update_table(TableName=self.prefix + name, **changes)
        except ClientError as error:
            if error.response["Error"]["Code"] != "InternalFailure":
                raise
            return False
        return True

    def put_raw(self, name: str, *items: Json) -> None:
        """Write items with the plain client."""
        for item in items:
            self.client.put_item(TableName=self.prefix + name, Item=item)


def key_schema(*names: str) -> list[Json]:
    """A key schema in the service's words."""
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def attributes(**types: str) -> list[Json]:
    """Attribute definitions."""
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


@contextmanager
def open_store(url: str, clock: Callable[[], float] = lambda: NOW, **options: Any) -> Iterator[Store]:
    """A database with a prefix of its own; its tables are dropped at the end."""
    prefix = f"t{os.getpid()}-{next(_NUMBERS)}-"
    given = {name: value for pair in urlsplit(url).query.split("&") for name, value in [pair.split("=", 1)]}
    config = BackendConfig(urlsplit(url), clock, {**given, "prefix": prefix, **options})
    read = read_options(config)
    recorder = Recorder(open_transport(read))
    # Without retries, so that a test sees what one attempt comes to.
    with connect(DynamoDBBackend(recorder, read, clock), retry_policy=RetryPolicy(attempts=1)) as database:
        yield Store(database, recorder, prefix)
        names = recorder.client.list_tables()["TableNames"]
        for name in names:
            if name.startswith(prefix):
                recorder.client.delete_table(TableName=name)


def refusal(code: str, status: int = 400) -> ServiceError:
    """An error of the service."""
    return ServiceError(code, "", status=status, body={}, request_id=None)


def carried_out(plan: Generator[Any, Any, Any], answers: Iterable[Any]) -> tuple[Any, list[Request | Pause]]:
    """Carry out a plan with these answers, pauses aside: its result, and what it asked."""
    script, asked, answer = iter(answers), [], None
    try:
        request = next(plan)
        while True:
            asked.append(request)
            answer = None if isinstance(request, Pause) else next(script)
            request = plan.throw(answer) if isinstance(answer, Exception) else plan.send(answer)
    except StopIteration as stop:
        assert not list(script), "the plan ended before all answers were used"
        return stop.value, asked


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that the service does in its own time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
