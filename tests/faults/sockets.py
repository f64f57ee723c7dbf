"""What the proxy does with sockets."""

from __future__ import annotations

import contextlib
import socket
import struct

HOST = "127.0.0.1"
CHUNK = 1 << 16
QUIET = 0.03
"""Seconds without a byte after which a request or an answer is taken for whole."""

_AT_ONCE = struct.pack("ii", 1, 0)


def rest(end: socket.socket) -> bytes:
    """What else arrives before it is quiet."""
    data = b""
    end.settimeout(QUIET)
    with contextlib.suppress(TimeoutError):
        while chunk := end.recv(CHUNK):
            data += chunk
    end.settimeout(None)
    return data


def shut(end: socket.socket) -> None:
    """Close a socket, and wake whoever reads it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def reset(end: socket.socket) -> None:
    """Close a socket so that its peer sees a reset connection."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)
    end.close()


def closed_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.create_server((HOST, 0)) as unused:
        return int(unused.getsockname()[1])
