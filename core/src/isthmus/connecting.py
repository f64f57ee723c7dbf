"""``connect`` and ``aconnect``: from a URL to an opened database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

from isthmus.async_database import AsyncDatabase
from isthmus.backends import Backend
from isthmus.config import Settings
from isthmus.database import Database
from isthmus.pipeline import Pipeline, open_pipeline
from isthmus.plugins import Plugin


def connect(
    source: str | Backend | None = None,
    *,
    plugins: Iterable[str | Plugin] = (),
    clock: Callable[[], float] = time.time,
    **options: Any,
) -> Database:
    """Open a database.

    :param source: a URL, or a backend that is open already
    """
    return Database(_open(source, plugins, clock, options))


class Opening:
    """A database about to open: ``await`` it, or use it in ``async with``."""

    def __init__(self, opened: Callable[[], Pipeline]) -> None:
        self._opened = opened
        self._database: AsyncDatabase | None = None

    def __await__(self) -> Generator[Any, None, AsyncDatabase]:
        return self._open().__await__()

    async def _open(self) -> AsyncDatabase:
        self._database = AsyncDatabase(await asyncio.to_thread(self._opened))
        return self._database

    async def __aenter__(self) -> AsyncDatabase:
        return await self._open()

    async def __aexit__(self, *_error: object) -> None:
        if self._database is not None:
            await self._database.close()


def aconnect(
    source: str | Backend | None = None,
    *,
    plugins: Iterable[str | Plugin] = (),
    clock: Callable[[], float] = time.time,
    **options: Any,
) -> Opening:
    """The async twin of ``connect``: ``async with aconnect(url) as database`` or ``database = await aconnect(url)``."""
    return Opening(lambda: _open(source, plugins, clock, options))


def _open(
    source: str | Backend | None, plugins: Iterable[str | Plugin], clock: Callable[[], float], options: dict[str, Any]
) -> Pipeline:
    chosen = tuple(plugins)
    names = tuple(plugin for plugin in chosen if isinstance(plugin, str))
    extra = tuple(plugin for plugin in chosen if isinstance(plugin, Plugin))
    given = source if isinstance(source, Backend) else None
    url = f"{given.name}://" if given is not None else str(source or "memory://")
    return open_pipeline(Settings(url, plugins=names, **options), extra, clock, given)
