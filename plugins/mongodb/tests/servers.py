"""What several tests of the MongoDB backend do with servers."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient

from isthmus_engines.locks import locked

DATABASE = "isthmus-tests"
_NUMBERS = itertools.count()


def in_database(url: str, options: str = "", database: str = DATABASE) -> str:
    """The URL of a database on a server."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, options) if part)
    return urlunsplit(parts._replace(path=f"/{database}", query=query))


def blocked(command: str, seconds: float) -> dict[str, Any]:
    """The fail point with which the server begins with a command so much later."""
    return {"failCommands": [command], "blockConnection": True, "blockTimeMS": int(1_000 * seconds)}


def fresh_name() -> str:
    """A name that no other test uses."""
    return f"mongo-{os.getpid()}-{next(_NUMBERS)}"


@contextmanager
def driver(url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of the test's own, beside the backend's."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        yield client


@contextmanager
def failing(
    client: MongoClient[dict[str, Any]], application: str, data: Mapping[str, Any], mode: Any = "alwaysOn"
) -> Iterator[None]:
    """Let the server fail commands of one application, by its fail point ``failCommand``.

    :param application: the ``appName`` of the clients that are to be hit
    """
    point = {"configureFailPoint": "failCommand"}
    # A server has only one of it, which tests in several processes would take from each other.
    with locked(Path(gettempdir()) / f"isthmus-fail-point-{(client.address or ('', 0))[1]}.lock"):
        client.admin.command({**point, "mode": mode, "data": {"appName": application, **data}})
        try:
            yield
        finally:
            client.admin.command({**point, "mode": "off"})
