"""What plans exchange with the driver: calls of PyMongo, whose sync and async clients use the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

_NOTHING: Mapping[str, Any] = {}


@frozen
class Call:
    """One call of a collection's method, answered by what it returns; a cursor is read to its end, as a list.

    :param collection: the collection's own name, in the database of the URL
    :param method: ``"find_one"``, ``"insert_one"``, ``"find_one_and_update"``, ``"find"``, … of PyMongo's collections
    """

    collection: str
    method: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default=_NOTHING)


@frozen
class Command:
    """One database command, ``{"listCollections": 1}`` say; answered by the server's document."""

    command: Mapping[str, Any]
    database: str | None = None


@frozen
class StartSession:
    """Open a session for the requests that follow; answered by nothing.

    :param snapshot: a session that reads as of one moment; otherwise one with a transaction, at once started
    """

    snapshot: bool = False


@frozen
class Commit:
    """Commit the open transaction; the session goes on and ends with the plan."""


@frozen
class Abort:
    """Abort the open transaction."""
