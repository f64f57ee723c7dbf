"""Two databases in memory, and a module with a transform."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import isthmus
from isthmus import Database
from plugins.migration.tests.accepting.helpers import ITEMS, write_code
from plugins.migration.tests.plans.helpers import THINGS, numbered


@pytest.fixture
def source() -> Iterator[Database]:
    """A database in memory with 24 things."""
    with isthmus.connect("memory://") as database:
        database.tables.create(THINGS).put_many(numbered(ITEMS)).raise_for_failures()
        yield database


@pytest.fixture
def target() -> Iterator[Database]:
    """An empty database in memory."""
    with isthmus.connect("memory://") as database:
        yield database


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a module with a transform."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    path = folder / "isthmus_accepted_code.py"
    write_code(path, "return item | {'kind': 'old'}")
    yield path
    sys.modules.pop(path.stem, None)
