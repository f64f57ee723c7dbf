"""Running what blocks beside an event loop, and ending it gently when whoever awaits it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar, cast

from isthmus_migration.coordination.control import ControlFile
from isthmus_migration.errors import WorkDirectoryDamaged

T = TypeVar("T")
_AT_ONCE: Final = 500
_AGAIN: Final = 0.3


async def in_thread(function: Callable[[], T], workdir: Path | None = None) -> T:
    """What the function returns, which runs in a thread of its own.

    Cancelled, it ends after the slices at work, and only then raises ``CancelledError``: nothing goes on unseen.

    :param workdir: of the coordinator that the function runs; one that can't be told to stop is waited for
    """
    # The loop's own pool is small, and what the function does may need threads of it.
    pool = ThreadPoolExecutor(1, "isthmus-migration")
    running = asyncio.get_running_loop().run_in_executor(pool, function)
    pool.shutdown(wait=False)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await _ended(running, workdir)
        raise


async def _ended(running: asyncio.Future[T], workdir: Path | None) -> None:
    while not running.done():
        if workdir is not None:
            # Said again, because a coordinator that only begins takes what was said before for something old.
            with suppress(OSError, WorkDirectoryDamaged):
                _tell_to_stop(workdir)
        await asyncio.wait([running], timeout=_AGAIN)
    running.exception()  # whoever cancelled does not wait for it


def _tell_to_stop(workdir: Path) -> None:
    """Say it where there is a migration already: a file of ours in an empty folder would keep one from being made."""
    if (workdir / "plan.json").exists():
        ControlFile(workdir).say("stop")


async def iterated(items: Iterator[T]) -> AsyncIterator[T]:
    """The items of a generator that blocks; it is closed where nobody takes the rest of them."""
    try:
        while taken := await in_thread(lambda: list(islice(items, _AT_ONCE))):
            for item in taken:
                yield item
    finally:
        with suppress(ValueError):  # cancelled for the second time, and the thread is at it still
            cast("Generator[T]", items).close()
