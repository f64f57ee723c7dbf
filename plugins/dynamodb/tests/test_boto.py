"""The boto3 client as a transport: the same answers, errors and outcomes as the fast one."""

from __future__ import annotations

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import Closed, DeadlineExceeded
from isthmus_dynamodb.native import AnswerLost, NotSent, Request, ServiceError, Transport
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.transports.binary import with_bytes
from plugins.dynamodb.tests.servers import (
    LIST_TABLES,
    LONGEST_WAIT,
    Caller,
    Holding,
    answer,
    answering,
    calling,
    options_of,
    serving,
    until,
)
from plugins.dynamodb.tests.test_connections import cut, in_turn, lost, never
from tests.patience import with_enough_time

BINARY = {"k": {"B": "AAEC"}, "B": {"BS": ["AA==", "AQ=="]}, "BS": {"M": {"B": {"L": [{"B": "/w=="}, {"S": "B"}]}}}}
TABLE = {
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "B"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


@pytest.fixture
def table(dynamodb_url: str) -> Iterator[str]:
    """A table with a binary key and one item."""
    name = f"transport-{uuid4().hex}"
    with calling("sync", options_of(dynamodb_url).endpoint or "") as call:
        call(Request("CreateTable", {"TableName": name, **TABLE}))
        call(Request("PutItem", {"TableName": name, "Item": BINARY}))
        yield name
        call(Request("DeleteTable", {"TableName": name}))


def as_text(value: Any) -> Any:
    """The same document with base64 text in place of bytes."""
    if isinstance(value, dict):
        return {name: as_text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_text(inner) for inner in value]
    return b64encode(value).decode() if isinstance(value, bytes) else value


@pytest.fixture(params=["fast", "boto3"])
def call(request: pytest.FixtureRequest, dynamodb_url: str, mode: str) -> Iterator[Caller]:
    """A caller over each transport."""
    with calling(mode, options_of(dynamodb_url).endpoint or "", transport=request.param) as caller:
        yield caller


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_binary_values_pass_unchanged(call: Caller, table: str, timeout: float | None) -> None:
    """What was stored with base64 text is found and read, whichever names the attributes have."""
    request = Request("GetItem", {"TableName": table, "Key": {"k": {"B": "AAEC"}}, "ConsistentRead": True})
    assert as_text(call(request, timeout)) == {"Item": BINARY}


def test_a_refusal_has_the_code_and_the_current_item(call: Caller, table: str) -> None:
    """A failed condition comes with the item that made it fail."""
    condition = {"ConditionExpression": "attribute_not_exists(k)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(ServiceError) as caught:
        call(Request("PutItem", {"TableName": table, "Item": BINARY, **condition}))
    assert (caught.value.code, caught.value.status) == ("ConditionalCheckFailedException", 400)
    assert as_text(caught.value.body["Item"]) == BINARY
    assert caught.value.request_id


def test_a_cancelled_transaction_has_its_reasons(call: Caller, table: str) -> None:
    """Each action's reason is there, with its item."""
    check = {
        "TableName": table, "Key": {"k": {"B": "AAEC"}}, "ConditionExpression": "attribute_not_exists(k)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }  # fmt: skip
    put = {"TableName": table, "Item": {"k": {"B": "AAAA"}}}
    with pytest.raises(ServiceError) as caught:
        call(Request("TransactWriteItems", {"TransactItems": [{"ConditionCheck": check}, {"Put": put}]}))
    reasons = caught.value.body["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed", "None"]
    assert as_text(reasons[0]["Item"]) == BINARY


@given(st.recursive(st.text(max_size=3) | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=3)))
def test_what_is_not_binary_is_left_alone(value: Any) -> None:
    """Only the values of B and BS change."""
    document = {"Item": {"B": {"L": value}, "BS": {"M": {"N": value}}}, "Limit": value}
    assert with_bytes(document) == document


def test_a_slow_answer_ends_with_the_deadline(mode: str) -> None:
    """The caller gets its answer at the deadline; the next call is not disturbed."""

    def attempt(seconds: float) -> None:
        handler = in_turn(never, answering(answer()))
        with serving(handler) as server, calling(mode, server.url, transport="boto3", read_timeout=10) as call:
            lost(call, LIST_TABLES, seconds, "the deadline passed")
            # Its thread may come to send it only now.
            until(lambda: server.connections == 1)
            assert call(timeout=60.0) == {}

    with_enough_time(attempt)


def test_a_full_queue_of_threads_sends_nothing(mode: str) -> None:
    """A call that got no thread before its deadline was not sent."""

    def attempt(seconds: float) -> None:
        options = {"transport": "boto3", "max_connections": 1, "read_timeout": 60.0}
        with serving(never) as server, calling(mode, server.url, **options) as call:
            lost(call, LIST_TABLES, seconds, "the deadline passed")
            with pytest.raises(DeadlineExceeded, match="before a thread was free"):
                call(timeout=seconds)

    with_enough_time(attempt)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_calls_after_closing_are_refused(mode: str, timeout: float | None) -> None:
    """A closed transport sends nothing."""
    with serving(answering(answer())) as server, calling(mode, server.url, transport="boto3") as call:
        call.transport.close()
        with pytest.raises(Closed):
            call(timeout=timeout)
        assert server.connections == 0


def test_closing_refuses_what_waits_for_a_thread() -> None:
    """The call at work ends first, the one in the queue was not sent."""

    async def run(transport: Transport) -> list[Any]:
        calls = [asyncio.ensure_future(transport.asend(LIST_TABLES, None)) for _ in range(2)]
        await held.until_begun_there()
        closing = asyncio.ensure_future(transport.aclose())
        await asyncio.wait(calls[1:], timeout=LONGEST_WAIT)
        held.let_go()
        await closing
        return await asyncio.gather(*calls, return_exceptions=True)

    held = Holding()
    given = Options(region="x", access_key_id="x", secret_access_key="y", transport="boto3", max_connections=1)
    with serving(held) as server:
        first, second = asyncio.run(run(open_transport(evolve(given, endpoint=server.url))))
    assert first == {}
    assert isinstance(second, Closed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "gave no usable answer"),
        (b"garbage\r\n\r\n", "gave no usable answer"),
        (answer(b'{"a":1}')[:-3], "CRC32 checksum"),
        (answer(b"{}", checksum=1), "CRC32 checksum"),
    ],
)
def test_a_broken_answer_is_lost(mode: str, data: bytes, reason: str) -> None:
    """What the client itself would take for an answer is refused too."""
    with (
        serving(cut(data)) as server,
        calling(mode, server.url, transport="boto3") as call,
        pytest.raises(AnswerLost, match=reason),
    ):
        call()


