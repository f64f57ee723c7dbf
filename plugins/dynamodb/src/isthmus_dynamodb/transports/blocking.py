"""A blocking connection: one request at a time, within the time that is left."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable

from isthmus_dynamodb.native import NotSent
from isthmus_dynamodb.transports.answers import Answer, AnswerReader, BadAnswer, TooLong
from isthmus_dynamodb.transports.troubles import no_answer, unreached

_AT_ONCE = 64 * 1024
# Seconds.
_SLACK = 0.01


class BlockingConnection:
    """A connected socket that carries one request after another."""

    def __init__(self, sock: socket.socket, url: str) -> None:
        self._socket = sock
        self._url = url
        self._timeout = -1.0
        self._readable = readable(sock.fileno())

    @property
    def stale(self) -> bool:
        """Whether the server closed an idle connection, or sent what nobody asked for."""
        return self._readable()

    def exchange(self, message: bytes, end: float) -> Answer:
        """Send a whole request and read the whole answer. After a failure the connection must be closed.

        :param end: on the monotonic clock
        :raises NotSent: a part of the request did not leave, so the server can't have carried it out
        :raises AnswerLost: all of it left, and no usable answer came
        """
        try:
            self._limit(end)
            self._socket.sendall(message)
        except OSError as error:
            raise NotSent(unreached(self._url, f"sending failed: {_reason(error)}")) from error
        try:
            return self._receive(end)
        except (OSError, BadAnswer) as error:
            raise no_answer(self._url, _reason(error), too_large=isinstance(error, TooLong)) from error

    def _receive(self, end: float) -> Answer:
        reader = AnswerReader()
        while True:
            data = self._socket.recv(_AT_ONCE)
            if not data:
                raise BadAnswer("it ended early" if reader.started else "the connection was closed")
            answer = reader.feed(data)
            if answer is not None:
                return answer
            self._limit(end)

    def _limit(self, end: float) -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        # Setting a time limit is a system call: one that is longer than needed by a few milliseconds is kept.
        if not left <= self._timeout < left + 2 * _SLACK:
            self._timeout = left + _SLACK
            self._socket.settimeout(self._timeout)

    def close(self) -> None:
        """Close the socket; the server sees no more of a request."""
        with contextlib.suppress(OSError):
            self._socket.close()


def readable(descriptor: int) -> Callable[[], bool]:
    """A test whether a descriptor has something to read, or its peer has closed it."""
    if not hasattr(select, "poll"):
        return lambda: bool(select.select([descriptor], [], [], 0)[0])
    poller = select.poll()
    poller.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return lambda: bool(poller.poll(0))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
