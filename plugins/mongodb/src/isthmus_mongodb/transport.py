"""What the sync and the async client share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any

from pymongo.errors import NotPrimaryError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from isthmus.errors import DeadlineExceeded
from isthmus_mongodb.commands import Write
from isthmus_mongodb.native import Call, RawDocuments
from isthmus_mongodb.numbering import Sessions, Steps, once, repeated
from isthmus_mongodb.options import Options

Document = dict[str, Any]

CURSORS = frozenset({"find", "aggregate", "list_indexes"})
_READS = frozenset({"find_one", "find", "count_documents", "aggregate"})
_NOT_PRIMARY = frozenset({"RSSecondary", "RSArbiter", "RSOther", "RSGhost"})
TRANSACTION: dict[str, Any] = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": WriteConcern("majority", j=True),
    "read_preference": ReadPreference.PRIMARY,
}
# An abort after the deadline may take so long, seconds.
GRACE = 0.2


def time_left(deadline: float) -> float:
    """Seconds until a deadline on the monotonic clock.

    :raises DeadlineExceeded: it has passed; nothing was sent
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("the deadline passed before the next request was sent: allow a longer timeout")
    return left


def ending_within(deadline: float | None) -> float | None:
    """Seconds that ending a session may take."""
    return None if deadline is None else max(GRACE, deadline - time.monotonic())


# Clients that can't be closed from here; without a reference they would warn that nobody closed them.
_ABANDONED: list[Any] = []


def abandon(*parts: Any) -> None:
    """Keep a client that can't be closed from here."""
    _ABANDONED.append(parts)


class Transport(ABC):
    """A client: what the sync and the async one share.

    ``numbered`` says whether the servers know a write again that comes twice; one that runs alone does not.
    """

    numbered = False

    def __init__(self, options: Options) -> None:
        self._options = options
        self._sessions = Sessions()
        self._direct = options.settings.get("directConnection") == "true"

    @abstractmethod
    def forget(self) -> None:
        """Leave the driver's client to those to whom it belongs, and begin anew."""

    def _check_role(self, request: Any, client: Any) -> None:
        """See to it that a read that was answered directly came from the primary, which may have stepped down.

        :raises NotPrimaryError: the member has another role by now
        """
        if type(request) is RawDocuments or (type(request) is Call and request.method in _READS):
            servers = client.topology_description.server_descriptions().values()
            if any(server.server_type_name in _NOT_PRIMARY for server in servers):
                raise NotPrimaryError("a read from a member that stepped down", {"code": 10107})

    def _steps(self, request: Write, database: Any, deadline: float | None) -> Steps:
        concern = database.write_concern.document
        if not self.numbered:
            return once(request, concern)
        return repeated(request, concern, self._sessions, database.client, deadline)