def test_a_refused_connection_is_not_sent_and_names_the_endpoint(mode: str) -> None:
    """Nobody listens: the endpoint is named at once."""
    with serving(never) as server:
        url = server.url
    with calling(mode, url, transport="boto3") as call, pytest.raises(NotSent, match=f"{url} can't be reached"):
        call()


def test_the_client_is_there_for_event_hooks(dynamodb_url: str) -> None:
    """Hooks of the client see the requests of the transport."""
    seen: list[str] = []
    with calling("sync", options_of(dynamodb_url).endpoint or "", transport="boto3") as call:
        call.transport.client.meta.events.register(
            "before-send.dynamodb", lambda event_name, **_: seen.append(event_name)
        )
        call()
    assert seen == ["before-send.dynamodb.ListTables"]


def test_a_closing_that_is_cancelled_closes() -> None:
    """Also where no thread was free for it; nobody closes again."""

    async def run() -> None:
        transport = open_transport(Options(endpoint="http://127.0.0.1:9", region="x", access_key_id="x",
                                           secret_access_key="y", transport="boto3"))  # fmt: skip
        with ThreadPoolExecutor(1) as only:
            asyncio.get_running_loop().set_default_executor(only)
            busy = only.submit(go_on.wait, LONGEST_WAIT)
            closing = asyncio.ensure_future(transport.aclose())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            go_on.set()
            assert busy.result()
        with pytest.raises(Closed):
            transport.send(LIST_TABLES, time.monotonic() + 60)

    go_on = threading.Event()
    asyncio.run(run())
