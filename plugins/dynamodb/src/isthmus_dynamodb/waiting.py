"""Polling inside plans: pauses that grow, the operation's deadline, and patience with a service that stumbles."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Final

from isthmus.embedded import seconds_left, too_late
from isthmus.operations import Operation
from isthmus_dynamodb.failures import DENIED, INVALID
from isthmus_dynamodb.native import AnswerLost, Json, NotSent, Pause, Request, ServiceError

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 2.0
_STUMBLES: Final = 6
_FINAL: Final = frozenset({DENIED, "UnrecognizedClientException", INVALID})


def pauses() -> Iterator[float]:
    """Seconds to wait, each time longer."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)


def pause(operation: Operation, seconds: float) -> Generator[Any, Any, None]:
    """Wait, unless the deadline is nearer.

    :raises DeadlineExceeded: it is; a write may have been applied by then
    """
    if seconds_left(operation.context) <= seconds:
        error = too_late(operation)
        error.maybe_applied = operation.writes
        raise error
    yield Pause(seconds)


def patiently(operation: Operation, request: Request) -> Generator[Any, Any, Json]:
    """A repeatable request, sent again while the service stumbles.

    A step in the middle must not fail the whole: repeating that would meet what it has done itself.
    """
    for number, seconds in enumerate(pauses(), start=1):
        try:
            answer: Json = yield request
        except (ServiceError, NotSent, AnswerLost) as error:
            if number == _STUMBLES or (isinstance(error, ServiceError) and error.code in _FINAL):
                raise
        else:
            break
        yield from pause(operation, seconds)
    return answer
