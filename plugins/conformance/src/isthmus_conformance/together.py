"""Running calls at the same time: in threads on the sync database, in tasks of one event loop on the async one.

A script is a generator that yields calls and is sent their answers, so one script serves both.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any

from isthmus import BoundTable
from isthmus.errors import IsthmusError
from isthmus_conformance.bridge import SyncBridge

Steps = Generator[Any, Any, Any]
Script = Callable[[Any], Steps]


def one(method: str, *arguments: Any, **named: Any) -> Script:
    """The script of a single call: a method of the table with its arguments."""

    def script(table: Any) -> Steps:
        return (yield getattr(table, method)(*arguments, **named))

    return script


def together(table: BoundTable, scripts: Sequence[Script]) -> list[Any]:
    """Run the scripts at once, each with the table; what each returned, or the error of the tree that it raised."""
    if isinstance(table, SyncBridge):
        return list(table.on_loop(lambda target: _tasks(target, scripts)))
    return _threads(table, scripts)


def _threads(table: BoundTable, scripts: Sequence[Script]) -> list[Any]:
    start = threading.Barrier(len(scripts))

    def run(script: Script) -> Any:
        start.wait()
        try:
            return _play(script(table))
        except IsthmusError as error:
            return error

    with _eager_switching(), ThreadPoolExecutor(len(scripts)) as pool:
        return list(pool.map(run, scripts))


@contextmanager
def _eager_switching() -> Iterator[None]:
    """Let threads take turns so often that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _play(steps: Steps) -> Any:
    """The sync table has answered by the time a call is yielded."""
    try:
        answer = next(steps)
        while True:
            answer = steps.send(answer)
    except StopIteration as stop:
        return stop.value


async def _tasks(table: Any, scripts: Sequence[Script]) -> list[Any]:
    async def run(script: Script) -> Any:
        try:
            return await _aplay(script(table))
        except IsthmusError as error:
            return error

    return await asyncio.gather(*(run(script) for script in scripts))


async def _aplay(steps: Steps) -> Any:
    try:
        call = next(steps)
        while True:
            try:
                answer = await call if isawaitable(call) else call
            except IsthmusError as error:
                call = steps.throw(error)
            else:
                await asyncio.sleep(0)  # backends that never wait would else run one script to its end
                call = steps.send(answer)
    except StopIteration as stop:
        return stop.value
