"""Trouble between clients and a store: conflicts, lost answers, pauses, and the death of a client in a call.

Conflicts and lost answers happen to whole operations. Pauses and deaths happen around single requests, where a backend
makes several for one operation; a dead client sends nothing more, so what it began stays as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from attrs import frozen

from isthmus import Backend
from isthmus.errors import Conflict, Unavailable
from isthmus.operations import Create, Operation
from isthmus.planned import PlannedBackend, adrive, drive
from tests.isolation.clients import CURRENT, Client, KilledError

Around = Callable[[Client, Operation], Generator[float | None, Any, Any]]
"""What happens around a request: seconds to wait, or ``None`` where the request is sent and its answer wanted."""


@frozen
class Trouble:
    """How much of it there is, in parts of 1.

    :param longest: of the pauses, seconds
    """

    conflicts: float = 0.03
    lost_answers: float = 0.02
    pauses: float = 0.2
    longest: float = 0.002

    def around_operations(self, client: Client, operation: Operation) -> Generator[float | None, Any, Any]:
        """Conflicts, and lost answers of those writes that the docs say happen once even so."""
        if client.luck.random() < self.conflicts:
            raise Conflict("of the test")
        answer = yield None
        if not operation.idempotent and type(operation) is not Create and client.luck.random() < self.lost_answers:
            raise Unavailable("of the test", maybe_applied=operation.writes)
        return answer

    def around_requests(self, client: Client, _operation: Operation) -> Generator[float | None, Any, Any]:
        """Pauses and deaths."""
        _step(client)
        yield self._pause(client)
        answer = yield None
        yield self._pause(client)
        _step(client)
        return answer

    def _pause(self, client: Client) -> float:
        return client.luck.uniform(0, self.longest) if client.luck.random() < self.pauses else 0.0


def disturb(backend: Backend, trouble: Trouble) -> Backend:
    """Let trouble befall what clients do with a backend; what nobody of them does is left alone."""
    found: Any = backend
    if isinstance(backend, PlannedBackend):
        found.send = _wrapped(backend.send, trouble.around_requests)
        found.asend = _awrapped(backend.asend, trouble.around_requests)
    else:
        found.execute = _wrapped(backend.execute, trouble.around_requests)
        found.aexecute = _awrapped(partial(_unseen, backend.aexecute), trouble.around_requests)
    found.execute = _wrapped(found.execute, trouble.around_operations)
    found.aexecute = _awrapped(found.aexecute, trouble.around_operations)
    return backend


def _wrapped(send: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        client = CURRENT.get()
        if client is None:
            return send(*arguments)
        wishes = around(client, arguments[-1])
        return drive(wishes, lambda wish: send(*arguments) if wish is None else time.sleep(wish))

    return run


def _awrapped(send: Callable[..., Any], around: Around) -> Callable[..., Any]:
    async def run(*arguments: Any) -> Any:
        client = CURRENT.get()
        if client is None:
            return await send(*arguments)
        wishes = around(client, arguments[-1])
        return await adrive(wishes, lambda wish: send(*arguments) if wish is None else asyncio.sleep(wish))

    return run


async def _unseen(send: Callable[..., Any], operation: Operation) -> Any:
    """Send an operation of which the rest of the way is nobody's: a backend may come back to its own sync side."""
    token = CURRENT.set(None)
    try:
        return await send(operation)
    finally:
        CURRENT.reset(token)


def _step(client: Client) -> None:
    """One more point where a client may die.

    :raises KilledError: it dies here, or did before
    """
    client.requests += 1
    if client.dies is not None and client.requests >= client.dies:
        raise KilledError
