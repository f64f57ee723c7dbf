"""Units of work that are run again when other writers were in the way."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from isthmus.arguments import positive
from isthmus.capabilities import Capability, Emulated
from isthmus.errors import Conflict, DeadlineExceeded, InvalidArgument, IsthmusError
from isthmus.observing import Attempt
from isthmus.operations import Context
from isthmus.pipeline import Pipeline
from isthmus.requests import with_deadline

if TYPE_CHECKING:
    from isthmus.transactions.async_unit_of_work import AsyncUnitOfWork
    from isthmus.transactions.unit_of_work import UnitOfWork

T = TypeVar("T")


class Attempts:
    """How often a body was run, and whether it is run again.

    :param most: how often it may be run
    :param deadline: seconds for all runs and the waits between them
    """

    def __init__(self, pipeline: Pipeline, most: int, deadline: float | None) -> None:
        self._pipeline = pipeline
        self._most = positive(most, "attempts")
        self._until = with_deadline(Context(), deadline).deadline
        self._number = 1

    def options(self) -> dict[str, Any]:
        """The token and the timeout of the next unit of work.

        :raises DeadlineExceeded: no time is left
        """
        left = None if self._until is None else self._until - time.monotonic()
        if left is not None and left <= 0:
            raise self._too_late()
        return {"token": self._token(), "timeout": left}

    def _token(self) -> str | None:
        """By a token a commit whose answer was lost is known again, unless the backend does that by itself for less."""
        capabilities = self._pipeline.capabilities
        level = capabilities[Capability.IDEMPOTENCY_TOKEN]
        if not level.supported:
            return None
        identified = isinstance(level, Emulated) and capabilities.supports(Capability.OPERATION_ID)
        return None if identified else uuid4().hex

    def wait_after(self, error: Conflict) -> float:
        """Seconds until the next run.

        :raises Conflict: there is none
        :raises DeadlineExceeded: there is no time for it
        """
        if error.maybe_applied:
            raise error
        if self._number >= self._most:
            raise self._given_up(error) from error
        wait = random.uniform(0.0, self._pipeline.settings.retry_policy.bound(self._number))  # noqa: S311  # no secret
        if self._until is not None and time.monotonic() + wait >= self._until:
            raise self._too_late() from error
        tables = tuple(error.table.split(",")) if error.table else ()
        attempt = Attempt("transact_write", tables, self._pipeline.backend_name, self._number, error, wait)
        self._pipeline.observers.retried(attempt)
        self._number += 1
        return wait

    def end(self, error: DeadlineExceeded) -> None:
        """The end of a run that had no time left.

        :raises DeadlineExceeded: with the number of runs, where it was the time for all of them that passed
        """
        if self._until is not None and time.monotonic() >= self._until and not error.maybe_applied:
            raise self._too_late() from error

    def _given_up(self, error: Conflict) -> Conflict:
        final = Conflict(
            f"other writers were in the way in each of {self._number} attempts: allow more attempts=, or let fewer"
            " writers change the same items"
        )
        final.backend, final.operation, final.table = error.backend, error.operation, error.table
        return final

    def _too_late(self) -> IsthmusError:
        return DeadlineExceeded(
            f"the deadline passed in or after {self._number} attempts: allow more time, or let fewer writers change the"
            " same items"
        )


def run(
    begin: Callable[..., UnitOfWork],
    function: Callable[[UnitOfWork], T],
    attempts: Attempts,
) -> T:
    """The value that ``function`` returned in the run that was committed.

    :param begin: makes a unit of work
    """
    while True:
        try:
            with begin(**attempts.options()) as unit:
                try:
                    return _value(function(unit))
                except Exception as error:
                    _raise_unless_doubtful(unit, error)
                    with _over(error):
                        unit.validate()
                    raise
        except Conflict as error:
            wait = attempts.wait_after(error)
        except DeadlineExceeded as error:
            attempts.end(error)
            raise
        time.sleep(wait)


async def arun(
    begin: Callable[..., AsyncUnitOfWork],
    function: Callable[[AsyncUnitOfWork], Awaitable[T]],
    attempts: Attempts,
) -> T:
    """The async twin of ``run``."""
    while True:
        try:
            async with begin(**attempts.options()) as unit:
                try:
                    return await _awaitable(function(unit))
                except Exception as error:
                    _raise_unless_doubtful(unit, error)
                    with _over(error):
                        await unit.validate()
                    raise
        except Conflict as error:
            wait = attempts.wait_after(error)
        except DeadlineExceeded as error:
            attempts.end(error)
            raise
        await asyncio.sleep(wait)


def _raise_unless_doubtful(unit: UnitOfWork | AsyncUnitOfWork, error: Exception) -> None:
    """Raise what a body raised, unless that may come from items of several moments, which did not fit together."""
    if isinstance(error, Conflict) or not unit.spans_moments:
        raise error


@contextmanager
def _over(raised: Exception) -> Iterator[None]:
    """Validation after an error: a conflict is the reason for it, anything else that goes wrong says nothing."""
    try:
        yield
    except Conflict as conflict:
        raise conflict from raised
    except IsthmusError:
        return


def _value(value: T) -> T:
    if inspect.iscoroutine(value):
        value.close()
        raise InvalidArgument("the function is async, which needs a database opened by aconnect()")
    if inspect.isgenerator(value):
        raise InvalidArgument("the function is a generator, whose body would never run: return a value instead")
    return value


def _awaitable(given: Awaitable[T]) -> Awaitable[T]:
    if not inspect.isawaitable(given):
        raise InvalidArgument(f"the function must be async def, but it returned {type(given).__name__}")
    return given
