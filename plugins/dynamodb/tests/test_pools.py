"""Connections that threads, tasks and processes share: bounds, queues, cancellation and forking."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from isthmus.errors import DeadlineExceeded, Unavailable
from isthmus_dynamodb.native import Json, Transport
from plugins.dynamodb.tests.servers import (
    Holding,
    Together,
    answer,
    by_tasks,
    by_threads,
    echo,
    echoing,
    open_fast,
    read_request,
    serving,
)

ECHO_CALLS = 64


@pytest.fixture(params=[by_threads, by_tasks])
def together(request: pytest.FixtureRequest) -> Together:
    """Threads, and tasks of one loop."""
    found: Together = request.param
    return found


def test_the_bound_holds_and_every_caller_gets_its_own_answer(together: Together) -> None:
    """64 callers on 4 connections: none more is open, and no answer goes to somebody else."""
    all_open = threading.Barrier(4)
    answered = echoing(0.005)

    def handle(sock: socket.socket) -> None:
        all_open.wait(60)
        answered(sock)

    with serving(handle) as server:
        transport = open_fast(server.url, max_connections=4, pool_timeout=60)
        assert together(transport, ECHO_CALLS) == [{"n": number} for number in range(ECHO_CALLS)]
        assert server.most_at_once == 4
        transport.close()


def test_as_many_connections_as_callers_are_opened(together: Together) -> None:
    """Where the bound allows it nobody waits."""
    arrived = threading.Barrier(ECHO_CALLS)

    def handle(sock: socket.socket) -> None:
        request = read_request(sock)
        arrived.wait(60)
        sock.sendall(answer(request.partition(b"\r\n\r\n")[2]))

    with serving(handle) as server:
        transport = open_fast(server.url, max_connections=ECHO_CALLS)
        assert len(together(transport, ECHO_CALLS)) == ECHO_CALLS
        transport.close()


async def first_failure(*calls: Coroutine[Any, Any, Json]) -> BaseException:
    """The first of several calls to fail; the others are cancelled."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    error = done.pop().exception()
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("pool_timeout", "timeout", "kind", "reason"),
    [
        (0.1, None, Unavailable, "all 1 connections to .* are in use: raise max_connections"),
        (60.0, 0.1, DeadlineExceeded, "the deadline passed before one of 1 connections to .* was free"),
    ],
)
def test_waiting_for_a_connection_ends(
    pool_timeout: float, timeout: float | None, kind: type[Exception], reason: str
) -> None:
    """The queue of an async pool has the limit of the option and the deadline."""
    held = Holding()

    async def run(transport: Transport) -> BaseException:
        slow = asyncio.ensure_future(transport.asend(echo(1), None))
        await held.until_begun_there()
        deadline = None if timeout is None else time.monotonic() + timeout
        error = await first_failure(transport.asend(echo(2), deadline))
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        await transport.aclose()
        held.let_go()
        return error

    with serving(held) as server:
        error = asyncio.run(run(open_fast(server.url, max_connections=1, pool_timeout=pool_timeout)))
    with pytest.raises(kind, match=reason):
        raise error


@pytest.mark.parametrize(
    ("pool_timeout", "timeout", "kind", "reason"),
    [
        (0.1, None, Unavailable, "all 1 connections to .* are in use: raise max_connections"),
        (60.0, 0.1, DeadlineExceeded, "the deadline passed before one of 1 connections to .* was free"),
    ],
)
def test_a_threads_waiting_for_a_connection_ends(
    pool_timeout: float, timeout: float | None, kind: type[Exception], reason: str
) -> None:
    """The queue of threads has the same limits, and whoever held the connection is not disturbed."""
    held = Holding()
    with serving(held) as server, ThreadPoolExecutor(1) as threads:
        transport = open_fast(server.url, max_connections=1, pool_timeout=pool_timeout)
        slow = threads.submit(transport.send, echo(1), None)
        held.until_begun()
        with pytest.raises(kind, match=reason):
            transport.send(echo(2), None if timeout is None else time.monotonic() + timeout)
        held.let_go()
        assert slow.result() == {"n": 1}
        assert transport.send(echo(3), None) == {"n": 3}
        transport.close()


