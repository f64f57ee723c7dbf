"""A base for backends over a driver: what an operation needs is planned once, for the sync and the async transport.

A plan is a generator that does no I/O itself. It yields native requests, gets native responses, and returns the result;
an error of the transport is raised where the plan stands, so that it can look again or give up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from isthmus.backends import Backend
from isthmus.operations import Operation
from isthmus.results import Result

Plan = Generator[Any, Any, Result]
T = TypeVar("T")


class PlannedBackend(Backend):
    """Answers operations with plans, carried out by a blocking and by an async transport."""

    @abstractmethod
    def plan(self, operation: Operation) -> Plan:
        """The native requests that answer an operation, one at a time."""

    @abstractmethod
    def send(self, request: Any, operation: Operation) -> Any:
        """Carry out one native request, blocking, until the operation's deadline at most."""

    @abstractmethod
    async def asend(self, request: Any, operation: Operation) -> Any:
        """Carry out one native request on an event loop."""

    def execute(self, operation: Operation) -> Result:
        return drive(self.plan(operation), lambda request: self.send(request, operation))

    async def aexecute(self, operation: Operation) -> Result:
        return await adrive(self.plan(operation), lambda request: self.asend(request, operation))


def drive(plan: Generator[Any, Any, T], send: Callable[[Any], Any]) -> T:
    """Run a plan to its end, with a transport that blocks; what the plan returns."""
    try:
        request = next(plan)
        while True:
            try:
                response = send(request)
            except Exception as error:
                request = plan.throw(error)
            else:
                request = plan.send(response)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def adrive(plan: Generator[Any, Any, T], send: Callable[[Any], Awaitable[Any]]) -> T:
    """The async twin of ``drive``."""
    try:
        request = next(plan)
        while True:
            try:
                response = await send(request)
            except Exception as error:
                request = plan.throw(error)
            else:
                request = plan.send(response)
    except StopIteration as stop:
        result: T = stop.value
        return result
