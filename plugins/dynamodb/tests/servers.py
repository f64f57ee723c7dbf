"""Servers that the tests of the transports talk to, each in threads of its own, and how they are called."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

from isthmus import BackendConfig
from isthmus_dynamodb.native import Json, Request, Transport
from isthmus_dynamodb.options import Options, read_options
from isthmus_dynamodb.transports import open_transport
from isthmus_dynamodb.transports.fast import FastTransport

Handler = Callable[[socket.socket], None]
LIST_TABLES = Request("ListTables", {})
LONGEST_WAIT = 60.0


class Caller:
    """Sends requests over one transport, blocking or on one event loop."""

    def __init__(self, transport: Transport, mode: str) -> None:
        self.transport = transport
        self._runner = asyncio.Runner() if mode == "async" else None

    def __call__(self, request: Request = LIST_TABLES, timeout: float | None = None) -> Json:
        """One call; ``timeout`` in seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._runner is None:
            return self.transport.send(request, deadline)
        return self._runner.run(self.transport.asend(request, deadline))

    def close(self) -> None:
        """Close the transport, and the loop if there is one."""
        if self._runner is None:
            self.transport.close()
        else:
            self._runner.run(self.transport.aclose())
            self._runner.close()


@contextmanager
def calling(mode: str, endpoint: str, **options: Any) -> Iterator[Caller]:
    """A caller of an endpoint, with credentials that any emulator takes."""
    given = {"region": "eu-west-1", "access_key_id": "x", "secret_access_key": "y", **options}
    caller = Caller(open_transport(Options(endpoint=endpoint, **given)), mode)
    try:
        yield caller
    finally:
        caller.close()


def echo(number: int) -> Request:
    """A request that is told apart from others."""
    return Request("GetItem", {"n": number})


def by_threads(transport: Transport, calls: int) -> list[Json]:
    """As many calls at once, each in a thread."""
    with ThreadPoolExecutor(calls) as threads:
        return list(threads.map(lambda number: transport.send(echo(number), None), range(calls)))


def by_tasks(transport: Transport, calls: int) -> list[Json]:
    """As many calls at once on one event loop."""

    async def run() -> list[Json]:
        found = await asyncio.gather(*(transport.asend(echo(number), None) for number in range(calls)))
        await transport.aclose()
        return found

    return asyncio.run(run())


Together = Callable[[Transport, int], list[Json]]


def open_fast(url: str, **options: Any) -> Transport:
    """The fast transport to an endpoint."""
    return open_transport(Options(endpoint=url, region="x", access_key_id="x", secret_access_key="y", **options))


def options_of(url: str, **changes: Any) -> Options:
    """The options in a URL, some of them changed."""
    parts = urlsplit(url)
    return read_options(BackendConfig(parts, time.time, {**dict(parse_qsl(parts.query)), **changes}))


def until_queued(transport: Transport, callers: int) -> None:
    """Wait until so many threads wait for a connection of the fast transport."""
    assert isinstance(transport, FastTransport)
    _until_long(transport._pool._waiting, callers)


async def until_queued_here(transport: Transport, callers: int) -> None:
    """Wait until so many tasks of the running loop do."""
    assert isinstance(transport, FastTransport)
    await asyncio.to_thread(_until_long, transport._loops[asyncio.get_running_loop()]._waiting, callers)


def _until_long(queue: Sized, length: int) -> None:
    until(lambda: len(queue) >= length)


def until(holds: Callable[[], object]) -> None:
    """Wait for something, for a minute at most."""
    end = time.monotonic() + LONGEST_WAIT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


class Server:
    """A TCP server on the loopback interface; each connection is handled in a thread of its own."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)
            self.connections += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with contextlib.suppress(OSError):
                self._handler(sock)
        finally:
            sock.close()
            with self._lock:
                self._open.discard(sock)
                self.at_once -= 1

    def close(self) -> None:
        """Stop listening, and break all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(handler: Handler) -> Iterator[Server]:
    """A running server."""
    server = Server(handler)
    try:
        yield server
    finally:
        server.close()


def read_request(sock: socket.socket) -> bytes:
    """One whole HTTP request; empty when the client has closed the connection."""
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if found and len(body) >= int(length[1] if length else 0):
            return data
        more = sock.recv(65_536)
        if not more:
            return b""
        data += more


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK", checksum: int | None = None) -> bytes:
    """A whole HTTP answer with its length and checksum."""
    crc = crc32(body) if checksum is None else checksum
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"x-amz-crc32: {crc}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(*answers: bytes) -> Handler:
    """Gives these answers in turn on each connection, the last one again and again."""

    def handle(sock: socket.socket) -> None:
        number = 0
        while read_request(sock):
            sock.sendall(answers[min(number, len(answers) - 1)])
            number += 1

    return handle


def forwarding(upstream: str, tls: ssl.SSLContext | None = None) -> Handler:
    """Passes everything on to another server, after ending TLS."""
    parts = urlsplit(upstream)
    address = (parts.hostname or "", parts.port or 80)

    def handle(sock: socket.socket) -> None:
        inner = tls.wrap_socket(sock, server_side=True) if tls else sock
        with inner, socket.create_connection(address) as other:
            back = threading.Thread(target=_pump, args=(other, inner), daemon=True)
            back.start()
            _pump(inner, other)
            back.join()

    return handle


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for sock in (source, target):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def echoing(seconds: float = 0.0) -> Handler:
    """Answers each request with its own body, after some time."""

    def handle(sock: socket.socket) -> None:
        while request := read_request(sock):
            time.sleep(seconds)
            sock.sendall(answer(request.partition(b"\r\n\r\n")[2]))

    return handle


class Holding:
    """A handler that echoes like ``echoing``, but keeps its answers back until the test lets them go."""

    def __init__(self) -> None:
        self._begun, self._go = threading.Event(), threading.Event()

    def __call__(self, sock: socket.socket) -> None:
        """Serve one connection."""
        while request := read_request(sock):
            self._begun.set()
            self._go.wait(LONGEST_WAIT)
            sock.sendall(answer(request.partition(b"\r\n\r\n")[2]))

    def until_begun(self) -> None:
        """Wait until a request has arrived."""
        assert self._begun.wait(LONGEST_WAIT)

    async def until_begun_there(self) -> None:
        """Wait likewise, while the event loop goes on."""
        await asyncio.to_thread(self.until_begun)

    def let_go(self) -> None:
        """Answer, from now on at once."""
        self._go.set()
