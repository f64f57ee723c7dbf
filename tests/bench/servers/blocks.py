"""One block of measurement inside a worker: calls for some time by one or more concurrent callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from time import perf_counter, process_time
from typing import Any

from attrs import frozen

Call = Callable[[int], Any]


@frozen
class Block:
    """What a block gave.

    :param calls: how many operations were completed
    :param wall: seconds from the start to the end of the last call
    :param cpu: seconds of processor time of the whole process
    """

    calls: int
    wall: float
    cpu: float


def run_threads(call: Call, numbers: count[int], callers: int, seconds: float) -> Block:
    """Calls by so many threads; a single caller is the main thread."""
    if callers == 1:
        started = _now()
        return _block(_calls(call, numbers, started[0] + seconds), started)
    barrier = Barrier(callers + 1)

    def caller() -> int:
        barrier.wait()
        return _calls(call, numbers, perf_counter() + seconds)

    with ThreadPoolExecutor(callers) as pool:
        futures = [pool.submit(caller) for _ in range(callers)]
        started = _now()
        barrier.wait()
        return _block(sum(future.result() for future in futures), started)


async def run_tasks(call: Callable[[int], Awaitable[Any]], numbers: count[int], callers: int, seconds: float) -> Block:
    """Calls by so many coroutines of one event loop."""
    started = _now()
    # One end for all: where nothing waits, as in memory, the first caller does nearly everything.
    end = started[0] + seconds
    if callers == 1:
        return _block(await _awaits(call, numbers, end), started)
    done = await asyncio.gather(*(_awaits(call, numbers, end) for _ in range(callers)))
    return _block(sum(done), started)


def _calls(call: Call, numbers: count[int], end: float) -> int:
    calls = 0
    while calls == 0 or perf_counter() < end:
        call(next(numbers))
        calls += 1
    return calls


async def _awaits(call: Callable[[int], Awaitable[Any]], numbers: count[int], end: float) -> int:
    calls = 0
    while calls == 0 or perf_counter() < end:
        await call(next(numbers))
        calls += 1
    return calls


def _now() -> tuple[float, float]:
    return perf_counter(), process_time()


def _block(calls: int, started: tuple[float, float]) -> Block:
    return Block(calls, perf_counter() - started[0], process_time() - started[1])
