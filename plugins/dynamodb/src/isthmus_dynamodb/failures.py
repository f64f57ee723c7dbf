"""The service's errors and a transport's, as errors of the tree: one table for all of them (rule CND-8)."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from isthmus import errors as err
from isthmus.operations import CreateTable, DropTable, Operation
from isthmus_dynamodb.native import AnswerLost, NotSent, ServiceError

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
INVALID: Final = "ValidationException"
NOT_FOUND: Final = "ResourceNotFoundException"
CANCELED: Final = "TransactionCanceledException"
MISMATCH: Final = "IdempotentParameterMismatchException"
IN_USE: Final = "ResourceInUseException"
DENIED: Final = "AccessDeniedException"
UNKNOWN_ACTION: Final = "UnknownOperationException"

_READS: Final = frozenset(
    {
        "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan",
        "DescribeTable", "DescribeTimeToLive", "ListTables", "ListTagsOfResource",
    }
)  # fmt: skip


@frozen
class Meaning:
    """What a code of the service means.

    :param advice: what to do about it
    :param maybe_applied: whether a write that got it may have been applied
    """

    kind: type[err.IsthmusError]
    advice: str
    maybe_applied: bool = False


_THROTTLED = Meaning(err.Throttled, "raise the table's capacity, or send less")
_TOO_MANY_CHANGES = Meaning(err.Throttled, "wait until other changes of tables are done")
_IN_THE_WAY = Meaning(err.Conflict, "repeat it")
_DENIED = Meaning(err.PermissionDenied, "allow this action for the caller in IAM")
_UNKNOWN_CALLER = Meaning(err.Unauthenticated, "check the credentials and the region")
_EXPIRED = Meaning(err.Unauthenticated, "get new credentials")
_SKEWED = Meaning(err.Unauthenticated, "set the clock of this machine")
_BROKEN = Meaning(err.Unavailable, "repeat it later", maybe_applied=True)
_REFUSED = Meaning(err.BackendError, "see the cause for the service's reason")

MEANINGS: Final[dict[str, Meaning]] = {
    "ProvisionedThroughputExceededException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "ThrottledException": _THROTTLED,
    "RequestThrottled": _THROTTLED,
    "RequestThrottledException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "SlowDown": _THROTTLED,
    "LimitExceededException": _TOO_MANY_CHANGES,
    IN_USE: Meaning(err.Conflict, "wait until the table is active"),
    "TransactionConflictException": _IN_THE_WAY,
    "TransactionInProgressException": _IN_THE_WAY,
    "ReplicatedWriteConflictException": _IN_THE_WAY,
    NOT_FOUND: Meaning(err.TableNotFound, "create the table with ensure(), or check the region and the prefix"),
    "TableNotFoundException": Meaning(err.TableNotFound, "create the table with ensure()"),
    MISMATCH: Meaning(err.IdempotencyMismatch, "use a new token"),
    "ItemCollectionSizeLimitExceededException": Meaning(
        err.ItemTooLarge, "spread the items of this partition over several partition keys"
    ),
    DENIED: _DENIED,
    "AccessDenied": _DENIED,
    "KMSAccessDeniedException": _DENIED,
    "OptInRequired": _DENIED,
    "UnrecognizedClientException": _UNKNOWN_CALLER,
    "InvalidClientTokenId": _UNKNOWN_CALLER,
    "InvalidSignatureException": _UNKNOWN_CALLER,
    "SignatureDoesNotMatch": _UNKNOWN_CALLER,
    "IncompleteSignature": _UNKNOWN_CALLER,
    "IncompleteSignatureException": _UNKNOWN_CALLER,
    "MissingAuthenticationToken": _UNKNOWN_CALLER,
    "MissingAuthenticationTokenException": _UNKNOWN_CALLER,
    "NotAuthorized": _UNKNOWN_CALLER,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "RequestTimeTooSkewed": _SKEWED,
    "InternalServerError": _BROKEN,
    "InternalFailure": _BROKEN,
    "ServiceUnavailable": _BROKEN,
    "ServiceUnavailableException": _BROKEN,
    "RequestTimeout": _BROKEN,
    "RequestTimeoutException": _BROKEN,
    INVALID: _REFUSED,
}
# By the HTTP status: of codes that nobody knows, and of what answers in the service's place.
_STATUSES: Final[dict[int, Meaning]] = {401: _UNKNOWN_CALLER, 403: _DENIED, 408: _BROKEN, 429: _THROTTLED}


def translated(error: Exception, operation: Operation) -> err.IsthmusError | None:
    """The error of the tree for what a transport raised; ``None`` for what is none of its errors."""
    if isinstance(error, ServiceError):
        return _of_service(error, operation)
    if isinstance(error, NotSent):
        return err.Unavailable(f"this {operation.kind} was not sent: {error}", maybe_applied=False)
    if isinstance(error, AnswerLost):
        message = f"the answer to this {operation.kind} was lost: {error}"
        return err.Unavailable(message, maybe_applied=_may_write(error, operation))
    return None


def _of_service(error: ServiceError, operation: Operation) -> err.IsthmusError:
    meaning = MEANINGS.get(error.code) or _STATUSES.get(error.status) or _by_class(error.status)
    message = f"DynamoDB refused this {operation.kind} ({error.code}): {meaning.advice}"
    raised = meaning.kind(message, maybe_applied=meaning.maybe_applied and _may_write(error, operation))
    raised.request_id = error.request_id
    return raised


def _by_class(status: int) -> Meaning:
    return _BROKEN if status >= 500 else _REFUSED


def _may_write(error: ServiceError | AnswerLost, operation: Operation) -> bool:
    """Whether the request that failed may have had an effect, or one before it.

    Requests of writes that came before a failed read were refused; only those that manage tables look at what they did.
    """
    return operation.writes and (error.action not in _READS or isinstance(operation, (CreateTable, DropTable)))
