"""Small migrations between SQLite files, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import Table
from isthmus_migration.errors import PlanRefused
from isthmus_migration.migration import Migration
from isthmus_migration.plans.findings import Finding

THINGS = Table("things", "id")


def numbered(count: int) -> list[dict[str, Any]]:
    """Items that differ in their keys."""
    return [{"id": f"k{number:05d}", "n": number, "text": "x" * (number % 50)} for number in range(count)]


def filled(url: str, items: Iterable[Mapping[str, Any]], table: Table = THINGS) -> str:
    """A database with a table of items; its URL."""
    with isthmus.connect(url) as database:
        database.tables.ensure(table).put_many(list(items)).raise_for_failures()
    return url


def contents(url: str, table: str = "things") -> list[dict[str, Any]]:
    """All items of a table, in the order of a scan."""
    with isthmus.connect(url) as database:
        return list(database.tables.open(table).scan())


def sqlite(folder: Path, name: str) -> str:
    """The URL of a SQLite file, which need not exist."""
    return f"sqlite:///{folder}/{name}.db"


def planned(folder: Path, source: str | None = None, target: str | None = None, **options: Any) -> Migration:
    """A migration with its work directory in a folder."""
    return Migration.plan(
        source or sqlite(folder, "source"), target or sqlite(folder, "target"), workdir=folder / "work", **options
    )


def refused(folder: Path, source: str | None = None, target: str | None = None, **options: Any) -> PlanRefused:
    """Why a plan is refused; nothing may be left of it."""
    with pytest.raises(PlanRefused) as caught:
        planned(folder, source, target, **options)
    assert not (folder / "work").exists()
    return caught.value


def found(migration: Migration) -> list[Finding]:
    """What the preflight of a migration found."""
    preflight = migration.preflight
    assert preflight is not None
    return list(preflight.findings)


def points(migration: Migration) -> list[tuple[str, str, Any, str | None]]:
    """Level, code, key and path of each finding."""
    return [(one.level, one.code, one.key and one.key.get("id"), one.path) for one in found(migration)]
