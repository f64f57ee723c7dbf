"""Clients that work at the same time: in threads on a sync database, in tasks of one event loop on an async one.

A script is a generator that yields calls and is sent their answers. A sync database has answered by the time its call
is yielded, what an async one gives is awaited; so one script serves both.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import isawaitable
from random import Random
from typing import Any

from attrs import Factory, define

from isthmus.operations import Operation

Script = Generator[Any, Any, Any]
CURRENT: ContextVar[Client | None] = ContextVar("the client that this thread or task is", default=None)


class KilledError(BaseException):
    """The client is dead: nothing catches this on the way up, and nothing is sent any more."""


@define(eq=False)
class Client:
    """One of several clients, with a chance of its own.

    :param dies: after so many requests to the store; never where it is ``None``
    :param operation: what it has under way
    """

    number: int
    seed: int
    dies: int | None = None
    requests: int = 0
    operation: Operation | None = None
    chance: Random = Factory(lambda self: Random(f"{self.seed}/{self.number}"), takes_self=True)
    luck: Random = Factory(lambda self: Random(f"{self.seed}/{self.number}/faults"), takes_self=True)


def play(script: Script) -> Any:
    """Run a script on a sync database; what it returns."""
    try:
        call = next(script)
        while True:
            call = script.send(call)
    except StopIteration as stop:
        return stop.value


async def aplay(script: Script) -> Any:
    """Run a script on an async database."""
    try:
        call = next(script)
        while True:
            try:
                answer = await call if isawaitable(call) else call
            except Exception as error:
                call = script.throw(error)
            else:
                await asyncio.sleep(0)  # a store that never waits would let one client work to its end
                call = script.send(answer)
    except StopIteration as stop:
        return stop.value


def in_threads(scripts: Sequence[tuple[Client, Script]]) -> None:
    """Run scripts at the same time, each in a thread; the first error that is not of the tree is raised."""

    def run(client: Client, script: Script) -> None:
        CURRENT.set(client)
        try:
            play(script)
        except KilledError:
            script.close()
        finally:
            CURRENT.set(None)

    with _eager_switching(), ThreadPoolExecutor(len(scripts)) as pool:
        for ended in [pool.submit(run, client, script) for client, script in scripts]:
            ended.result()


async def in_tasks(scripts: Sequence[tuple[Client, Script]]) -> None:
    """Run scripts at the same time, each in a task."""

    async def run(client: Client, script: Script) -> None:
        CURRENT.set(client)
        try:
            await aplay(script)
        except KilledError:
            script.close()

    await asyncio.gather(*(run(client, script) for client, script in scripts))


def function_of(body: Callable[[Any], Script], *, is_async: bool) -> Callable[[Any], Any]:
    """What ``run_transaction`` takes, from a script that gets the unit of work."""
    if not is_async:
        return lambda unit: play(body(unit))

    async def function(unit: Any) -> Any:
        return await aplay(body(unit))

    return function


@contextmanager
def _eager_switching() -> Iterator[None]:
    """Let threads take turns so often that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
