"""The async database behind the names of the sync one, so that each test is written once and runs on both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Self, cast

from isthmus import (
    AsyncBoundTable,
    AsyncDatabase,
    AsyncQuery,
    AsyncRepository,
    AsyncSelection,
    AsyncTables,
    AsyncUnitOfWork,
    Database,
)

_SURFACES = (AsyncDatabase, AsyncTables, AsyncBoundTable, AsyncSelection, AsyncRepository, AsyncQuery)


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="isthmus-conformance-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a coroutine; callable from several threads at once."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._loop.is_closed()

    def stop(self) -> None:
        """End the loop and its threads."""
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncBridge:
    """Wraps one object of the async surface: its coroutines are waited for, its iterations run step by step."""

    def __init__(self, target: Any, loop: LoopThread) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute) or isinstance(attribute, _SURFACES):
            return self._answer(attribute)
        return lambda *arguments, **named: self._answer(attribute(*arguments, **named))

    def __iter__(self) -> Iterator[Any]:
        return self._steps(aiter(self._target))

    def __enter__(self) -> Self:
        if isinstance(self._target, AsyncUnitOfWork):
            self._loop.run(self._target.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        if isinstance(self._target, AsyncUnitOfWork):
            self._loop.run(self._target.__aexit__(*error))
        else:
            self.close()

    def run_transaction(self, function: Callable[[Any], Any], **options: Any) -> Any:
        """The same method of the database, with a function that is written for the sync one: it gets a thread."""

        async def body(unit: Any) -> Any:
            return await asyncio.to_thread(function, SyncBridge(unit, self._loop))

        return self._loop.run(self._target.run_transaction(body, **options))

    def __repr__(self) -> str:
        return f"<SyncBridge of {self._target!r}>"

    def on_loop(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Wait for ``work(target)`` on the event loop, where it may start tasks of its own."""
        return self._loop.run(work(self._target))

    def _answer(self, value: Any) -> Any:
        if asyncio.iscoroutine(value):
            return self._answer(self._loop.run(value))
        if isinstance(value, _SURFACES):
            return SyncBridge(value, self._loop)
        return self._steps(value) if isinstance(value, AsyncIterator) else value

    def _steps(self, stream: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while (step := self._loop.run(_next(stream))) is not _END:
                yield step
        finally:
            if not self._loop.stopped:  # a traceback may keep an unfinished iteration until the test is over
                self._loop.run(_finish(stream))


_END = object()


async def _next(stream: AsyncIterator[Any]) -> Any:
    return await anext(stream, _END)


async def _finish(stream: Any) -> None:
    await stream.aclose()


def bridged(database: AsyncDatabase, loop: LoopThread) -> Database:
    """An async database that is used like a sync one."""
    return cast("Database", SyncBridge(database, loop))
