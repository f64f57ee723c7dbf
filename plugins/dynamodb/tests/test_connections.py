"""What a connection of the fast transport makes of servers that answer late, badly or not at all."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from isthmus.errors import DeadlineExceeded
from isthmus_dynamodb.native import AnswerLost, AnswerTooLarge, NotSent, Request, ServiceError
from isthmus_dynamodb.transports.answers import MAX_BODY
from plugins.dynamodb.tests.servers import (
    LIST_TABLES,
    LONGEST_WAIT,
    Caller,
    Handler,
    answer,
    answering,
    calling,
    read_request,
    serving,
    until,
)
from tests.patience import StoodStill, judged_only_if, with_enough_time

WHOLE = answer(b'{"TableNames":[]}')
# How much later than its deadline a call may end on a busy machine, seconds. Nothing else ends it that early: not the
# server, and not the read timeout.
GRACE = 30.0
UNHURRIED = 300.0


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


def in_turn(*handlers: Handler) -> Handler:
    """The first connection meets the first handler and so on; the last one takes all others."""
    count = iter(range(1_000_000))

    def handle(sock: socket.socket) -> None:
        handlers[min(next(count), len(handlers) - 1)](sock)

    return handle


def cut(data: bytes) -> Handler:
    """Answers once with this, and closes the connection."""

    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(data)

    return handle


def never(sock: socket.socket) -> None:
    """Takes requests and says nothing."""
    while sock.recv(65_536):
        pass


def drip(sock: socket.socket) -> None:
    """Sends an answer byte by byte, without end."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        sock.sendall(b"y")
        time.sleep(0.02)


def test_a_connection_is_used_again(mode: str) -> None:
    """Three calls one after another need one connection."""
    with serving(answering(WHOLE)) as server, calling(mode, server.url) as call:
        assert [call() for _ in range(3)] == [{"TableNames": []}] * 3
        assert server.connections == 1


def test_connection_close_is_honoured(mode: str) -> None:
    """After ``Connection: close`` the next call makes a new connection."""
    with serving(answering(answer(b"{}", "Connection: close"))) as server, calling(mode, server.url) as call:
        assert [call() for _ in range(3)] == [{}] * 3
        assert server.connections == 3


def test_a_connection_that_the_server_closed_is_not_used(mode: str) -> None:
    """An idle connection that ended in the meantime costs a new one, and no error."""
    with serving(cut(WHOLE)) as server, calling(mode, server.url) as call:
        for _ in range(3):
            assert call() == {"TableNames": []}
            until(lambda: server.at_once == 0)
        assert server.connections == 3


