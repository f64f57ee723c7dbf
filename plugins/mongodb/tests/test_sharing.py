"""What many callers need at the same time is read by one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.errors import DeadlineExceeded, TableNotFound
from isthmus_mongodb.blocking import Blocking
from isthmus_mongodb.native import Shared
from isthmus_mongodb.on_loop import OnLoop
from isthmus_mongodb.options import Options, read_options

CALLERS, WORK = 6, 0.3


class Reading:
    """A plan that takes some time unless another caller has been through it; nothing is asked of a server."""

    def __init__(self, *, held: bool = False) -> None:
        self.found: list[str] = []
        self.go_on = Event()
        if not held:
            self.go_on.set()
        self.begun = 0
        self.entered = Event()

    def plan(self) -> Generator[Any, Any, str]:
        """What was found."""
        if not self.found:
            self.begun += 1
            self.entered.set()
            time.sleep(WORK)  # a server takes its time, in which the others come
            self.go_on.wait(60)
            self.found.append("it")
        yield from ()
        return self.found[0]


class Answering(OnLoop):
    """A client whose server answers everything alike, after a while."""

    async def _carry_out(self, request: Any, session: Any, deadline: float | None = None) -> Any:
        await asyncio.sleep(WORK)
        return "it"


@pytest.fixture
def options() -> Options:
    """Of a client that never connects."""
    return read_options(urlsplit("mongodb://localhost:1/nothing"), {})


def in_threads(transport: Blocking, plan: Callable[[], Generator[Any, Any, str]]) -> list[object]:
    """What callers get that ask at the same time."""
    barrier = Barrier(CALLERS)

    def call() -> object:
        barrier.wait()
        try:
            return transport.send(Shared(plan), None)
        except TableNotFound as error:
            return type(error)

    with ThreadPoolExecutor(CALLERS) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(CALLERS)]]


def test_one_thread_reads_for_all(options: Options) -> None:
    """The others wait and take what it found."""
    reading = Reading()
    assert in_threads(Blocking(options), reading.plan) == ["it"] * CALLERS
    assert reading.begun == 1


class Counting:
    """A lock that knows when all callers but one wait for it."""

    def __init__(self) -> None:
        self._lock, self._counting = Lock(), Lock()
        self._waiting = 0
        self.all_wait = Event()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock."""
        if blocking:
            with self._counting:
                self._waiting += 1
                if self._waiting == CALLERS - 1:
                    self.all_wait.set()
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()


def test_after_a_failure_threads_read_side_by_side(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is down does not keep them waiting one after the other."""
    transport, lock, meeting = Blocking(options), Counting(), Barrier(CALLERS - 1)
    monkeypatch.setattr(transport, "_sharing", lock)

    def plan() -> Generator[Any, Any, str]:
        if not lock.all_wait.is_set():
            assert lock.all_wait.wait(60)
        else:
            meeting.wait(60)
        yield from ()
        raise TableNotFound("there is none")

    assert in_threads(transport, plan) == [TableNotFound] * CALLERS


def test_who_waits_ends_at_the_deadline(options: Options) -> None:
    """A caller that is slow does not hold up the others beyond their deadline."""
    transport, reading = Blocking(options), Reading(held=True)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(transport.send, Shared(reading.plan), None)
        assert reading.entered.wait(60)
        with pytest.raises(DeadlineExceeded):
            transport.send(Shared(reading.plan), time.monotonic() + WORK / 4)
        reading.go_on.set()
        assert first.result() == "it"


def test_one_task_reads_for_all(options: Options) -> None:
    """The same on an event loop."""
    found: list[str] = []
    begun: list[int] = []

    def plan() -> Generator[Any, Any, str]:
        if not found:
            begun.append(1)
            found.append((yield "request"))
        return found[0]

    async def call_all() -> list[str]:
        transport = Answering(options)
        answers: list[str] = await asyncio.gather(*(transport.send(Shared(plan), None) for _ in range(CALLERS)))
        return answers

    assert asyncio.run(call_all()) == ["it"] * CALLERS
    assert len(begun) == 1


def test_a_task_that_waits_ends_at_the_deadline(options: Options) -> None:
    """A caller that is slow does not hold up others of its loop beyond their deadline."""

    def plan() -> Generator[Any, Any, Any]:
        return (yield "request")

    async def call_two() -> tuple[object, object]:
        transport = Answering(options)
        first = asyncio.ensure_future(transport.send(Shared(plan), None))
        await asyncio.sleep(0)
        second = transport.send(Shared(plan), time.monotonic() + WORK / 4)
        ended = await asyncio.gather(second, return_exceptions=True)
        return type(ended[0]), await first

    assert asyncio.run(call_two()) == (DeadlineExceeded, "it")
