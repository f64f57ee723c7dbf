"""The command line on memory databases: each URL ``memory://name`` is one database for the length of a test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import frozen

import isthmus
from isthmus.cli.app import run
from isthmus.cli.extending import plugin_commands
from isthmus.memory import MemoryBackend

URL = "memory://shop"


@frozen
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]
Databases = dict[str, MemoryBackend]


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> Databases:
    """The backends by URL; a URL that is not there yet gets one."""
    known: Databases = {}
    connect = isthmus.connect

    def connect_to_known(url: str | None = None, **options: Any) -> isthmus.Database:
        if url is None or not url.startswith("memory://"):
            return connect(url, **options)
        return connect(known.setdefault(url, MemoryBackend()), **options)

    monkeypatch.setattr(isthmus, "connect", connect_to_known)
    return known


@pytest.fixture
def command(databases: Databases, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run one command line; a text for ``stdin`` may be given."""
    assert databases == {}
    plugin_commands.cache_clear()

    def run_command(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = run(list(arguments))
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    yield run_command
    plugin_commands.cache_clear()


@pytest.fixture
def cities(databases: Databases, command: Run) -> isthmus.BoundTable:  # noqa: ARG001  # the command sees the table
    """A table with three cities, seen by the command line at ``URL``."""
    table = isthmus.connect(URL).table(
        "cities",
        partition_key="country",
        sort_key=("id", int),
        indexes=[isthmus.Index("by_population", "country", ("population", int))],
    )
    table.ensure()
    table.put_many(
        [
            {"country": "FR", "id": 1, "name": "Paris", "population": 2_100_000, "names": {"Lutetia", "Paname"}},
            {"country": "FR", "id": 2, "name": "Lyon", "population": 520_000, "raw": b"\x00\xff"},
            {"country": "DE", "id": 3, "name": "Köln", "population": 1_080_000},
        ]
    ).raise_for_failures()
    return table
