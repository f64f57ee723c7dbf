"""The innermost step: hands operations to the backend, translates errors, and owns retries, deadlines and outcomes.

The plan after a failed attempt is a generator that yields ``Again`` and ``Sleep``, so the sync and the async step share
it. An attempt that succeeds at once never enters it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pluggy
from attrs import evolve, frozen

from isthmus.backends import Backend
from isthmus.errors import (
    AlreadyExists,
    BackendError,
    ConditionFailed,
    DeadlineExceeded,
    InvalidArgument,
    IsthmusError,
    ItemChanged,
    ItemNotFound,
    OutcomeUnknown,
    TransactionFailed,
    UniqueViolation,
)
from isthmus.guarding import check, refused
from isthmus.layers import Sleep
from isthmus.logs import log_failure
from isthmus.observing import Attempt, Observers
from isthmus.operation_ids import identified, public_id, repeated
from isthmus.operations import Operation, TransactWrite
from isthmus.results import Result
from isthmus.retries import RetryDecision, repeatable


@frozen
class Again:
    """Run the operation once more."""

    operation: Operation


SETTLING = (
    AlreadyExists, ConditionFailed, InvalidArgument, ItemChanged, ItemNotFound, TransactionFailed, UniqueViolation,
)  # fmt: skip
"""What a repeated attempt of a known write raises when no attempt was applied; other errors leave that open."""

Plan = Generator[Again | Sleep, Any, Result]


class Dispatcher:
    """The step between the layers and the backend of one database."""

    def __init__(
        self, backend: Backend, manager: pluggy.PluginManager, observers: Observers, retry: RetryDecision
    ) -> None:
        self._backend = backend
        self._refused = refused(backend.capabilities)
        self._translate_hook = manager.hook.isthmus_translate_error
        self._decide_hook = manager.hook.isthmus_decide_retry
        self._observers = observers
        self._retry = retry
        self._budget = retry.budget
        self._run = backend.execute
        self._identifies = backend.identifies
        self._arun: Callable[[Operation], Awaitable[Result]] = backend.aexecute

    def execute(self, operation: Operation) -> Result:
        """Answer one operation, blocking."""
        if self._refused or operation.context.deadline is not None:
            self._admit(operation)
        if operation.writes and self._identifies(operation):
            operation = identified(operation)
        try:
            result = self._run(operation)
        except Exception as error:
            return self._recover(operation, error)
        if self._budget.left < self._budget.size:
            self._budget.earn()
        return result

    async def aexecute(self, operation: Operation) -> Result:
        """Answer one operation on an event loop."""
        if self._refused or operation.context.deadline is not None:
            self._admit(operation)
        if operation.writes and self._identifies(operation):
            operation = identified(operation)
        try:
            result = await self._arun(operation)
        except Exception as error:
            return await self._arecover(operation, error)
        if self._budget.left < self._budget.size:
            self._budget.earn()
        return result

    def _admit(self, operation: Operation) -> None:
        check(operation, self._refused, self._backend.name)
        if _left(operation) <= 0:
            raise self._locate(_too_late(operation, maybe_applied=False), operation)

    def _recover(self, operation: Operation, error: Exception) -> Result:
        plan = self._plan(operation, error)
        try:
            step = plan.send(None)
            while True:
                try:
                    answer = self._carry_out(step)
                except Exception as failure:
                    step = plan.throw(failure)
                else:
                    step = plan.send(answer)
        except StopIteration as stop:
            result: Result = stop.value
            return result

    def _carry_out(self, step: Again | Sleep) -> Result | None:
        if isinstance(step, Again):
            return self._run(step.operation)
        step.run()
        return None

    async def _arecover(self, operation: Operation, error: Exception) -> Result:
        plan = self._plan(operation, error)
        try:
            step = plan.send(None)
            while True:
                try:
                    answer = await (step.arun() if isinstance(step, Sleep) else self._arun(step.operation))
                except Exception as failure:
                    step = plan.throw(failure)
                else:
                    step = plan.send(answer)
        except StopIteration as stop:
            result: Result = stop.value
            return result

    def _plan(self, operation: Operation, failure: Exception) -> Plan:
        """Translate, decide, wait and repeat until there is a result or a final error."""
        number = 1
        maybe_applied = False
        known = operation.context.operation_id is not None
        while True:
            error = self._translated(failure, operation)
            maybe_applied = maybe_applied or error.maybe_applied
            attempt = Attempt(operation.kind, operation.table_names, self._backend.name, number, error)
            wait = self._wait(operation, attempt)
            if wait is None and not (error.retryable and _left(operation) <= 0):
                final = self._final(operation, error, maybe_applied)
                raise final from _cause(final, failure)
            if wait is None or wait >= _left(operation):
                raise self._locate(_too_late(operation, maybe_applied=maybe_applied), operation) from error
            self._observers.retried(evolve(attempt, wait=wait))
            yield Sleep(wait)
            if known and not maybe_applied:
                # Kept, the id would leave a trace that looks older than writes which came before it.
                operation = identified(operation)
            try:
                result: Result = yield Again(repeated(operation) if known and maybe_applied else operation)
            except Exception as again:
                failure, number = again, number + 1
            else:
                self._budget.earn()
                return result

    def _wait(self, operation: Operation, attempt: Attempt) -> float | None:
        """Seconds to wait before the next attempt, or ``None`` to give up."""
        if self._backend.repeats(operation) or not repeatable(operation, attempt.error):
            return None
        decided: float | None = _ask(self._decide_hook, attempt=attempt)
        if decided is None:
            return self._retry.wait(attempt.number)
        return decided if decided >= 0 else None

    def _translated(self, failure: Exception, operation: Operation) -> IsthmusError:
        if isinstance(failure, IsthmusError):
            return failure
        error: IsthmusError | None = _ask(self._translate_hook, error=failure, operation=operation)
        error = error or self._backend.translate_error(failure, operation)
        return error or BackendError(
            f"{self._backend.name} failed with {type(failure).__name__}: see the cause", maybe_applied=operation.writes
        )

    def _final(self, operation: Operation, error: IsthmusError, maybe_applied: bool) -> IsthmusError:
        """The error that the caller gets: a write that may have happened is never reported as a plain failure."""
        if maybe_applied and operation.context.operation_id is not None and isinstance(error, SETTLING):
            return self._locate(error, operation)
        if maybe_applied and operation.writes and not operation.idempotent and not isinstance(error, DeadlineExceeded):
            unknown = error if isinstance(error, OutcomeUnknown) else OutcomeUnknown(_unknown_message(operation))
            return self._locate(unknown, operation)
        if maybe_applied:
            error.maybe_applied = True
        return self._locate(error, operation)

    def _locate(self, error: IsthmusError, operation: Operation) -> IsthmusError:
        error.backend = self._backend.name
        error.operation = operation.kind
        error.table = ",".join(operation.table_names) or None
        error.key = getattr(operation, "key", None)
        if error.maybe_applied:
            error.operation_id = public_id(operation) or error.operation_id
        if isinstance(error, TransactionFailed) and isinstance(operation, TransactWrite):
            for action, reason in zip(operation.actions, error.reasons, strict=True):
                if reason is not None:
                    reason.backend, reason.operation = self._backend.name, action.kind
                    reason.table, reason.key = action.table.name, action.key
        return error


def _ask(hook: Callable[..., Any], **details: Any) -> Any:
    """A hook's answer; one that raises is logged and has none, so that it can't hide what the backend raised."""
    try:
        return hook(**details)
    except Exception as error:
        log_failure("a plugin's hook failed while an error was handled", error)
        return None


def _cause(error: IsthmusError, failure: Exception) -> BaseException | None:
    """The native error; an error of ours keeps the cause that it was raised with."""
    return failure.__cause__ if error is failure else failure


def _unknown_message(operation: Operation) -> str:
    settle = "read the item" if public_id(operation) is None else "pass the error's operation_id to resolve()"
    return f"the outcome of this {operation.kind} is unknown: {settle} before repeating it"


def _left(operation: Operation) -> float:
    deadline = operation.context.deadline
    return float("inf") if deadline is None else deadline - time.monotonic()


def _too_late(operation: Operation, *, maybe_applied: bool) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"the deadline of this {operation.kind} passed: allow a longer timeout", maybe_applied=maybe_applied
    )
