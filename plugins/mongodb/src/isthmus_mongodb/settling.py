"""What becomes of a transaction whose commit got no answer: it is aborted, and what the server says to that decides."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, Literal

from bson.int64 import Int64
from pymongo.errors import OperationFailure, PyMongoError

Outcome = Literal["aborted", "committed", "unknown"]
Steps = Generator[dict[str, Any], Any, Outcome]

_COMMITTED: Final = 256
_CONCERN: Final = {"w": "majority", "j": True}
# So long it may take at least, also after the deadline, and so long at most, seconds.
_LEAST: Final = 0.2
_MOST: Final = 2.0


def seconds(deadline: float | None) -> float:
    """How long settling may take.

    :param deadline: on the monotonic clock, seconds
    """
    return _MOST if deadline is None else min(_MOST, max(_LEAST, deadline - time.monotonic()))


def settled(session: Any) -> Steps:
    """The steps: commands for the database ``admin``, each to be sent in the session.

    The driver's own abort is of no use here, because after a commit it refuses one.
    """
    number = Int64(session._server_session.transaction_id)  # noqa: SLF001  # nothing public tells it
    same = {"txnNumber": number, "autocommit": False, "writeConcern": _CONCERN}
    try:
        yield {"abortTransaction": 1, **same}
    except OperationFailure as error:
        if error.code != _COMMITTED:
            return "unknown"
    except PyMongoError:
        return "unknown"
    else:
        return "aborted"
    try:
        # It is there; this waits until a majority of the servers has it.
        answer = yield {"commitTransaction": 1, **same}
    except PyMongoError:
        return "unknown"
    return "unknown" if "writeConcernError" in answer else "committed"