def test_chunks_in_slices_are_put_together(mode: str) -> None:
    """A chunked answer that arrives byte by byte is whole in the end."""
    data = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n4;x=y\r\n"b"}\r\n0\r\n\r\n'

    def handle(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while read_request(sock):
            for place in range(len(data)):
                sock.sendall(data[place : place + 1])

    with serving(handle) as server, calling(mode, server.url) as call:
        assert [call(), call()] == [{"a": "b"}] * 2


def test_large_bodies_pass_both_ways(mode: str) -> None:
    """Megabytes are sent and received whole."""
    text = "x" * 3_000_000

    def handle(sock: socket.socket) -> None:
        while request := read_request(sock):
            sock.sendall(answer(request.partition(b"\r\n\r\n")[2]))

    with serving(handle) as server, calling(mode, server.url) as call:
        assert call(Request("PutItem", {"text": text})) == {"text": text}


BROKEN = [
    (b"", "the connection was closed"),
    (WHOLE[:-3], "it ended early"),
    (b"garbage\r\n\r\n", "it is not HTTP/1.1"),
    (WHOLE + b"HTTP/1.1 200 OK\r\n", "it is longer than it says"),
    (answer(b"{}", checksum=1), "CRC32 checksum"),
    (answer(b"no json", "Connection: close"), "is not JSON"),
    (answer(b"[]", "Connection: close"), "is not JSON"),
]


@pytest.mark.parametrize(("data", "reason"), BROKEN)
def test_a_broken_answer_is_lost_and_the_next_call_gets_its_own(mode: str, data: bytes, reason: str) -> None:
    """Nothing of a broken answer reaches the call after it."""
    with serving(in_turn(cut(data), answering(WHOLE))) as server, calling(mode, server.url) as call:
        with pytest.raises(AnswerLost, match=reason) as caught:
            call()
        assert server.url in str(caught.value)
        assert call() == {"TableNames": []}


def test_half_a_surrogate_pair_does_not_hide_the_other_items(mode: str) -> None:
    """The service keeps such strings; whoever reads the item decides about them."""
    body = b'{"Items":[{"a":{"S":"\\ud800"}},{"a":{"S":"\\u00e9"}}]}'
    with serving(answering(answer(body))) as server, calling(mode, server.url) as call:
        assert call() == {"Items": [{"a": {"S": "\ud800"}}, {"a": {"S": "\u00e9"}}]}


def test_a_refusal_with_half_a_surrogate_pair_keeps_its_code(mode: str) -> None:
    """A failed condition stays one, whatever its item holds."""
    body = b'{"__type":"x#ConditionalCheckFailedException","Item":{"a":{"S":"\\udc00"}}}'
    refused = answer(body, status="400 Bad Request")
    with serving(answering(refused)) as server, calling(mode, server.url) as call:
        with pytest.raises(ServiceError) as caught:
            call()
        assert (caught.value.code, caught.value.body["Item"]) == (
            "ConditionalCheckFailedException",
            {"a": {"S": "\udc00"}},
        )


TOO_LARGE = [
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_BODY + 1),
]


@pytest.mark.parametrize("data", TOO_LARGE)
def test_an_answer_that_is_too_large_is_told_from_a_lost_one(mode: str, data: bytes) -> None:
    """It is refused by what it says of itself, so that the caller can ask for less."""
    with serving(in_turn(cut(data), answering(WHOLE))) as server, calling(mode, server.url) as call:
        with pytest.raises(AnswerTooLarge, match="its body is too long"):
            call()
        assert call() == {"TableNames": []}


def lost(call: Caller, request: Request, seconds: float, reason: str = "it took too long") -> None:
    """A call that is sent, and whose answer does not come in time."""
    started = time.monotonic()
    with pytest.raises((AnswerLost, NotSent, DeadlineExceeded)) as caught:
        call(request, timeout=seconds)
    assert time.monotonic() - started <= seconds + GRACE
    judged_only_if(caught.type is AnswerLost)
    assert reason in str(caught.value)
    assert time.monotonic() - started >= seconds


@pytest.mark.parametrize("handler", [never, drip])
def test_a_slow_answer_ends_with_the_deadline(mode: str, handler: Handler) -> None:
    """A call whose answer does not come in time is lost at its deadline, and the next one gets its own answer."""

    def attempt(seconds: float) -> None:
        serves = in_turn(handler, answering(WHOLE))
        with serving(serves) as server, calling(mode, server.url, read_timeout=UNHURRIED) as call:
            lost(call, LIST_TABLES, seconds)
            until(lambda: server.connections == 1)
            assert call(timeout=60.0) == {"TableNames": []}

    with_enough_time(attempt)


def test_a_slow_answer_ends_with_the_read_timeout(mode: str) -> None:
    """Without a deadline the read timeout holds, for the whole answer."""

    def attempt(seconds: float) -> None:
        with serving(drip) as server, calling(mode, server.url, read_timeout=seconds) as call:
            started = time.monotonic()
            with pytest.raises((AnswerLost, NotSent), match="it took too long") as caught:
                call()
            assert seconds <= time.monotonic() - started <= seconds + GRACE
            judged_only_if(caught.type is AnswerLost)

    with_enough_time(attempt)


