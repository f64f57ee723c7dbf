"""What may happen to a request or to its answer on the way."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from attrs import frozen

from tests.faults.sockets import reset, rest, shut

if TYPE_CHECKING:
    from tests.faults.proxy import FaultProxy, Link


# Seconds.
LONGEST_HOLD = 60.0


class Effect:
    """Base of all effects: by itself it changes nothing."""

    def request(self, proxy: FaultProxy, link: Link, data: bytes) -> bool:
        """Do it to a request; whether the connection goes on."""
        link.server.sendall(data)
        return True

    def answer(self, link: Link, data: bytes) -> bool:
        """Do it to the answer, of which this is the beginning; whether the connection goes on."""
        link.client.sendall(data)
        return True


class LostRequest(Effect):
    """The connection is reset before the server sees the request."""

    def request(self, proxy: FaultProxy, link: Link, data: bytes) -> bool:
        link.cut()
        return False


class LostAnswer(Effect):
    """The server carries the request out; then the connection is reset in place of its answer."""

    def answer(self, link: Link, data: bytes) -> bool:
        link.cut()
        return False


class LateRequest(Effect):
    """The connection is reset, and the server sees the request when the proxy releases it."""

    def request(self, proxy: FaultProxy, link: Link, data: bytes) -> bool:
        proxy.keep(link, data + rest(link.client))
        reset(link.client)
        return False


class Silence(Effect):
    """The answer never arrives, and the connection stays open.

    ``swallowed`` is set when there was one.
    """

    def __init__(self) -> None:
        self.swallowed = threading.Event()

    def answer(self, link: Link, data: bytes) -> bool:
        self.swallowed.set()
        return True


@frozen
class Delay(Effect):
    """The answer arrives so many seconds later."""

    seconds: float

    def answer(self, link: Link, data: bytes) -> bool:
        time.sleep(self.seconds)
        return super().answer(link, data)


class Held(Effect):
    """The answer arrives when it is let go."""

    def __init__(self) -> None:
        self._go, self._gone = threading.Event(), threading.Event()

    def answer(self, link: Link, data: bytes) -> bool:
        self._go.wait(LONGEST_HOLD)
        try:
            return super().answer(link, data)
        finally:
            self._gone.set()

    def let_go(self) -> None:
        """Send the answer, and wait until that is done."""
        self._go.set()
        assert self._gone.wait(LONGEST_HOLD)


@frozen
class Slices(Effect):
    """The answer arrives in small pieces: a slow line, if there are pauses between them.

    :param size: bytes of a piece
    :param pause: seconds after each
    """

    size: int = 1
    pause: float = 0.0

    def answer(self, link: Link, data: bytes) -> bool:
        data += rest(link.server)
        for start in range(0, len(data), self.size):
            link.client.sendall(data[start : start + self.size])
            time.sleep(self.pause)
        return True


@frozen
class Cut(Effect):
    """The beginning of the answer arrives, then the connection ends.

    :param kept: the part of the answer that arrives, 0 to 1
    :param broken: whether the end is a reset, not an orderly close
    """

    kept: float = 0.5
    broken: bool = False

    def answer(self, link: Link, data: bytes) -> bool:
        data += rest(link.server)
        link.client.sendall(data[: int(len(data) * self.kept)])
        if self.broken:
            time.sleep(0.01)  # a reset may overtake what was sent just before
        shut(link.server)
        (reset if self.broken else shut)(link.client)
        return False


@frozen
class Damage(Effect):
    """One byte of the answer is another.

    :param place: of the byte, from the end if negative
    """

    place: int = -3

    def answer(self, link: Link, data: bytes) -> bool:
        changed = bytearray(data + rest(link.server))
        changed[self.place] ^= 1
        return super().answer(link, bytes(changed))
