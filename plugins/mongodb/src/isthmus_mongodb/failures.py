"""What the errors of the driver and the server mean: one table of codes, one of exception classes.

No text of the driver is repeated, because it may hold keys and values; the server's names of codes never do.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from bson.errors import BSONError, InvalidBSON
from pymongo import errors as driver

from isthmus.errors import (
    BackendError,
    Closed,
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    InvalidStoredValue,
    InvalidValue,
    IsthmusError,
    ItemTooLarge,
    PermissionDenied,
    TableNotFound,
    Throttled,
    Unauthenticated,
    Unavailable,
    UniqueViolation,
)
from isthmus_mongodb.commands import is_write
from isthmus_mongodb.native import Call, Command, RawDocuments, Shared


@frozen
class Meaning:
    """What a code means.

    :param text: the reason and the next step
    :param applied: whether a write that met it may have been applied
    """

    kind: type[IsthmusError]
    text: str
    applied: bool = False

    def error(self, where: str, writes: bool, applied: bool = False) -> IsthmusError:
        """The error of the tree."""
        error = self.kind(f"{where} {self.text}")
        error.maybe_applied = writes and (self.applied or applied)
        return error


_SHUTDOWN = Meaning(Unavailable, "is shutting down or changing its role: retry", applied=True)
_NO_PRIMARY = Meaning(Unavailable, "is not the primary (any more): retry")
_LOCKED = Meaning(Conflict, "met another writer of the same item: retry")
_LOST = Meaning(Unavailable, "lost the connection to another server: retry", applied=True)
_TOO_LARGE = Meaning(ItemTooLarge, "refuses a document of more than 16 MB: split the item")
_TOO_SLOW = Meaning(DeadlineExceeded, "did not answer before the deadline: allow a longer timeout", applied=True)
_STOPPED = Meaning(
    DeadlineExceeded,
    "stopped the request by a time limit of its own: raise that, or make the request smaller",
    applied=True,
)
_RACED = Meaning(Conflict, "met another writer who created the same item: retry")
_OTHER_INDEX = Meaning(BackendError, "has another index of these keys or of this name on the collection: drop that one")
_NOT_KEPT = Meaning(
    Unavailable, "wrote, but a majority of the servers did not confirm it: check the replica set", applied=True
)

_DUPLICATE = 11000
OTHER_COLLECTION = 361
"""The server's code for a collection that is gone, or was made anew."""

CODES: dict[int, Meaning] = {
    6: _LOST,
    7: _LOST,
    8: Meaning(BackendError, "could not write: check the server's disk and log", applied=True),
    11: Meaning(Unauthenticated, "does not know the user: check user, password and authSource"),
    13: Meaning(PermissionDenied, "does not let this user do that: grant readWrite on the database"),
    15: Meaning(InvalidValue, "refuses a document that is nested so deeply: flatten the item"),
    18: Meaning(Unauthenticated, "does not accept user and password: check them and authSource"),
    20: Meaning(BackendError, "has no transactions: run it as a replica set"),
    24: _LOCKED,
    26: Meaning(TableNotFound, "has no such collection: create the table with ensure()"),
    46: _LOCKED,
    50: _TOO_SLOW,
    64: _NOT_KEPT,
    89: _LOST,
    91: _SHUTDOWN,
    85: _OTHER_INDEX,
    86: _OTHER_INDEX,
    100: _NOT_KEPT,
    112: _LOCKED,
    121: Meaning(InvalidValue, "refuses the document by the collection's validator: change the item or that validator"),
    133: _NO_PRIMARY,
    134: Meaning(Unavailable, "has no majority-committed state yet: retry"),
    189: _SHUTDOWN,
    202: Meaning(Throttled, "is short of network resources: retry later"),
    244: Meaning(Conflict, "aborted the transaction: retry"),
    251: Meaning(Conflict, "no longer knows the transaction: retry"),
    262: Meaning(Throttled, "exceeded its own time limit: retry later"),
    290: Meaning(Conflict, "ended a transaction that lasted too long: retry with fewer actions"),
    OTHER_COLLECTION: Meaning(Conflict, "no longer has this table's collection: retry, or create it with ensure()"),
    365: Meaning(Throttled, "is overloaded: retry later"),
    388: Meaning(BackendError, "has too little cache for this transaction: use fewer or smaller items"),
    462: Meaning(Throttled, "refuses new requests because of its load: retry later"),
    8000: Meaning(Unauthenticated, "does not accept user and password: check them"),
    9001: _LOST,
    10058: _NO_PRIMARY,
    10107: _NO_PRIMARY,
    10334: _TOO_LARGE,
    _DUPLICATE: Meaning(UniqueViolation, "holds another item with a value that must be unique: choose another value"),
    11600: _SHUTDOWN,
    11602: _SHUTDOWN,
    13435: _NO_PRIMARY,
    13436: _NO_PRIMARY,
    14031: Meaning(BackendError, "has no space left: free some on the server", applied=True),
    17419: _TOO_LARGE,
    17420: _TOO_LARGE,
}