def test_cancellation_closes_the_connection_and_the_next_call_gets_its_own_answer() -> None:
    """The late answer of a cancelled call reaches nobody."""
    begun, ended = threading.Event(), threading.Event()

    def handle(sock: socket.socket) -> None:
        request = read_request(sock)
        if b'{"n":1}' in request:
            begun.set()
            ended.set() if not read_request(sock) else None
            return
        sock.sendall(answer(request.partition(b"\r\n\r\n")[2]))

    async def run(transport: Transport) -> Json:
        task = asyncio.ensure_future(transport.asend(echo(1), None))
        assert await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await transport.asend(echo(2), None)
        await transport.aclose()
        return found

    with serving(handle) as server:
        assert asyncio.run(run(open_fast(server.url, max_connections=1))) == {"n": 2}
        assert ended.wait(60)


def test_cancelled_waiters_take_no_place() -> None:
    """Tasks cancelled in the queue, at any moment, leave the pool as it was."""

    async def run(transport: Transport) -> list[Json]:
        for round_ in range(20):
            tasks = [asyncio.ensure_future(transport.asend(echo(number), None)) for number in range(8)]
            await asyncio.sleep(0.001 * (round_ % 7))
            for task in tasks[1::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        found = await asyncio.gather(*(transport.asend(echo(number), None) for number in range(4)))
        await transport.aclose()
        return found

    with serving(echoing(0.002)) as server:
        transport = open_fast(server.url, max_connections=2, pool_timeout=60)
        assert asyncio.run(run(transport)) == [{"n": number} for number in range(4)]


def test_loops_in_several_threads_have_connections_of_their_own() -> None:
    """One transport serves several event loops at the same time."""

    async def run(number: int) -> list[Json]:
        return [await transport.asend(echo(number), None) for _ in range(20)]

    def in_a_loop(number: int) -> list[Json]:
        with asyncio.Runner() as runner:
            found = runner.run(run(number))
            arrived.wait(60)
            transport.close()
            runner.run(asyncio.sleep(0.05))
            return found

    arrived = threading.Barrier(4)
    with serving(echoing()) as server, ThreadPoolExecutor(4) as threads:
        transport = open_fast(server.url)
        assert list(threads.map(in_a_loop, range(4))) == [[{"n": number}] * 20 for number in range(4)]
        assert server.connections == 4


FORK = """
import asyncio, os, sys, time
from isthmus_dynamodb.native import Request
from isthmus_dynamodb.options import Options
from isthmus_dynamodb.transports import open_transport

endpoint, kind = sys.argv[1:]
transport = open_transport(
    Options(endpoint=endpoint, transport=kind, region="x", access_key_id="x", secret_access_key="y")
)

def batch(who, n):
    return Request("BatchGetItem", {"RequestItems": {f"{who}-{n}": {"Keys": [{"k": {"S": "v"}}]}}})

def is_for(who, n, answer):
    return f"{who}-{n}" in answer["UnprocessedKeys"]

def call(who):
    return all(is_for(who, n, transport.send(batch(who, n), time.monotonic() + 20)) for n in range(100))

async def acall(who):
    return all([is_for(who, n, await transport.asend(batch(who, n), None)) for n in range(100)])

async def whole_loop(who):
    found = await acall(who)
    await transport.aclose()
    return found

def child_ended_well(child):
    return os.waitpid(child, 0)[1] == 0

async def parent_with_loop():
    found = [await acall("before")]
    child = os.fork()
    if child == 0:
        os._exit(0 if call("child") else 1)
    found += [await acall("parent"), call("parent"), await asyncio.to_thread(child_ended_well, child)]
    await transport.aclose()
    return found

assert call("before")
child = os.fork()
if child == 0:
    os._exit(0 if call("child") and asyncio.run(whole_loop("child")) else 1)
assert call("parent") and child_ended_well(child)
# Here the child is born while a loop of the parent has an open connection.
assert all(asyncio.run(parent_with_loop()))
print("ok")
"""


def unprocessed(sock: socket.socket) -> None:
    """Hands the keys of a batch back, in the form that boto3 wants."""
    while request := read_request(sock):
        body = request.partition(b"\r\n\r\n")[2]
        sock.sendall(answer(body.replace(b"RequestItems", b"UnprocessedKeys")))


@pytest.mark.parametrize("transport", ["fast", "boto3"])
def test_a_forked_child_uses_connections_of_its_own(transport: str) -> None:
    """Parent and child call at the same time, in threads and on loops, and nobody gets the other's answer."""
    with serving(unprocessed) as server:
        command = [sys.executable, "-W", "error::ResourceWarning", "-c", FORK, server.url, transport]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("ok\n", "", 0)
