"""Batches: how their members are handed to SQLite, and what is reported of one that failed half-way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from isthmus import operations as op
from isthmus.capabilities import Limits
from isthmus.errors import DeadlineExceeded, IsthmusError
from isthmus.results import Failure, WriteManyResult
from isthmus_sqlite.layout import Layout, Params

# Members between two looks at the clock.
_MEMBERS = 256

M = TypeVar("M")


def until(members: Sequence[M], deadline: float | None) -> Iterable[M]:
    """The members, as long as there is time.

    :param deadline: monotonic seconds
    """
    return members if deadline is None else _watched(members, deadline)


def _watched(members: Sequence[M], deadline: float) -> Iterator[M]:
    for place, member in enumerate(members):
        if place % _MEMBERS == 0 and time.monotonic() >= deadline:
            raise DeadlineExceeded("the deadline passed in the middle of the batch: allow a longer timeout")
        yield member


def checked(layout: Layout, operation: op.PutMany | op.DeleteMany, limits: Limits) -> Sequence[Any]:
    """The members that are to be written.

    :raises InvalidKey: one of them does not fit the stored indexes
    """
    if isinstance(operation, op.DeleteMany):
        return operation.keys
    for item in operation.items:
        layout.check(operation.table, item, limits)
    return operation.items


def rows(layout: Layout, operation: op.PutMany | op.DeleteMany, members: Sequence[Any]) -> tuple[str, Iterable[Params]]:
    """The statement that writes a member, and its parameters for each of them."""
    in_time = until(members, operation.context.deadline)
    if isinstance(operation, op.PutMany):
        return layout.put, map(layout.row, in_time)
    return layout.delete, map(layout.key, in_time)


def partly(written: int, members: int, error: IsthmusError) -> WriteManyResult:
    """The result of a batch of which the first members are written, and the others are not because of an error.

    :raises DeadlineExceeded: that was the error
    """
    if isinstance(error, DeadlineExceeded):
        raise DeadlineExceeded(
            f"the deadline passed when the first {written} members of the batch were written: allow a longer timeout",
            maybe_applied=True,
        ) from error
    return WriteManyResult(written, failures=[Failure(place, error) for place in range(written, members)])
