"""Fault injection: a backend that delegates to another one and fails, delays or leaves work undone as told.

The kit wraps the backend under test, so that what the core makes of faults is proven on the real store: an error that
comes before the work, one that comes after it, a batch of which members are left over, a slow answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve, field, frozen

from isthmus import operations as op
from isthmus import results as res
from isthmus.backends import Backend
from isthmus.errors import IsthmusError, Throttled


def _places(positions: Iterable[int]) -> frozenset[int]:
    return frozenset(positions)


@frozen
class Fault:
    """What happens to one attempt.

    :param error: raised in place of the answer
    :param applied: whether the inner backend does the work before ``error`` is raised
    :param leftovers: positions of batch members that are not sent, and reported as failed
    :param leftover_error: what the leftovers are reported with
    :param delay: seconds to wait before anything else
    :param then: called after the work or in its place, before ``error`` is raised: what somebody else does meanwhile
    """

    error: Exception | None = None
    applied: bool = False
    leftovers: frozenset[int] = field(default=frozenset(), converter=_places)
    leftover_error: IsthmusError = field(factory=lambda: Throttled("the store is busy: repeat later"))
    delay: float = 0.0
    then: Callable[[], None] | None = None


HEALTHY = Fault()


class FaultyBackend(Backend):
    """Delegates to ``inner``; each data operation takes the next of ``plan``, and is healthy once that is empty.

    ``attempts`` holds every operation on items that arrived, in order. Operations on tables are always healthy. Closing
    it leaves the inner backend open, because that belongs to another database.

    :param identifying: whether writes carry operation ids where the inner backend knows them
    """

    name = "faulty"

    def __init__(self, inner: Backend, plan: Iterable[Fault] = (), *, identifying: bool = False) -> None:
        self.inner = inner
        self._identifying = identifying
        self.capabilities = inner.capabilities
        self.limits = inner.limits
        self.plan: deque[Fault] = deque(plan)
        self.attempts: list[op.Operation] = []

    def execute(self, operation: op.Operation) -> res.Result:
        fault = self._next(operation)
        if fault.delay:
            time.sleep(fault.delay)
        if fault.error is not None and not fault.applied:
            if fault.then is not None:
                fault.then()
            raise fault.error
        sent = without(operation, fault.leftovers)
        result = self.inner.execute(operation if sent is None else sent)
        if fault.then is not None:
            fault.then()
        return _answer(operation, fault, result)

    async def aexecute(self, operation: op.Operation) -> res.Result:
        fault = self._next(operation)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.error is not None and not fault.applied:
            if fault.then is not None:
                await asyncio.to_thread(fault.then)
            raise fault.error
        sent = without(operation, fault.leftovers)
        result = await self.inner.aexecute(operation if sent is None else sent)
        if fault.then is not None:
            await asyncio.to_thread(fault.then)
        return _answer(operation, fault, result)

    def identifies(self, operation: op.Operation) -> bool:
        return self._identifying and self.inner.identifies(operation)

    def translate_error(self, error: Exception, operation: op.Operation) -> IsthmusError | None:
        return self.inner.translate_error(error, operation)

    def native(self) -> Any:
        return self.inner.native()

    async def aclose(self) -> None:
        """Nothing: the inner backend stays open."""

    def _next(self, operation: op.Operation) -> Fault:
        if not isinstance(operation, op.ITEM_OPERATIONS):
            return HEALTHY
        self.attempts.append(operation)
        return self.plan.popleft() if self.plan else HEALTHY


def without(operation: op.Operation, positions: frozenset[int]) -> op.Operation | None:
    """The batch without the members at ``positions``; ``None`` where that changes nothing."""
    if not positions or not isinstance(operation, (op.GetMany, op.PutMany, op.DeleteMany)):
        return None
    if isinstance(operation, op.PutMany):
        return evolve(operation, items=_kept(operation.items, positions))
    return evolve(operation, keys=_kept(operation.keys, positions))


def _kept(members: tuple[Any, ...], positions: frozenset[int]) -> tuple[Any, ...]:
    return tuple(member for place, member in enumerate(members) if place not in positions)


def _answer(operation: op.Operation, fault: Fault, result: res.Result) -> res.Result:
    """The inner answer with what the fault adds: an error, or failures of the members that were left over."""
    if fault.error is not None:
        raise fault.error
    failures = [res.Failure(place, fault.leftover_error) for place in sorted(fault.leftovers)]
    if isinstance(result, res.WriteManyResult):
        return evolve(result, failures=failures) if failures else result
    if isinstance(result, res.GetManyResult) and isinstance(operation, op.GetMany) and failures:
        answers = iter(result.items)
        items = [None if place in fault.leftovers else next(answers) for place in range(len(operation.keys))]
        return res.GetManyResult(items, failures=failures)
    return result
