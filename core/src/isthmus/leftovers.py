"""Batch members that a store leaves over are sent again, as the innermost layer around the dispatcher (rule BAT-3)."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from attrs import evolve

from isthmus.errors import IsthmusError, Throttled
from isthmus.layers import Flow, Layer, Sleep, Stage
from isthmus.observing import Attempt, Observers
from isthmus.operations import DeleteMany, GetMany, Operation, PutMany
from isthmus.results import Failure, GetManyResult, ManyResult, WriteManyResult
from isthmus.retries import RetryDecision

Batch = GetMany | PutMany | DeleteMany


class Leftovers(Layer):
    """Repeats what failed with a retryable error, under the database's retry policy, and merges the answers.

    All batches mean the same when a member is sent twice, so an unknown outcome is no obstacle.
    """

    name = "leftovers"
    stage = Stage.CACHE
    handles = (GetMany, PutMany, DeleteMany)

    def __init__(self, retry: RetryDecision, observers: Observers, backend: str) -> None:
        self._retry = retry
        self._observers = observers
        self._backend = backend

    def flow(self, operation: Operation) -> Flow:
        batch = cast("Batch", operation)
        result: ManyResult = yield batch
        number = 1
        while places := [failure.position for failure in result.failures if failure.error.retryable]:
            wait = self._wait(batch, number, result)
            if wait is None:
                break
            yield Sleep(wait)
            number += 1
            try:
                result = merged(result, places, (yield part(batch, places)))
            except IsthmusError as error:
                return with_error(result, places, error)
        return result

    def _wait(self, batch: Batch, number: int, result: ManyResult) -> float | None:
        """Seconds to wait before the leftovers are sent again, or ``None`` to report them."""
        wait = self._retry.wait(number)
        deadline = batch.context.deadline
        if wait is None or (deadline is not None and time.monotonic() + wait >= deadline):
            return None
        errors = [failure.error for failure in result.failures if failure.error.retryable]
        throttled = sum(isinstance(error, Throttled) for error in errors)
        self._observers.retried(
            Attempt(batch.kind, batch.table_names, self._backend, number, errors[0], wait, throttled)
        )
        return wait


def part(batch: Batch, places: Iterable[int]) -> Batch:
    """The batch of only the members at ``places``."""
    if isinstance(batch, PutMany):
        return evolve(batch, items=tuple(batch.items[place] for place in places))
    return evolve(batch, keys=tuple(batch.keys[place] for place in places))


def merged(result: ManyResult, places: Sequence[int], again: Any) -> ManyResult:
    """The answer to a batch, with the later answer to its members at ``places``."""
    later = [Failure(places[failure.position], failure.error) for failure in again.failures]
    failures = sorted((*_others(result, places), *later), key=lambda failure: failure.position)
    if isinstance(result, GetManyResult):
        items = list(result.items)
        for place, item in zip(places, again.items, strict=True):
            items[place] = item
        return GetManyResult(items, failures=failures)
    return WriteManyResult(cast("WriteManyResult", result).written + again.written, failures=failures)


def with_error(result: ManyResult, places: Collection[int], error: IsthmusError) -> ManyResult:
    """The answer to a batch of which the members at ``places`` failed with ``error``."""
    failures = [*_others(result, places), *(Failure(place, error) for place in places)]
    return evolve(result, failures=sorted(failures, key=lambda failure: failure.position))


def _others(result: ManyResult, places: Collection[int]) -> list[Failure]:
    return [failure for failure in result.failures if failure.position not in set(places)]
