"""A collection of the server for each test file, databases, and an event loop that holds connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.collection import Collection

import isthmus
from isthmus import BoundTable, Database, Index
from isthmus_mongodb.values import CODEC_OPTIONS
from plugins.mongodb.tests.holding import HoldingLoop
from plugins.mongodb.tests.locking import LATER
from plugins.mongodb.tests.servers import DATABASE, driver, fresh_name, in_database


@pytest.fixture(scope="module")
def collection(mongodb_url: str) -> Iterator[Collection[dict[str, Any]]]:
    """An empty collection, read and written as the backend does it."""
    with driver(mongodb_url) as client:
        found = client[DATABASE].get_collection(fresh_name(), CODEC_OPTIONS)
        yield found
        found.drop()


@pytest.fixture
def alone(mongodb_standalone_url: str) -> Iterator[Database]:
    """A database whose transactions the core runs. It is gone afterwards, with what dead clients left in it."""
    name = f"{DATABASE}-{fresh_name()}"
    with isthmus.connect(in_database(mongodb_standalone_url, database=name)) as opened:
        yield opened
        opened.native().drop_database(name)


@pytest.fixture
def table_alone(alone: Database) -> BoundTable:
    """Three items on a server that runs alone."""
    made = alone.table(
        fresh_name(), partition_key="id", ttl="gone", indexes=[Index("by_group", "group", ("n", int))]
    ).ensure()
    for name in ("held", "going", "free"):
        made.put({"id": name, "n": 10, "group": "g", "gone": LATER})
    return made


@pytest.fixture
def loop() -> Iterator[HoldingLoop]:
    """A loop, with the sockets that it holds."""
    loop = HoldingLoop()
    yield loop
    for sock in loop.sockets:
        sock.close()
