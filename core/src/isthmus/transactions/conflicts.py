"""What a unit of work hears of items that others changed while it was open."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from isthmus import operations as op
from isthmus.errors import Conflict, IsthmusError, TransactionFailed, UniqueViolation
from isthmus.results import TransactWriteResult


def sent(transaction: op.TransactWrite) -> Generator[op.TransactWrite, Any, TransactWriteResult]:
    """Send what a unit of work came to.

    :raises Conflict: an item was changed since it was read, or other writers were in the way
    :raises TransactionFailed: an action failed for another reason
    """
    try:
        result: TransactWriteResult = yield transaction
    except TransactionFailed as error:
        conflict = _conflict(error)
        if conflict is None:
            raise
        raise conflict from error
    return result


def _conflict(error: TransactionFailed) -> Conflict | None:
    """The conflict that made a transaction fail, if one did; what else is wrong was judged on something outdated."""
    changed = sum(map(_outdated, error.reasons))
    if not changed:
        return None
    conflict = changed_since(changed, len(error.reasons))
    conflict.backend, conflict.operation, conflict.table = error.backend, error.operation, error.table
    return conflict


def _outdated(reason: IsthmusError | None) -> bool:
    # Unique values were free when they were written, so somebody else took one since then.
    return isinstance(reason, Conflict) or (isinstance(reason, UniqueViolation) and bool(reason.constraint))


def changed_since(changed: int, items: int) -> Conflict:
    """The error of a unit of work of which some items are not as it read them."""
    return Conflict(
        f"{changed} of the {items} items of this unit of work were changed since it read them: run it again, as"
        " run_transaction() does"
    )
