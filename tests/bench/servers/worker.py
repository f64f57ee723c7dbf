"""The process of one peer: ``python -m tests.bench.servers.worker MODULE TARGET NAME``.

It opens the store, fills it, checks itself and prints a line; then it answers each command on its standard input, one
line of JSON, with one line of JSON. The end of the input ends it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections import defaultdict
from collections.abc import Coroutine
from importlib import import_module
from itertools import count
from typing import Any

from attrs import asdict

from tests.bench.servers.blocks import Block, run_tasks, run_threads
from tests.bench.servers.checking import check, settled
from tests.bench.servers.peer import Peer
from tests.bench.servers.work import Work


class Worker:
    """Serves the commands of the process that measures."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._work = Work(peer)
        # 0 and 1 were the numbers of the check.
        self._numbers: defaultdict[str, count[int]] = defaultdict(lambda: count(2))

    async def serve(self) -> None:
        """Set up, answer commands, tear down."""
        await settled(self._peer.open())
        try:
            await settled(self._peer.batch(self._work.stored_before()))
            await check(self._peer, self._work)
            gc.collect()
            gc.freeze()
            _answer(list(self._work.calls))
            while command := await self._command():
                _answer(asdict(await self._run(**json.loads(command))))
        finally:
            await settled(self._peer.close())

    async def _command(self) -> str:
        if not self._peer.asynchronous:
            return sys.stdin.readline()
        # The loop must go on while nothing is measured: clients keep watch of their connections.
        return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    async def _run(self, operation: str, callers: int, seconds: float) -> Block:
        call, numbers = self._work.calls[operation], self._numbers[operation]
        if self._peer.asynchronous:
            return await run_tasks(call, numbers, callers, seconds)
        return run_threads(call, numbers, callers, seconds)


def _answer(found: object) -> None:
    print(json.dumps(found), flush=True)


def _without_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits: a sync peer is measured without an event loop."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("a sync peer gave an awaitable")


def main(module: str, target: str, name: str) -> None:
    """Serve one peer."""
    peer: Peer = import_module(module).PeerUnderTest(target, name)
    run = asyncio.run if peer.asynchronous else _without_loop
    run(Worker(peer).serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
