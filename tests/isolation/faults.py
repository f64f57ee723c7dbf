"""Trouble between clients and a store: conflicts, losses, pauses, and the death of a client in a call.

Conflicts happen to whole operations, the rest to single requests, of which a backend may make several for one
operation. A dead client sends nothing more, so what it began stays as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from attrs import frozen

from isthmus import Backend, Flow, Layer, Stage
from isthmus.errors import Conflict, Unavailable
from isthmus.fallback.store import ItemStore
from isthmus.operations import ITEM_OPERATIONS, Create, Operation, TransactGet, TransactWrite
from isthmus.planned import PlannedBackend, adrive, drive
from isthmus.results import Result
from tests.isolation.clients import CURRENT, Client, KilledError

Around = Callable[[Client, Any], Generator[float | None, Any, Any]]
"""What happens around a request: seconds to wait, or ``None`` where it is sent and its answer wanted."""


@frozen
class Trouble:
    """How much of it there is, in parts of 1.

    :param losses: of requests, and as many of answers
    :param longest: of the pauses, seconds
    :param lost: the error of a store's driver for a request that was lost, or its answer
    """

    conflicts: float = 0.03
    losses: float = 0.01
    pauses: float = 0.2
    longest: float = 0.002
    lost: Callable[[Any], Exception] = lambda _request: Unavailable("of the test", maybe_applied=True)

    def around_operations(self, client: Client, operation: Any) -> Generator[float | None, Any, Any]:
        """Conflicts."""
        if isinstance(operation, ITEM_OPERATIONS) and client.luck.random() < self.conflicts:
            raise Conflict("of the test")
        return (yield None)

    def around_requests(self, client: Client, request: Any) -> Generator[float | None, Any, Any]:
        """Pauses, deaths, lost requests and lost answers."""
        _step(client)
        yield self._pause(client)
        if self._loses(client):
            raise self.lost(request)
        answer = yield None
        yield self._pause(client)
        _step(client)
        if self._loses(client):
            raise self.lost(request)
        return answer

    def _loses(self, client: Client) -> bool:
        return client.luck.random() < self.losses and _happens_once(client.operation)

    def _pause(self, client: Client) -> float:
        return client.luck.uniform(0, self.longest) if client.luck.random() < self.pauses else 0.0


def _happens_once(operation: Operation | None) -> bool:
    """Whether the docs say that an operation happens once, whatever becomes of its answers."""
    transaction = isinstance(operation, TransactWrite | TransactGet)
    return transaction or not (operation is None or operation.idempotent or isinstance(operation, Create))


class Telling(Layer):
    """Tells each client which operation of its own is under way."""

    name = "telling"
    stage = Stage.CACHE

    def flow(self, operation: Operation) -> Flow:
        client = CURRENT.get()
        if client is not None:
            client.operation = operation
        result: Result = yield operation
        return result


def disturb(backend: Backend, trouble: Trouble) -> Backend:
    """Let trouble befall what clients do with a backend; what nobody of them does is left alone."""
    found: Any = backend
    if isinstance(backend, PlannedBackend):
        _wrap(backend, "send", "asend", trouble.around_requests)
    else:
        found.aexecute = partial(_unseen, backend.aexecute)
        _wrap(backend, "execute", "aexecute", trouble.around_requests)
    _wrap(backend, "execute", "aexecute", trouble.around_operations)
    if backend.item_store is not None:
        found.item_store = _DisturbedStore(backend.item_store, trouble.around_requests)
    return backend


class _DisturbedStore:
    """An item store whose requests meet trouble."""

    def __init__(self, store: ItemStore, around: Around) -> None:
        self._store = store
        self.send, self.asend = _wrapped(store.send, around), _awrapped(store.asend, around)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _wrap(sender: Any, sync: str, async_: str, around: Around) -> None:
    setattr(sender, sync, _wrapped(getattr(sender, sync), around))
    setattr(sender, async_, _awrapped(getattr(sender, async_), around))


def _wrapped(send: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        client = CURRENT.get()
        if client is None:
            return send(*arguments)
        wishes = around(client, arguments[0])
        return drive(wishes, lambda wish: send(*arguments) if wish is None else time.sleep(wish))

    return run


def _awrapped(send: Callable[..., Any], around: Around) -> Callable[..., Any]:
    async def run(*arguments: Any) -> Any:
        client = CURRENT.get()
        if client is None:
            return await send(*arguments)
        wishes = around(client, arguments[0])
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