def test_a_later_call_has_its_own_time(mode: str) -> None:
    """The time limit of one call does not end the next one on the same connection."""

    def attempt(seconds: float) -> None:
        pauses = iter((0.0, 1.3 * seconds, 1.3 * seconds))

        def handle(sock: socket.socket) -> None:
            while read_request(sock):
                time.sleep(next(pauses))
                sock.sendall(WHOLE)

        with serving(handle) as server, calling(mode, server.url, read_timeout=UNHURRIED) as call:
            try:
                first = call(timeout=seconds)
            except (AnswerLost, NotSent, DeadlineExceeded):
                raise StoodStill from None
            assert [first, call(), call(timeout=300.0)] == [{"TableNames": []}] * 3
            assert server.connections == 1

    with_enough_time(attempt)


def test_a_later_call_may_have_less_time(mode: str) -> None:
    """A call with a deadline ends in time on a connection that an earlier call used without one."""

    def once(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(WHOLE)
        never(sock)

    def attempt(seconds: float) -> None:
        with serving(once) as server, calling(mode, server.url, read_timeout=UNHURRIED) as call:
            assert call() == {"TableNames": []}
            lost(call, LIST_TABLES, seconds)

    with_enough_time(attempt)


def test_a_server_that_reads_nothing_ends_a_large_request(mode: str) -> None:
    """Sending has a time limit too."""
    stop = threading.Event()

    def deaf(_sock: socket.socket) -> None:
        stop.wait(LONGEST_WAIT)

    def attempt(seconds: float) -> None:
        with serving(deaf) as server, calling(mode, server.url, read_timeout=UNHURRIED) as call:
            started = time.monotonic()
            with pytest.raises((NotSent, AnswerLost, DeadlineExceeded)) as caught:
                call(Request("PutItem", {"text": "x" * 15_000_000}), timeout=seconds)
            assert time.monotonic() - started <= seconds + GRACE
            judged_only_if(caught.type is not DeadlineExceeded)
            assert "it took too long" in str(caught.value)

    try:
        with_enough_time(attempt)
    finally:
        stop.set()


def test_a_refused_connection_is_not_sent_and_names_the_endpoint(mode: str) -> None:
    """Nobody listens: the endpoint is named at once."""
    with serving(never) as server:
        url = server.url
    with calling(mode, url) as call, pytest.raises(NotSent, match=f"{url} can't be reached.*check region and endpoint"):
        call()


def test_a_name_that_does_not_exist_is_not_sent(mode: str) -> None:
    """A wrong region or endpoint is told by its name."""
    url = "http://dynamodb.nowhere.invalid"
    with (
        calling(mode, url) as call,
        pytest.raises(NotSent, match=f"{url} can't be reached .the name can't be resolved"),
    ):
        call()


def test_connecting_ends_with_the_deadline_and_names_the_endpoint(mode: str) -> None:
    """A server that takes no connections is given up at the deadline."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        call = stack.enter_context(calling(mode, url))
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=f"before {url} was reached"):
            call(timeout=0.2)
        assert time.monotonic() - started <= 0.2 + GRACE


def test_an_error_of_the_service_has_code_message_status_and_request_id(mode: str) -> None:
    """The service's refusal comes with everything that it said."""
    body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"no","Item":{"k":{"S":"v"}}}'
    refused = answer(body, "x-amzn-RequestId: R1", status="400 Bad Request")
    with (
        serving(answering(refused)) as server,
        calling(mode, server.url) as call,
        pytest.raises(ServiceError) as caught,
    ):
        call()
    error = caught.value
    assert (error.code, error.service_message, error.status, error.request_id) == (
        "ValidationException", "no", 400, "R1",
    )  # fmt: skip
    assert error.body["Item"] == {"k": {"S": "v"}}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (answer(b"{}", "x-amzn-ErrorType: ThrottlingException:http://x", status="400 Bad"), "ThrottlingException"),
        (answer(b"<html>", status="503 Unavailable"), "503"),
        (answer(b"[]", status="500 Oops"), "500"),
        (answer(b"", status="302 Found"), "302"),
    ],
)
def test_an_error_without_a_document_has_a_code(mode: str, data: bytes, code: str) -> None:
    """The header tells the code, or the status does where something in between answered."""
    with serving(answering(data)) as server, calling(mode, server.url) as call, pytest.raises(ServiceError) as caught:
        call()
    assert caught.value.code == code
