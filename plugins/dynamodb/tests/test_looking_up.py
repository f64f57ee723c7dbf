"""Names are looked up once at a time, and nobody waits for a name server longer than the call may take."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.errors import DeadlineExceeded
from plugins.dynamodb.tests.servers import answer, answering, calling, serving, until


class Resolver:
    """The system's resolver behind a gate, as with a name server that hangs."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked: list[str] = []
        self._resolve = socket.getaddrinfo

    def __call__(self, host: str, *rest: Any, **more: Any) -> Any:
        self.asked.append(host)
        if host == "localhost":
            self.gate.wait(60)
        return self._resolve(host, *rest, **more)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Stands between the transports and the system."""
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.gate.set()


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    """Blocking, and on an event loop."""
    return str(request.param)


def test_a_name_server_that_hangs_costs_one_thread(resolver: Resolver, mode: str) -> None:
    """All calls wait for the same look-up, each until its deadline; the first one after its end goes on."""
    with serving(answering(answer())) as server, calling(mode, f"http://localhost:{server.port}") as call:
        for _ in range(4):
            started = time.monotonic()
            with pytest.raises(DeadlineExceeded, match=r"before .* was reached"):
                call(timeout=0.1)
            assert time.monotonic() - started < 5
        until(lambda: resolver.asked)
        assert resolver.asked.count("localhost") == 1
        resolver.gate.set()
        assert call(timeout=60) == {}


def test_addresses_are_not_looked_up_in_a_thread(resolver: Resolver, mode: str) -> None:
    """An endpoint that is an address needs no name server."""
    before = set(threading.enumerate())
    with serving(answering(answer())) as server, calling(mode, server.url) as call:
        assert call() == {}
        new = {one.name for one in set(threading.enumerate()) - before}
    assert "127.0.0.1" in resolver.asked
    assert "isthmus-dynamodb" not in new
