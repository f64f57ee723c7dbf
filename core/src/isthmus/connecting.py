"""``connect`` and ``aconnect``: from a URL and the rest of the configuration to an opened database."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from isthmus.backends import Backend
from isthmus.config import Settings, load_settings
from isthmus.database import Database
from isthmus.pipeline import Pipeline, open_pipeline
from isthmus.plugins import PluginChoice
from isthmus.retries import RetryPolicy

if TYPE_CHECKING:
    from isthmus.async_database import AsyncDatabase


def connect(
    source: str | Backend | None = None,
    *,
    plugins: Iterable[PluginChoice] | None = None,
    blocked: Iterable[str] | None = None,
    timeout: float | None = None,
    retry_policy: RetryPolicy | None = None,
    config_file: str | os.PathLike[str] | None = None,
    clock: Callable[[], float] = time.time,
    **sections: Mapping[str, Any],
) -> Database:
    """Open a database. What is not given here comes from the environment and ``isthmus.toml``; see ``isthmus.config``.

    :param source: a URL, or a backend that is open already; ``close`` closes it in either case
    :param plugins: the plugins to activate: names, classes or objects. An object has its settings and needs no section
    :param blocked: names of plugins that must not be loaded
    :param timeout: default deadline of each call, seconds
    :param retry_policy: replaces the section ``retry``
    :param config_file: a TOML file in place of ``isthmus.toml``
    :param clock: seconds since the epoch, by which items expire; a backend that is open already keeps its own
    :param sections: options of plugins and backends by name, ``sqlite={"synchronous": "off"}``, and of ``retry``
    :raises ConfigurationError: ``problems`` names everything that is wrong, each with its place
    :raises PluginError: a plugin or backend is missing, blocked, broken or incompatible
    """
    read = partial(
        load_settings, plugins=plugins, blocked=blocked, timeout=timeout, retry_policy=retry_policy,
        config_file=config_file, sections=sections,
    )  # fmt: skip
    return Database(_open(source, read, clock))


class Opening:
    """A database about to open: ``await`` it, or use it in ``async with``."""

    def __init__(self, opened: Callable[[], Pipeline]) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self._abandoned = False
        self._database: AsyncDatabase | None = None

    def __await__(self) -> Generator[Any, None, AsyncDatabase]:
        return self._open().__await__()

    async def _open(self) -> AsyncDatabase:
        from isthmus.async_database import AsyncDatabase  # only programs that await need it

        try:
            self._database = AsyncDatabase(await asyncio.to_thread(self._in_thread))
        except asyncio.CancelledError:
            # The thread can't be stopped: whoever comes last closes what nobody waits for.
            self._close_unused(abandoned=True)
            raise
        return self._database

    def _in_thread(self) -> Pipeline:
        self._pipeline = pipeline = self._opened()
        self._close_unused(abandoned=False)
        return pipeline

    def _close_unused(self, *, abandoned: bool) -> None:
        with self._lock:
            self._abandoned = self._abandoned or abandoned
            if self._abandoned and self._pipeline is not None and self._pipeline.shut():
                self._pipeline.backend.close()

    async def __aenter__(self) -> AsyncDatabase:
        return await self._open()

    async def __aexit__(self, *_error: object) -> None:
        if self._database is not None:
            await self._database.close()


def aconnect(
    source: str | Backend | None = None,
    *,
    plugins: Iterable[PluginChoice] | None = None,
    blocked: Iterable[str] | None = None,
    timeout: float | None = None,
    retry_policy: RetryPolicy | None = None,
    config_file: str | os.PathLike[str] | None = None,
    clock: Callable[[], float] = time.time,
    **sections: Mapping[str, Any],
) -> Opening:
    """The async twin of ``connect``.

    It is used as ``async with aconnect(url) as database`` or ``database = await aconnect(url)``.
    """
    read = partial(
        load_settings, plugins=plugins, blocked=blocked, timeout=timeout, retry_policy=retry_policy,
        config_file=config_file, sections=sections,
    )  # fmt: skip
    return Opening(lambda: _open(source, read, clock))


def _open(source: str | Backend | None, read: Callable[..., Settings], clock: Callable[[], float]) -> Pipeline:
    if not isinstance(source, Backend):
        return open_pipeline(read(source), clock)
    settings = evolve(read(url_use="ignored"), url=f"{source.name}://")
    return open_pipeline(settings, clock, source)
