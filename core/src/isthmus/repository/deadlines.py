"""One deadline for all that a call sends, however often it reads and tries again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from attrs import evolve

from isthmus import operations as op

P = ParamSpec("P")
R = TypeVar("R")
Steps = Generator[op.Operation, Any, R]


def one_deadline(plan: Callable[P, Steps[R]]) -> Callable[P, Steps[R]]:
    """The plan, whose operations all end when the first one has to."""

    @wraps(plan)
    def timed(*arguments: P.args, **options: P.kwargs) -> Steps[R]:
        steps = plan(*arguments, **options)
        try:
            operation = next(steps)
            deadline = operation.context.deadline
            while True:
                try:
                    result = yield _until(deadline, operation)
                except Exception as error:
                    operation = steps.throw(error)
                else:
                    operation = steps.send(result)
        except StopIteration as stop:
            value: R = stop.value
            return value

    return timed


def _until(deadline: float | None, operation: op.Operation) -> op.Operation:
    context = operation.context
    if context.deadline == deadline:
        return operation
    return evolve(operation, context=evolve(context, deadline=deadline))
