"""What the transports say when the service can't be reached or does not answer."""

from __future__ import annotations

import socket
import ssl
import time

from isthmus.errors import Closed, DeadlineExceeded, Unavailable
from isthmus_dynamodb.native import AnswerLost, AnswerTooLarge, NotSent

CHECKSUM = "it does not match its CRC32 checksum (x-amz-crc32), so it was damaged on the way"

NO_TEXT = "the AWS credentials hold a character that is no text: check where they are written"


def unreached(url: str, reason: str) -> str:
    """No connection came about."""
    return f"{url} can't be reached ({reason}): check region and endpoint"


def refused_certificate(url: str, error: Exception) -> Unavailable:
    """The service's certificate is not to be trusted; another attempt would not change that."""
    reason = getattr(error, "verify_message", None) or str(error) or "certificate verify failed"
    return Unavailable(
        f"the TLS certificate of {url} is refused ({reason}): check the endpoint and the option ca_bundle",
        retryable=False,
    )


def no_connection(url: str, error: Exception, deadline: float | None) -> Exception:
    """What a failed attempt to connect is raised as; nothing was sent.

    :param deadline: the call's, on the monotonic clock
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return refused_certificate(url, error)
    if deadline is not None and time.monotonic() >= deadline:
        return DeadlineExceeded(f"the deadline passed before {url} was reached: check region and endpoint")
    return NotSent(unreached(url, _reason(error)))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, socket.gaierror):
        return "the name can't be resolved"
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed: {error.reason or type(error).__name__}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def no_answer(url: str, reason: str, *, too_large: bool = False) -> AnswerLost:
    """The request went out, and no usable answer came."""
    return (AnswerTooLarge if too_large else AnswerLost)(f"{url} gave no usable answer: {reason}")


def all_busy(url: str, size: int, deadline: float | None) -> Exception:
    """No connection became free in time; nothing was sent."""
    if deadline is not None and time.monotonic() >= deadline:
        return DeadlineExceeded(f"the deadline passed before one of {size} connections to {url} was free")
    return Unavailable(
        f"all {size} connections to {url} are in use: raise max_connections, or make fewer calls at once"
    )


def closed() -> Closed:
    """The transport was closed; nothing was sent."""
    return Closed("the database was closed before the request was sent")
