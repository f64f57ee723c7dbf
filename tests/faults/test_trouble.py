"""Trouble of people who set things up: each is told in time, with what to look at, and without secrets."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from isthmus import Table, connect
from isthmus.errors import InvalidCursor, IsthmusError, TableNotFound, Unauthenticated, Unavailable
from tests.faults.front import front, refusal
from tests.faults.ledger import GRACE
from tests.faults.places import Way, place, server_of, through
from tests.faults.sockets import HOST, closed_port

SECRET = "s3cr3t-of-the-test"
DEADLINE = 10.0
NOWHERE = "nowhere.invalid"  # a name that never exists, by RFC 6761

every_way = pytest.mark.parametrize("way", ["dynamodb-fast", "dynamodb-boto3", "mongodb"])


def url_to(way: Way, address: str) -> str:
    """A URL with a secret in it."""
    if way == "mongodb":
        return f"mongodb://user:{SECRET}@{address}/test?serverSelectionTimeoutMS=1000&connectTimeoutMS=1000"
    options = f"access_key_id=user&secret_access_key={SECRET}&transport={way.removeprefix('dynamodb-')}"
    return f"dynamodb://eu-west-1/?endpoint=http://{address}&{options}"


def refused(url: str) -> tuple[IsthmusError, float]:
    """The error of the first call, opening included, and how long it took in seconds."""
    begun = time.monotonic()
    with pytest.raises(IsthmusError) as caught, connect(url, timeout=DEADLINE) as database:
        database.table("orders", partition_key="id").get(id="1")
    return caught.value, time.monotonic() - begun


@every_way
@pytest.mark.parametrize("kind", ["closed port", "unknown host"])
def test_a_wrong_address_is_named_in_time(way: Way, kind: str) -> None:
    """Unavailable, before the deadline, with the address and without the secret."""
    address = f"{HOST}:{closed_port()}" if kind == "closed port" else f"{NOWHERE}:8000"
    error, took = refused(url_to(way, address))
    assert (type(error), address in error.message) == (Unavailable, True)
    assert SECRET not in f"{error} {error!r} {error.to_dict()}"
    assert took < DEADLINE + GRACE


@pytest.mark.parametrize("way", ["dynamodb-fast", "dynamodb-boto3"])
def test_a_wrong_region_is_hinted_at(way: Way, url_of: Callable[[str], str]) -> None:
    """The table is not there, and the message says what may be the reason."""
    with place(way, url_of) as at:
        elsewhere = at.faulty_url.replace("eu-west-1", "us-west-2")
        with connect(elsewhere) as database, pytest.raises(TableNotFound, match="region"):
            database.table(at.schema).get(id="1")


@pytest.mark.parametrize("way", ["dynamodb-fast", "dynamodb-boto3"])
@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"])
def test_credentials_that_are_not_accepted(way: Way, url_of: Callable[[str], str], code: str) -> None:
    """Unauthenticated, at once and not retried; the message names the service's code."""
    with place(way, url_of) as at, front(server_of(at.faulty_url)) as before:
        before.plan("GetItem", *[refusal(code)] * 10)
        url = through(at.faulty_url, before.address)
        with connect(url) as database, pytest.raises(Unauthenticated, match=code) as caught:
            database.table(at.schema).get(id="1")
        assert (caught.value.retryable, before.seen.count("GetItem")) == (False, 1)


def test_an_unknown_user_of_mongodb_is_refused(url_of: Callable[[str], str]) -> None:
    """Unauthenticated, without the password."""
    host, port = server_of(url_of("mongodb"))
    error, took = refused(url_to("mongodb", f"{host}:{port}"))
    assert (type(error), SECRET in f"{error} {error!r}") == (Unauthenticated, False)
    assert took < DEADLINE + GRACE


def test_a_cursor_of_another_backend_is_refused(url_of: Callable[[str], str]) -> None:
    """It would continue somewhere, but not where the caller was, because each backend has its own order."""
    items = [{"id": str(number)} for number in range(5)]
    with place("dynamodb-fast", url_of) as at, connect("memory://") as database:
        table = database.tables.create(Table(at.schema.name, "id"))
        for each in (at.plain, table):
            each.put_many(items).raise_for_failures()
        cursor = at.plain.scan().page(size=2).cursor
        assert len(at.plain.scan().page(size=9, cursor=cursor).items) == 3
        with pytest.raises(InvalidCursor):
            table.scan().page(size=9, cursor=cursor)
