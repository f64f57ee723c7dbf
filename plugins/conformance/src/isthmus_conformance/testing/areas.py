"""Where tests work: stores that a run opens once, and in them an area of its own for each test."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from urllib.parse import urlsplit

import isthmus
from isthmus.config import load_settings
from isthmus.plugins import PluginChoice
from isthmus_conformance.testing.faults import Faults, InjectingBackend
from isthmus_conformance.testing.leftovers import drop_quietly
from isthmus_conformance.testing.names import RunPrefix
from isthmus_conformance.testing.renaming import RenamingLayer, RenamingPlugin


class Stores:
    """The databases that a run has opened, by URL. Those in memory are new for each test."""

    def __init__(self) -> None:
        self.prefix = RunPrefix.new()
        self._opened: dict[str, isthmus.Database] = {}
        self._numbers = count(1)

    def area(self, url: str, faults: Faults) -> Area:
        """An area for one test."""
        own = urlsplit(url).scheme == "memory"
        if not own and url not in self._opened:
            self._opened[url] = isthmus.connect(url)
        store = isthmus.connect(url) if own else self._opened[url]
        return Area(url, store, self.prefix.of_test(next(self._numbers)), faults, owns_store=own)

    def close(self) -> None:
        """Remove what tests of this run have left all the same, and close everything."""
        for store in self._opened.values():
            with store:
                for name in store.tables.list():
                    if name.startswith(self.prefix.text):
                        drop_quietly(store, name)


class Area:
    """Tables of one test: both its databases see no others, and all are removed at the end.

    :param store: beneath the faults and the renaming
    :param owns_store: whether the store is this test's alone
    """

    def __init__(self, url: str, store: isthmus.Database, prefix: str, faults: Faults, *, owns_store: bool) -> None:
        self.url = url
        self.prefix = prefix
        self.faults = faults
        self._store = store
        self._owns_store = owns_store
        self._created: set[str] = set()
        self._databases: list[isthmus.Database] = []
        self._async_stores: list[isthmus.Database] = []

    def open(self) -> isthmus.Database:
        """A database for the test, which closes it or leaves that to ``clear``."""
        database = isthmus.connect(InjectingBackend(self._store.backend, self.faults), plugins=self._plugins())
        self._databases.append(database)
        return database

    def aopen(self) -> isthmus.AsyncDatabase:
        """The same for asyncio; it belongs to the loop on which it is first used."""
        backend = self._store.backend
        if not self._owns_store:
            # A store of its own, because connections belong to a loop, and each test may have another.
            self._async_stores.append(isthmus.connect(self.url))
            backend = self._async_stores[-1].backend
        wrapped = InjectingBackend(backend, self.faults, closes=not self._owns_store)
        with ThreadPoolExecutor(1) as pool:  # the caller's thread may run a loop already
            return pool.submit(asyncio.run, _opened(wrapped, self._plugins())).result()

    def _plugins(self) -> list[PluginChoice]:
        configured = load_settings(url_use="ignored").choices
        return [*configured, RenamingPlugin(RenamingLayer(self.prefix, self._created))]

    def clear(self) -> None:
        """Close the databases, and remove the tables that were created in this area."""
        for database in (*self._databases, *self._async_stores):
            database.close()
        for name in sorted(self._created):
            drop_quietly(self._store, name)
        if self._owns_store:
            self._store.close()


async def _opened(backend: InjectingBackend, plugins: list[PluginChoice]) -> isthmus.AsyncDatabase:
    return await isthmus.aconnect(backend, plugins=plugins)
