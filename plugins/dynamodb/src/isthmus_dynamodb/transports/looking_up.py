"""The addresses of a name, within the time that is left: the system's resolver itself knows no limit."""

from __future__ import annotations

import ipaddress
import socket
from concurrent.futures import Future
from typing import Any

from isthmus_dynamodb.transports.forking import forget_in_children
from isthmus_dynamodb.transports.sharing import SharedWork, await_for, wait_for

# One thread for each name that is being looked up, however many wait for a name server that hangs.
_WORK = SharedWork()
forget_in_children(_WORK)


def look_up(host: str, port: int, end: float) -> list[Any]:
    """What ``socket.getaddrinfo`` finds for TCP.

    :param end: on the monotonic clock
    :raises OSError: there is no such name, or no answer in time
    """
    return _resolve(host, port) if _is_address(host) else wait_for(_started(host, port), end)


async def alook_up(host: str, port: int, end: float) -> list[Any]:
    """As ``look_up``, on an event loop."""
    return _resolve(host, port) if _is_address(host) else await await_for(_started(host, port), end)


def _started(host: str, port: int) -> Future[list[Any]]:
    return _WORK.start((host, port), lambda: _resolve(host, port))


def _resolve(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