def translate(error: Exception, *, writes: bool, hosts: str, late: bool) -> IsthmusError | None:
    """The error of the tree for one of the driver, or ``None`` if it is not one of its.

    :param writes: whether the operation writes
    :param hosts: the servers, for messages
    :param late: whether the operation's deadline has passed
    """
    # What has this label belongs to a transaction that was not committed.
    writes = writes and not has_label(error, "TransientTransactionError")
    if isinstance(error, driver.ServerSelectionTimeoutError | driver.WaitQueueTimeoutError):
        return _never_sent(error, hosts, late)
    if isinstance(error, driver.OperationFailure | driver.NotPrimaryError):
        return by_code(error.details, hosts, writes, late, labels=error)
    if isinstance(error, driver.ConnectionFailure):
        return _lost(hosts, writes, late)
    return _of_the_client(error, hosts)


def _never_sent(error: Exception, hosts: str, late: bool) -> IsthmusError:
    what = "no usable server of" if isinstance(error, driver.ServerSelectionTimeoutError) else "no connection to"
    if late:
        return DeadlineExceeded(f"the deadline passed while {what} {hosts} was to be had: check it, or allow more time")
    return Unavailable(f"{what} {hosts} was to be had in time: check the address, the network and the servers")


def _lost(hosts: str, writes: bool, late: bool) -> IsthmusError:
    if late:
        return DeadlineExceeded(
            f"{hosts} did not answer before the deadline: allow a longer timeout", maybe_applied=writes
        )
    return Unavailable(f"the connection to {hosts} was lost: retry, or check the servers", maybe_applied=writes)


def by_code(
    details: Any, hosts: str, writes: bool, late: bool = False, labels: driver.PyMongoError | None = None
) -> IsthmusError:
    """The error for a server's answer, of a single write in a batch too.

    :param details: the answer, with ``code`` and perhaps ``codeName`` and ``writeConcernError``
    """
    concern = (details or {}).get("writeConcernError")
    source = concern or details or {}
    code = source.get("code", 0)
    if labels is not None and labels.has_error_label("SystemOverloadedError"):
        return CODES[462].error(hosts, writes)
    meaning = _RACED if code == _DUPLICATE and details.get("keyPattern") == {"_id": 1} else CODES.get(code)
    if concern and (meaning is None or meaning.kind is Conflict):
        meaning = _NOT_KEPT
    if meaning is _TOO_SLOW and not late:
        meaning = _STOPPED
    if late and (meaning is None or meaning.kind is Unavailable):
        meaning = _TOO_SLOW
    if meaning is not None:
        return meaning.error(hosts, writes, applied=bool(concern))
    return _unknown(source, hosts, writes, labels)


def _unknown(source: Any, hosts: str, writes: bool, labels: driver.PyMongoError | None) -> IsthmusError:
    name = source.get("codeName") or "no name"
    if labels is not None and labels.has_error_label("TransientTransactionError"):
        return Conflict(f"{hosts} aborted the transaction ({name}): retry")
    if labels is not None and labels.has_error_label("RetryableWriteError"):
        return Unavailable(f"{hosts} could not write for now ({name}): retry", maybe_applied=writes)
    return BackendError(f"{hosts} refused the request, code {source.get('code', 'unknown')} ({name}): see the cause")


def _of_the_client(error: Exception, hosts: str) -> IsthmusError | None:
    if isinstance(error, driver.ConfigurationError):
        return ConfigurationError(f"{hosts} can't be used ({type(error).__name__}): check the URL, and see the cause")
    if isinstance(error, driver.DocumentTooLarge):
        return ItemTooLarge("the driver refuses a document of more than 16 MB: split the item")
    if isinstance(error, driver.InvalidOperation) and "close" in str(error):
        return Closed("the database was closed: connect again")
    if isinstance(error, InvalidBSON):
        return InvalidStoredValue("a stored document can't be decoded: restore it from a backup")
    if isinstance(error, BSONError | OverflowError):
        return InvalidValue(f"MongoDB can't store a value of this item ({type(error).__name__}): see the cause")
    if isinstance(error, driver.PyMongoError):
        return BackendError(f"the driver failed with {type(error).__name__}, nothing was sent: see the cause")
    return None


def has_label(error: BaseException, label: str) -> bool:
    """Whether the driver or the server marked an error so."""
    return isinstance(error, driver.PyMongoError) and error.has_error_label(label)


_READS = frozenset({"find_one", "find", "aggregate", "count_documents", "list_indexes", "listCollections"})


def note_request(error: driver.PyMongoError, request: Any) -> None:
    """Keep with an error whether the request that met it surely had no effect: it only reads, or was not sent."""
    error.isthmus_effect = not (_only_reads(request) or _is_unsent(error, request))  # type: ignore[attr-defined]


def had_no_effect(error: Exception) -> bool:
    """Whether the request that met an error surely had no effect."""
    return not getattr(error, "isthmus_effect", True)


def _only_reads(request: Any) -> bool:
    if type(request) is Call:
        return request.method in _READS
    return type(request) in (Shared, RawDocuments) or (
        type(request) is Command and next(iter(request.command)) in _READS
    )


def _is_unsent(error: driver.PyMongoError, request: Any) -> bool:
    """Whether a connection could not be made, which the driver marks so.

    Only for what is repeated here: the driver's own methods may have sent a write once before they meet this.
    """
    unmade = isinstance(error, driver.ConnectionFailure) and has_label(error, "SystemOverloadedError")
    return unmade and is_write(request)
