"""The proxy of the fault tests does what it says, seen by a client of a server that repeats each line."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest
from attrs import define, field

from tests.faults.effects import Cut, Damage, Delay, LateRequest, LostAnswer, LostRequest, Silence, Slices
from tests.faults.proxy import FaultProxy
from tests.faults.sockets import HOST, closed_port

ANSWER = b"echo of a line\n"


@define
class Echo:
    """A server that remembers what it was sent."""

    seen: list[bytes] = field(factory=list)
    port: int = 0


@pytest.fixture
def echo() -> Iterator[Echo]:
    """An echo server."""
    echo = Echo()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                echo.seen.append(line)
                self.wfile.write(b"echo of " + line)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_details: object) -> None:
            """Cut connections are what the test is about."""

    with Server((HOST, 0), Handler) as server:
        echo.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield echo
        server.shutdown()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """A proxy in front of the echo server."""
    with FaultProxy((HOST, echo.port)) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    """A connection through the proxy."""
    with socket.create_connection((HOST, proxy.port), timeout=60) as client:
        yield client


def asked(client: socket.socket, line: bytes = b"a line\n", *, seconds: float = 60.0) -> bytes:
    """What arrives until the end of a line, of the connection, or of the time."""
    client.sendall(line)
    client.settimeout(seconds)
    answer = b""
    try:
        while not answer.endswith(b"\n") and (chunk := client.recv(1)):
            answer += chunk
    except TimeoutError:
        return answer + b"..."
    return answer


def test_without_a_fault_all_passes(client: socket.socket) -> None:
    """Requests and answers are forwarded as they are, one after the other."""
    assert [asked(client), asked(client, b"x" * 9_999 + b"\n")] == [ANSWER, b"echo of " + b"x" * 9_999 + b"\n"]


def test_a_lost_request_never_reaches_the_server(client: socket.socket, proxy: FaultProxy, echo: Echo) -> None:
    """The client sees a reset."""
    proxy.arm(LostRequest())
    with pytest.raises(ConnectionResetError):
        asked(client)
    assert (echo.seen, proxy.met) == ([], 1)


@pytest.mark.parametrize("effect", [LostAnswer(), Cut(0.5, broken=True)])
def test_a_lost_answer_was_carried_out(
    client: socket.socket, proxy: FaultProxy, echo: Echo, effect: LostAnswer | Cut
) -> None:
    """The server saw the request; the client sees a reset."""
    proxy.arm(effect)
    with pytest.raises(ConnectionResetError):
        asked(client)
    assert (echo.seen, proxy.met) == ([b"a line\n"], 1)


def test_a_late_request_is_carried_out_when_it_is_released(
    client: socket.socket, proxy: FaultProxy, echo: Echo
) -> None:
    """The client is gone by then."""
    proxy.arm(LateRequest())
    with pytest.raises(ConnectionResetError):
        asked(client)
    before = list(echo.seen)
    assert (before, proxy.release(), echo.seen) == ([], 1, [b"a line\n"])


def test_silence_leaves_the_connection_open(client: socket.socket, proxy: FaultProxy, echo: Echo) -> None:
    """No answer, no end."""
    proxy.arm(Silence())
    assert asked(client, seconds=0.5) == b"..."
    until = time.monotonic() + 60
    while not echo.seen and time.monotonic() < until:
        time.sleep(0.01)
    assert echo.seen == [b"a line\n"]


def test_a_delayed_answer_arrives_later(client: socket.socket, proxy: FaultProxy) -> None:
    """It is late, and whole."""
    proxy.arm(Delay(0.2))
    begun = time.monotonic()
    assert asked(client) == ANSWER
    assert time.monotonic() - begun >= 0.2


def test_slices_arrive_at_their_pace(client: socket.socket, proxy: FaultProxy) -> None:
    """15 bytes with a pause of 10 ms after each take 140 ms at least."""
    proxy.arm(Slices(1, 0.01))
    begun = time.monotonic()
    assert asked(client) == ANSWER
    assert time.monotonic() - begun >= 0.14


def test_a_cut_answer_ends_early(client: socket.socket, proxy: FaultProxy) -> None:
    """The first half arrives, then the connection is closed in order."""
    proxy.arm(Cut(0.5))
    assert asked(client) == ANSWER[: len(ANSWER) // 2]


def test_a_damaged_answer_differs_in_one_byte(client: socket.socket, proxy: FaultProxy) -> None:
    """The third byte from the end is another."""
    proxy.arm(Damage(-3))
    assert asked(client) == b"echo of a lioe\n"


def test_effects_meet_the_requests_that_they_are_for(client: socket.socket, proxy: FaultProxy) -> None:
    """The second and the third of those that match."""
    proxy.arm(Damage(), b"one.two|two.one", skip=1, times=2)
    lines = [b"one\n", b"one two\n", b"two\n", b"one two\n", b"two one\n", b"one two\n"]
    answers = [asked(client, line) == b"echo of " + line for line in lines]
    assert answers == [True, True, True, False, False, True]


def test_a_server_that_is_gone_looks_like_a_reset() -> None:
    """The proxy itself stays."""
    with (
        FaultProxy((HOST, closed_port())) as proxy,
        pytest.raises(ConnectionResetError),  # also while it connects
        socket.create_connection((HOST, proxy.port), timeout=60) as client,
    ):
        client.recv(1)
