"""Running a plan that yields requests to its end, with a transport that blocks and with one on an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

Plan = Generator[Any, Any, Any]


def drive(plan: Plan, send: Callable[[Any], Any]) -> Any:
    """Run a plan to its end; what it returns."""
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
        return stop.value


async def adrive(plan: Plan, send: Callable[[Any], Awaitable[Any]]) -> Any:
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
        return stop.value
