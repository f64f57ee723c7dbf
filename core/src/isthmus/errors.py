"""Every error that Isthmus raises, in one small tree.

An error says what failed, why, and what to do next. Besides its message it carries ``code`` (stable text for programs),
``retryable`` (may the same call succeed when repeated unchanged?), ``maybe_applied`` (may a write have happened?) and
where it came from. Where a write may have happened, ``operation_id`` is what ``Database.resolve`` takes, if the backend
can tell. Messages never hold secrets, keys or item values: those travel in attributes that no log prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Details = dict[str, Any]


class IsthmusError(Exception):
    """Base of all errors.

    :param message: the thing, the reason and the next step, in one or two sentences
    :param retryable: whether repeating the call unchanged may succeed; the class's default when omitted
    :param maybe_applied: whether a write may have happened although the call failed
    """

    code: ClassVar[str] = "error"
    retryable: bool = False
    maybe_applied: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None, maybe_applied: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable
        if maybe_applied is not None:
            self.maybe_applied = maybe_applied
        self.backend: str | None = None
        self.operation: str | None = None
        self.table: str | None = None
        self.key: Mapping[str, Any] | None = None
        self.request_id: str | None = None
        self.operation_id: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # By default exceptions are made again from their message alone, which classes with more arguments refuse.
        return _restored, (type(self), self.args), self.__dict__

    @property
    def message(self) -> str:
        """The text without its place of origin."""
        return str(self.args[0]) if self.args else self.code

    def to_dict(self) -> Details:
        """The error as JSON-ready data: never a key, an item or a secret."""
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "maybe_applied": self.maybe_applied,
            "backend": self.backend,
            "operation": self.operation,
            "table": self.table,
            "request_id": self.request_id,
        }


def _restored(kind: type[IsthmusError], args: tuple[Any, ...]) -> IsthmusError:
    error = kind.__new__(kind)
    error.args = args
    return error


class InvalidArgument(IsthmusError):
    """The call can't mean anything valid; nothing was sent."""

    code = "invalid_argument"


class InvalidKey(InvalidArgument):
    """A key attribute is missing, empty, too long or of the wrong type."""

    code = "invalid_key"


class InvalidValue(InvalidArgument):
    """A value is outside the portable value model."""

    code = "invalid_value"


class InvalidPath(InvalidArgument):
    """A document path can't be followed or changed as asked."""

    code = "invalid_path"


class OutOfRange(InvalidArgument):
    """The result of arithmetic does not fit a portable number."""

    code = "out_of_range"


class InvalidCursor(InvalidArgument):
    """A cursor is damaged, or belongs to another query or backend."""

    code = "invalid_cursor"


class ItemTooLarge(InvalidArgument):
    """An item is larger than the backend's limit."""

    code = "item_too_large"


class QueryTooComplex(InvalidArgument):
    """A condition or a sort is larger than its bound."""

    code = "query_too_complex"


class ItemNotFound(IsthmusError):
    """No visible item has this key."""

    code = "item_not_found"


class TableNotFound(IsthmusError):
    """The table does not exist in the store."""

    code = "table_not_found"


class AlreadyExists(IsthmusError):
    """A visible item (or a table) with this key exists already."""

    code = "already_exists"


class SeveralFound(IsthmusError):
    """More than one item where only one was expected."""

    code = "several_found"


class UniqueViolation(IsthmusError):
    """Another item holds a value that must be unique.

    ``constraint`` names the fields whose values are unique together, where the caller's model declares them.
    """

    code = "unique_violation"

    def __init__(self, message: str, *, constraint: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.constraint = tuple(constraint)


class ConditionFailed(IsthmusError):
    """The condition of a write was false.

    ``current`` is the item as it was when the condition was evaluated, or ``None`` when there was none.
    """

    code = "condition_failed"

    def __init__(self, message: str, *, current: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.current = current


class VersionConflict(ConditionFailed):
    """Somebody else changed the item since it was read."""

    code = "version_conflict"


class Conflict(IsthmusError):
    """Another writer was in the way; nothing was applied."""

    code = "conflict"
    retryable = True


class ItemChanged(Conflict):
    """The item is not as it was when its revision was read; nothing was applied.

    Repeated unchanged, the write fails again: read the item, decide anew and write then.
    """

    code = "item_changed"
    retryable = False


class TransactionFailed(IsthmusError):
    """Nothing of the transaction was applied.

    ``reasons`` has one entry for each action, in order: the error, or ``None`` where the action itself was fine.
    """

    code = "transaction_failed"

    def __init__(self, message: str, *, reasons: Sequence[IsthmusError | None]) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)

    def to_dict(self) -> Details:
        reasons = [reason.to_dict() if reason else None for reason in self.reasons]
        return {**super().to_dict(), "reasons": reasons}


class RolledBack(IsthmusError):
    """The body of a unit of work raised something else than an ``IsthmusError``, so nothing was sent.

    Only observers get it; the caller gets what the body raised, which is the cause.
    """

    code = "rolled_back"


class IdempotencyMismatch(IsthmusError):
    """The token was used before, for other content."""

    code = "idempotency_mismatch"


class UnsupportedOperation(IsthmusError):
    """The backend declares that it can't do this; nothing was sent."""

    code = "unsupported_operation"

    def __init__(self, message: str, *, capability: str, reason: str) -> None:
        super().__init__(message)
        self.capability = capability
        self.reason = reason


class Throttled(IsthmusError):
    """The store refused for now because of load."""

    code = "throttled"
    retryable = True


class Unavailable(IsthmusError):
    """The store can't be reached."""

    code = "unavailable"
    retryable = True


class DeadlineExceeded(IsthmusError):
    """The call's time was used up, retries and pages included."""

    code = "deadline_exceeded"


class OutcomeUnknown(IsthmusError):
    """A write may or may not have happened, and repeating it would not be safe."""

    code = "outcome_unknown"
    maybe_applied = True


class CircuitOpen(IsthmusError):
    """Calls are held back because the store failed repeatedly."""

    code = "circuit_open"
    retryable = True


class PermissionDenied(IsthmusError):
    """The store or a policy refused the caller."""

    code = "permission_denied"


class Unauthenticated(IsthmusError):
    """The store does not accept the credentials."""

    code = "unauthenticated"


class SchemaMismatch(IsthmusError):
    """The stored table differs from the declared one; ``differences`` names each point."""

    code = "schema_mismatch"

    def __init__(self, message: str, *, differences: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


class InvalidStoredValue(IsthmusError):
    """A stored value is outside the portable value model."""

    code = "invalid_stored_value"


class IntegrityError(IsthmusError):
    """Stored data is damaged, or a copy differs from its source."""

    code = "integrity_error"


class Closed(IsthmusError):
    """The database was closed."""

    code = "closed"


class ConfigurationError(IsthmusError):
    """The configuration has one or more problems; ``problems`` lists all of them."""

    code = "configuration_error"

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems) or (message,)


class PluginError(IsthmusError):
    """A plugin is missing, broken, incompatible or misbehaves."""

    code = "plugin_error"


class BackendError(IsthmusError):
    """The store failed in a way that no other error describes; the native error is the cause."""

    code = "backend_error"
