"""Running the commands of migrations: in this process, or as a process of their own that gets signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import isthmus
from isthmus.cli.app import run
from isthmus_migration.reports.status import Status

THINGS = isthmus.Table("things", "id")


@frozen
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of standard output as data."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The last line of standard output as data."""
        return self.events[-1]

    @property
    def error(self) -> dict[str, Any]:
        """The error on standard error as data."""
        error: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return error


Run = Callable[..., Ran]


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


@frozen
class Ends:
    """A source with things, a target that is not there yet, and a work directory that is not either."""

    folder: Path

    @property
    def source(self) -> str:
        """The source's URL."""
        return sqlite_url(self.folder / "source.db")

    @property
    def target(self) -> str:
        """The target's URL."""
        return sqlite_url(self.folder / "target.db")

    @property
    def workdir(self) -> str:
        """The work directory."""
        return str(self.folder / "work")

    def fill(self, count: int) -> None:
        """Put things into the source."""
        with isthmus.connect(self.source) as database:
            database.tables.ensure(THINGS).put_many({"id": f"{number:05}", "size": number} for number in range(count))

    def change(self, work: Callable[[isthmus.BoundTable], object], *, source: bool = False) -> None:
        """Do something with the things of the target, or of the source."""
        with isthmus.connect(self.source if source else self.target) as database:
            work(database.tables.open("things"))

    def things(self) -> int:
        """How many things the target has."""
        with isthmus.connect(self.target) as database:
            return database.tables.open("things").scan().count()


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run one command line here."""
    capsys.readouterr()
    code = run(list(arguments))
    captured = capsys.readouterr()
    return Ran(code, captured.out, captured.err)


# ---- processes ----

PATIENCE = 120.0
"""Seconds for which anything is waited for: far more than it takes, as a wait that is over costs nothing."""
MAIN = "import sys; from isthmus.cli.main import main; sys.exit(main())"


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, as a shell starts it."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Ran:
    """What became of a process that ends by itself."""
    out, err = process.communicate(timeout=PATIENCE)
    return Ran(process.returncode, out, err)


def until(condition: Callable[[], bool], *, what: str) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, f"waited too long until {what}"
        time.sleep(0.05)


def read_so_far(status: Status) -> int:
    """How many items the copy has read."""
    return status.tables[0].read
