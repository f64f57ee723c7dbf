"""A TCP proxy that does to chosen requests what networks do: loses, delays, cuts, damages and holds them back.

A request is what a client sends at once; its answer is what the server sends next on the same connection. Protocols
that talk in turns, as those of both engines do, need no parser.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

from attrs import define, field

from tests.faults.effects import Effect
from tests.faults.sockets import CHUNK, HOST, reset, shut


@define
class Armed:
    """An effect that waits for its request.

    :param pattern: what the request's first bytes hold
    :param skip: matching requests that pass unharmed before
    :param times: matching requests that meet the effect
    """

    effect: Effect
    pattern: re.Pattern[bytes]
    skip: int
    times: int

    def takes(self, request: bytes) -> bool:
        """Whether this request meets the effect; counts it."""
        if not self.times or not self.pattern.search(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@define(eq=False)
class Link:
    """One client's connection with its connection to the server.

    :param answered: set whenever the server sent something
    """

    client: socket.socket
    server: socket.socket
    effect: Effect | None = None
    answered: threading.Event = field(factory=threading.Event)

    def cut(self) -> None:
        """Close both ends."""
        reset(self.client)
        shut(self.server)


@define(eq=False)
class FaultProxy:
    """Listens on a free port of the loopback interface and forwards to a server.

    :param met: effects that requests met so far
    """

    server: tuple[str, int]
    met: int = 0
    _armed: list[Armed] = field(factory=list)
    _held: list[tuple[Link, bytes]] = field(factory=list)
    _links: list[Link] = field(factory=list)
    _threads: list[threading.Thread] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)
    _listening: socket.socket = field(factory=lambda: socket.create_server((HOST, 0), backlog=256))

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        shut(self._listening)
        for link in list(self._links):
            link.cut()
        for thread in list(self._threads):
            thread.join(5)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    def arm(self, effect: Effect, pattern: bytes = b"", *, skip: int = 0, times: int = 1) -> None:
        """Let the next requests that hold what a pattern describes meet an effect."""
        with self._lock:
            self._armed.append(Armed(effect, re.compile(pattern, re.DOTALL), skip, times))

    def disarm(self) -> None:
        """Forget the effects that no request met."""
        with self._lock:
            self._armed.clear()

    def release(self) -> int:
        """Send held requests to the server, and wait for its answers; how many were sent."""
        with self._lock:
            held, self._held = self._held, []
        for link, request in held:
            link.answered.clear()
            link.server.sendall(request)
            link.answered.wait(5)
            shut(link.server)
        return len(held)

    def keep(self, link: Link, request: bytes) -> None:
        """Hold a request back until it is released; its client is gone by then."""
        with self._lock:
            self._held.append((link, request))

    def _start(self, run: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._connect(self._listening.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.server, timeout=5)
        except OSError:
            reset(client)
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(client, server)
        self._links.append(link)
        self._start(self._upward, link)
        self._start(self._downward, link)

    def _upward(self, link: Link) -> None:
        with contextlib.suppress(OSError):
            while request := link.client.recv(CHUNK):
                effect = self._effect(request)
                if effect is not None:
                    link.effect = effect
                    if not effect.request(self, link, request):
                        return
                else:
                    link.server.sendall(request)
        shut(link.server)

    def _effect(self, request: bytes) -> Effect | None:
        with self._lock:
            found = next((armed.effect for armed in self._armed if armed.takes(request)), None)
            self.met += found is not None
            return found

    def _downward(self, link: Link) -> None:
        with contextlib.suppress(OSError):
            while answer := link.server.recv(CHUNK):
                link.answered.set()
                effect, link.effect = link.effect, None
                if effect is None:
                    link.client.sendall(answer)
                elif not effect.answer(link, answer):
                    return
        shut(link.client)
