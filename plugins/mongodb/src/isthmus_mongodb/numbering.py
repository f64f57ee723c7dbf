"""Writes that are sent once more when their answer is lost, and are applied once (MongoDB's retryable writes).

A server knows a write again by its session and the transaction number in it. The driver gives both to the writes of its
collections; here they are given to commands. The rules for repeating are the driver's: once, or with a deadline until
it passes; after a lost connection, or where the server says that it helps.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any, Final

from attrs import define
from pymongo.errors import (
    ConnectionFailure,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from isthmus_mongodb.commands import Write, write_command, written

# The driver's own numbers begin at 1, and the server takes only rising ones: in one session they never meet.
_FIRST: Final = 1 << 48
_NEVER_SENT: Final = (ServerSelectionTimeoutError, WaitQueueTimeoutError)
_NOT_TAKEN: Final = (*_NEVER_SENT, NotPrimaryError, InvalidOperation)
# The server's codes for a caller whom it does not let write, on a new connection say.
_NOT_LET_IN: Final = frozenset({11, 13, 18, 391, 8000})

Steps = Generator[tuple[dict[str, Any], Any], dict[str, Any], Any]


@define
class Numbered:
    """A session with the number of its last write. It never goes back to the driver, whose numbers are lower."""

    session: Any
    number: int = _FIRST


class Sessions:
    """The sessions that no write uses at the moment."""

    def __init__(self) -> None:
        self._idle: list[Numbered] = []

    def take(self, client: Any) -> Numbered:
        """A session for one write; a write that may still be at work keeps it for good."""
        try:
            found = self._idle.pop()
        except IndexError:
            found = Numbered(client.start_session(causal_consistency=False))
        found.number += 1
        return found

    def give(self, used: Numbered) -> None:
        """Let the next write have the session."""
        self._idle.append(used)

    def drain(self) -> list[Any]:
        """Give up all sessions: their ids."""
        idle, self._idle = self._idle, []
        return [used.session.session_id for used in idle]


def end_sessions(client: Any, sessions: Sessions) -> Any:
    """Let the server forget sessions that are no longer needed; what the client answers."""
    return client.admin.command("endSessions", sessions.drain())


def once(request: Write, concern: Mapping[str, Any]) -> Steps:
    """The steps of a write to a server that does not know writes again."""
    return written(request, (yield write_command(request, concern, None), None))


def repeated(
    request: Write, concern: Mapping[str, Any], sessions: Sessions, client: Any, deadline: float | None
) -> Steps:
    """The steps of a write: commands to send, each with its session.

    :param deadline: on the monotonic clock, seconds
    """
    used = sessions.take(client)
    before: PyMongoError | None = None
    while True:
        try:
            result = written(request, (yield write_command(request, concern, used.number), used.session))
        except PyMongoError as error:
            failure = error
        else:
            if before is None:
                sessions.give(used)
            return result
        again = before is None or (deadline is not None and time.monotonic() < deadline)
        if not again or not _helps(failure):
            if before is None and isinstance(failure, OperationFailure):
                sessions.give(used)
            raise _telling(before, failure)
        before = _telling(before, failure)


def _helps(error: PyMongoError) -> bool:
    """Whether sending a write again is safe and may help."""
    if isinstance(error, _NEVER_SENT) or error.has_error_label("SystemOverloadedError"):
        return False
    lost = isinstance(error, ConnectionFailure) and not isinstance(error, NotPrimaryError)
    return lost or error.has_error_label("RetryableWriteError")


def _telling(before: PyMongoError | None, error: PyMongoError) -> PyMongoError:
    """The error that tells more: that of the earlier attempt, where the later one surely wrote nothing."""
    return error if before is None or not _came_to_nothing(error) else before


def _came_to_nothing(error: PyMongoError) -> bool:
    """Whether an attempt failed before the server looked whether it knows the write."""
    if isinstance(error, _NOT_TAKEN) or (isinstance(error, OperationFailure) and error.code in _NOT_LET_IN):
        return True
    return error.has_error_label("NoWritesPerformed") or error.has_error_label("SystemOverloadedError")
