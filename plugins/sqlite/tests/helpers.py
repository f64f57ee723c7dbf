"""What several tests of the SQLite backend use."""

from __future__ import annotations

from pathlib import Path

import isthmus


def url(path: Path, query: str = "") -> str:
    """The URL of a file."""
    return f"sqlite:///{path}{query}"


def open_counters(path: Path, query: str = "") -> tuple[isthmus.Database, isthmus.BoundTable]:
    """A database with a table of one key."""
    database = isthmus.connect(url(path, query))
    return database, database.table("counters", partition_key="id").ensure()
