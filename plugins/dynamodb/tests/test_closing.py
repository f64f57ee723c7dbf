"""Closing: what waits is refused, what is at work ends well, and no socket is left open."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from isthmus.errors import Closed
from isthmus_dynamodb.native import Transport
from isthmus_dynamodb.transports.fast import FastTransport
from plugins.dynamodb.tests.servers import (
    Holding,
    answer,
    answering,
    calling,
    echo,
    echoing,
    open_fast,
    serving,
    until_queued,
    until_queued_here,
)


def test_calls_after_closing_are_refused() -> None:
    """A closed transport opens no connection, blocking or on a loop."""
    with serving(answering(answer())) as server:
        transport = open_fast(server.url)
        transport.close()
        with pytest.raises(Closed):
            transport.send(echo(1), None)
        with pytest.raises(Closed):
            asyncio.run(transport.asend(echo(1), None))
        assert server.connections == 0


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_closing_closes_the_sockets(mode: str) -> None:
    """The server sees its connection end."""
    with serving(echoing()) as server:
        with calling(mode, server.url) as call:
            call(echo(1))
            assert server.at_once == 1
        until = time.monotonic() + 60
        while server.at_once and time.monotonic() < until:
            time.sleep(0.01)
        assert server.at_once == 0


def test_a_call_at_work_while_another_thread_closes_ends_well() -> None:
    """Closing waits for nobody and breaks nobody's answer."""
    held = Holding()
    with serving(held) as server, ThreadPoolExecutor(1) as threads:
        transport = open_fast(server.url)
        call = threads.submit(transport.send, echo(1), None)
        held.until_begun()
        transport.close()
        held.let_go()
        assert call.result() == {"n": 1}


def test_closing_refuses_the_threads_that_wait() -> None:
    """Who waits for a connection is told at once, and opens none."""
    held = Holding()
    with serving(held) as server, ThreadPoolExecutor(3) as threads:
        transport = open_fast(server.url, max_connections=1, pool_timeout=120)
        first = threads.submit(transport.send, echo(1), None)
        held.until_begun()
        others = [threads.submit(transport.send, echo(number), None) for number in (2, 3)]
        until_queued(transport, 2)
        transport.close()
        assert [type(one.exception(60)) for one in others] == [Closed, Closed]
        held.let_go()
        assert (first.result(), server.connections) == ({"n": 1}, 1)


def test_closing_refuses_the_tasks_that_wait() -> None:
    """Likewise on an event loop; a call at work gets its answer."""
    held = Holding()

    async def run(transport: Transport) -> list[object]:
        first = asyncio.ensure_future(transport.asend(echo(1), None))
        await held.until_begun_there()
        others = [asyncio.ensure_future(transport.asend(echo(number), None)) for number in (2, 3)]
        await until_queued_here(transport, 2)
        others[1].cancel()
        await transport.aclose()
        done, _ = await asyncio.wait(others, timeout=60)
        held.let_go()
        return [len(done), type(others[0].exception()), others[1].cancelled(), await first]

    with serving(held) as server:
        transport = open_fast(server.url, max_connections=1, pool_timeout=120)
        assert asyncio.run(run(transport)) == [2, Closed, True, {"n": 1}]
        assert server.connections == 1


def test_a_loop_that_ends_closes_its_connections() -> None:
    """Nothing is left for the garbage collector where nobody closed the transport on the loop."""
    with serving(echoing()) as server, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        transport = open_fast(server.url)
        assert [asyncio.run(transport.asend(echo(number), None)) for number in (1, 2)] == [{"n": 1}, {"n": 2}]
        until = time.monotonic() + 60
        while server.at_once and time.monotonic() < until:
            time.sleep(0.01)
        assert (server.connections, server.at_once) == (2, 0)
        transport.close()
        gc.collect()
    assert [str(one.message) for one in caught] == []


def test_a_connection_that_was_handed_to_a_cancelled_task_is_closed() -> None:
    """Where the transport is closed in the same moment, nobody else would close it before the loop ends."""
    held = Holding()

    async def run(transport: FastTransport) -> list[object]:
        async def first() -> None:
            await transport.asend(echo(1), None)
            # The connection is on its way to the task that waits.
            transport._loops[asyncio.get_running_loop()].close()
            waiting.cancel()

        working = asyncio.ensure_future(first())
        await held.until_begun_there()
        waiting = asyncio.ensure_future(transport.asend(echo(2), None))
        await until_queued_here(transport, 1)
        held.let_go()
        await working
        await asyncio.wait([waiting])
        return [waiting.cancelled(), transport._loops[asyncio.get_running_loop()]._slots]

    with serving(held) as server:
        transport = open_fast(server.url, max_connections=1, pool_timeout=120)
        assert isinstance(transport, FastTransport)
        assert asyncio.run(run(transport)) == [True, [None]]
        transport.close()
