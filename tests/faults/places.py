"""The engines under fault tests: each is reached directly, and through the proxy."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import frozen

from isthmus import BoundTable, Database, RetryPolicy, Table, connect
from tests.faults.proxy import FaultProxy

Way = Literal["dynamodb-fast", "dynamodb-boto3", "mongodb"]
"""An engine and how it is reached."""

QUICK = RetryPolicy(attempts=5, base=0.001, cap=0.004, budget=10_000)
ONCE = RetryPolicy(attempts=1)


@frozen
class Place:
    """An engine with a proxy before it, and a table of the test's own.

    :param faulty_url: reaches it through the proxy
    :param plain: the table, without faults
    """

    way: Way
    faulty_url: str
    proxy: FaultProxy
    plain: BoundTable

    @property
    def schema(self) -> Table:
        """The table's declaration."""
        return self.plain.schema

    @property
    def request(self) -> bytes:
        """What every request of the application holds, and none of the driver's own."""
        return b"lsid" if self.way == "mongodb" else rb"DynamoDB_20120810\."

    def opened(self, policy: RetryPolicy = QUICK, **options: str) -> Database:
        """The database, through the proxy."""
        return connect(with_options(self.faulty_url, **options), retry_policy=policy)


def with_options(url: str, **options: str) -> str:
    """A URL with further options."""
    parts = urlsplit(url)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **options}, safe=":/")).geturl()


@contextmanager
def place(way: Way, url_of: Callable[[str], str]) -> Iterator[Place]:
    """A place with a fresh table, which is dropped at the end.

    :param url_of: gives the engine's URL
    """
    url = url_of("mongodb" if way == "mongodb" else "dynamodb")
    if way == "dynamodb-boto3":
        url = with_options(url, transport="boto3")
    schema = Table(f"faults-{secrets.token_hex(6)}", "id")
    with FaultProxy(server_of(url)) as proxy, connect(url) as database:
        yield Place(way, through(url, proxy.address), proxy, database.tables.create(schema))
        database.tables.drop(schema.name)


def server_of(url: str) -> tuple[str, int]:
    """Host and port of the server that a URL leads to."""
    parts = urlsplit(url)
    if parts.scheme == "dynamodb":
        parts = urlsplit(dict(parse_qsl(parts.query))["endpoint"])
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def through(url: str, address: str) -> str:
    """The URL that leads to the same engine by another address."""
    if url.startswith("dynamodb:"):
        return with_options(url, endpoint=f"http://{address}")
    # Without the direct connection the driver would learn the server's own address, and go round the proxy. By polling
    # it sees at once that a server is there again; otherwise it may first wait ten seconds for news of it.
    return urlsplit(url)._replace(netloc=address, query="directConnection=true&serverMonitoringMode=poll").geturl()
