"""Exit codes of the ``isthmus`` command: a promise to scripts."""

from __future__ import annotations

from enum import IntEnum

from isthmus import errors


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    NO = 1
    USAGE = 2
    CONFIGURATION = 3
    BACKEND = 4
    DAMAGED = 5
    REFUSED = 6
    DEVIATING = 7
    DEAD_LETTERS = 8
    PAUSED = 9
    ROLLED_BACK = 10
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.NO: "the answer is no: not found, exists already, condition false, conflict, verification differs",
    ExitCode.USAGE: "wrong use or invalid input; nothing was sent for it",
    ExitCode.CONFIGURATION: "the configuration, a plugin or a local file is at fault, or a package is missing",
    ExitCode.BACKEND: "the store failed, can't be reached, or does not support the operation",
    ExitCode.DAMAGED: "stored data is damaged",
    ExitCode.REFUSED: "the store or a policy refused the caller",
    ExitCode.DEVIATING: "stored items differ from what was declared",
    ExitCode.DEAD_LETTERS: "done, except for items that were set aside as dead letters",
    ExitCode.PAUSED: "paused or stopped before the end; what is left can be resumed",
    ExitCode.ROLLED_BACK: "rolled back: the target is as it was before",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.BROKEN_PIPE: "the reader of the output went away",
}

# The first class that fits decides, so special cases stand before their bases.
_BY_ERROR: tuple[tuple[type[errors.IsthmusError], ExitCode], ...] = (
    (errors.InvalidArgument, ExitCode.USAGE),
    (errors.ItemNotFound, ExitCode.NO),
    (errors.TableNotFound, ExitCode.NO),
    (errors.AlreadyExists, ExitCode.NO),
    (errors.UniqueViolation, ExitCode.NO),
    (errors.ConditionFailed, ExitCode.NO),
    (errors.TransactionFailed, ExitCode.NO),
    (errors.Conflict, ExitCode.NO),
    (errors.IdempotencyMismatch, ExitCode.NO),
    (errors.SchemaMismatch, ExitCode.NO),
    (errors.ConfigurationError, ExitCode.CONFIGURATION),
    (errors.PluginError, ExitCode.CONFIGURATION),
    (errors.InvalidStoredValue, ExitCode.DAMAGED),
    (errors.IntegrityError, ExitCode.DAMAGED),
    (errors.PermissionDenied, ExitCode.REFUSED),
    (errors.Unauthenticated, ExitCode.REFUSED),
)


def exit_code_for(error: errors.IsthmusError) -> ExitCode:
    """The exit code for an error; ``BACKEND`` for kinds without one of their own."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.BACKEND)


def exit_code_table() -> str:
    """The codes and their meanings, a line for each."""
    return "\n".join(f"{code:>5}  {meaning}" for code, meaning in MEANINGS.items())
