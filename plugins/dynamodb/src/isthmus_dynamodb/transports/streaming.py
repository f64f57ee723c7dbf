"""A connection on an event loop: one request at a time, within the time that is left."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import cast

from isthmus_dynamodb.native import NotSent
from isthmus_dynamodb.transports.answers import Answer, AnswerReader, BadAnswer, TooLong
from isthmus_dynamodb.transports.blocking import readable
from isthmus_dynamodb.transports.dialing import Dialer, left_until, prepare
from isthmus_dynamodb.transports.endpoints import Endpoint
from isthmus_dynamodb.transports.looking_up import alook_up
from isthmus_dynamodb.transports.troubles import no_answer, no_connection, unreached


class StreamConnection(asyncio.Protocol):
    """A connected transport that carries one request after another."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._end = 0.0
        self._readable: Callable[[], bool] = lambda: True

    @property
    def stale(self) -> bool:
        """Whether the server closed an idle connection, or sent what nobody asked for."""
        return self._transport is None or self._transport.is_closing() or self._readable()

    async def exchange(self, message: bytes, end: float) -> Answer:
        """Send a whole request and read the whole answer. After a failure the connection must be closed.

        :param end: on the monotonic clock
        :raises NotSent: the connection is gone
        :raises AnswerLost: no usable answer came
        """
        if self._transport is None or self._transport.is_closing():
            raise NotSent(unreached(self._url, "the connection was closed"))
        self._reader = AnswerReader()
        self._answer = self._loop.create_future()
        self._end = end
        # The timer of an earlier request is kept where it comes early enough: it looks at the present one then.
        if self._timer is None or self._timer.when() - self._loop.time() > end - time.monotonic():
            self._set_timer()
        self._transport.write(message)
        return await self._answer

    def _set_timer(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(max(0.0, self._end - time.monotonic()), self._time_passed)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_passed(self) -> None:
        self._timer = None
        if self._answer is None or self._answer.done():
            return
        if time.monotonic() < self._end:
            self._set_timer()
        else:
            self._fail("it took too long")

    def _fail(self, reason: str, cause: Exception | None = None) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            failure = no_answer(self._url, reason, too_large=isinstance(cause, TooLong))
            failure.__cause__ = cause
            self._answer.set_exception(failure)

    def close(self) -> None:
        """Close at once, without sending what is still unsent."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    # ---- what the event loop calls ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        prepare(sock)
        self._readable = readable(sock.fileno())

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._answer is None or self._answer.done():
            self.close()
            return
        try:
            answer = self._reader.feed(data)
        except BadAnswer as error:
            self._fail(str(error), error)
        else:
            if answer is not None:
                self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        started = self._reader is not None and self._reader.started
        self._fail("it ended early" if started else "the connection was closed", exc)


async def open_stream(dialer: Dialer, deadline: float | None) -> StreamConnection:
    """A connection on the running loop.

    :raises NotSent, Unavailable, DeadlineExceeded: as ``Dialer.dial``
    """
    endpoint, loop = dialer.endpoint, asyncio.get_running_loop()
    connection, end = StreamConnection(endpoint.url), dialer.until(deadline)
    try:
        sock = await _connect(endpoint, end)
        async with asyncio.timeout(left_until(end)):
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=dialer.tls, server_hostname=endpoint.host if dialer.tls else None
            )
    except BaseException as error:
        # The loop itself would wait until the server agrees to the end of a TLS connection that is just made.
        connection.close()
        if isinstance(error, OSError | ValueError):
            raise no_connection(endpoint.url, error, deadline) from error
        raise
    return connection


async def _connect(endpoint: Endpoint, end: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await alook_up(endpoint.host, endpoint.port, end)
    failure: OSError = OSError("the name has no address")
    for position, (family, kind, protocol, _name, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(left_until(end) / (len(addresses) - position)):
                await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
