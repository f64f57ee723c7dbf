"""What several tests of the SQLite backend use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import isthmus


def url(path: Path, query: str = "") -> str:
    """The URL of a file."""
    return f"sqlite:///{path}{query}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def open_counters(path: Path, query: str = "") -> tuple[isthmus.Database, isthmus.BoundTable]:
    """A database with a table of one key."""
    database = isthmus.connect(url(path, query))
    return database, database.table("counters", partition_key="id").ensure()
