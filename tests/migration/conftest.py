"""Fixtures of the kill and fault tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import isthmus
from isthmus_migration.migration import Migration
from tests.migration.runs import Running, fill, things

Planned = Callable[..., Running]


@pytest.fixture
def mongodb_target(mongodb_url: str) -> Iterator[str]:
    """The URL of a MongoDB database of this test's own, removed after it."""
    name = f"kill_{secrets.token_hex(4)}"
    url = urlsplit(mongodb_url)._replace(path=f"/{name}").geturl()
    yield url
    with isthmus.connect(url) as database:
        for table in database.tables.list():
            database.tables.drop(table)


@pytest.fixture
def planned(tmp_path: Path, mongodb_target: str) -> Planned:
    """Plans a migration of that many items from SQLite to MongoDB, or to where else it is told."""

    def make(count: int, *, units: int = 8, target: str | None = None, **options: Any) -> Running:
        source = f"sqlite:///{tmp_path / 'source.db'}"
        fill(source, things(count))
        target = target or mongodb_target
        migration = Migration.plan(source, target, workdir=tmp_path / "work", units=units, **options)
        return Running(migration, source, target)

    return make
