"""Migrations whose coordinator is a process of its own, so that it and its workers can be killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil
from attrs import field, frozen

import isthmus
from isthmus.copying import pages
from isthmus.schema import Key, Table
from isthmus_migration.digests import BucketDigest
from isthmus_migration.migration import Migration

THINGS: Final = Table("things", Key("id", "number"))
MARKER: Final = "MARK_OF_A_KILL_TEST"
ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 30.0
Coordinator = subprocess.Popen[bytes]


def things(count: int) -> Iterator[dict[str, Any]]:
    """Items of a few attributes."""
    return ({"id": number, "name": f"thing {number}", "tags": ["a", str(number % 7)]} for number in range(count))


def fill(url: str, items: Iterable[dict[str, Any]], table: Table = THINGS) -> None:
    """Create the table and put items into it."""
    with isthmus.connect(url) as database:
        database.table(table).ensure().put_many(list(items)).raise_for_failures()


def digest_of(url: str, table: Table = THINGS) -> BucketDigest:
    """The digest of a table as it is now."""
    digest = BucketDigest()
    with isthmus.connect(url) as database:
        for page in pages(database.table(table), 2_000):
            digest.add(page.items, table.key_names)
    return digest


def until(met: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"it never came to this: {what}"
        time.sleep(0.02)


@frozen
class Running:
    """A migration in its work directory, worked on by processes that carry a mark.

    :param mark: found in the environment of the coordinator and of all its workers
    """

    migration: Migration
    source: str
    target: str
    environment: dict[str, str] = field(factory=dict)
    mark: str = field(factory=lambda: secrets.token_hex(8))

    @property
    def workdir(self) -> Path:
        """The work directory."""
        return self.migration.work.path

    def start(self, action: str, **options: Any) -> Coordinator:
        """Start a coordinator."""
        command = [sys.executable, "-m", "tests.migration.coordinate", str(self.workdir), action, json.dumps(options)]
        environment = {**os.environ, **self.environment, MARKER: self.mark}
        with self.log.open("a", encoding="utf-8") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    @property
    def log(self) -> Path:
        """What coordinators and workers wrote."""
        return self.workdir.parent / "coordinator.log"

    def finish(self, action: str, **options: Any) -> None:
        """Let a coordinator work until all is done, as fast as it can: rates of former runs would hold."""
        with killed_at_end(self.start(action, **{"items_per_second": 1_000_000, **options})) as coordinator:
            self.ended(coordinator)

    def ended(self, coordinator: Coordinator) -> None:
        """Wait until a coordinator has finished."""
        assert coordinator.wait(PATIENCE * 2) == 0, self.log.read_text()

    def processes(self) -> list[psutil.Process]:
        """All living processes with the mark."""
        return [process for process in psutil.process_iter() if _carries(process, self.mark)]

    def no_orphans(self) -> None:
        """Wait until none is left, as they have to end by themselves."""
        until(lambda: not self.processes(), "all workers end by themselves", 10.0)

    # ---- what the journal says ----

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query; none while the journal is being made."""
        connection = sqlite3.connect(f"file:{self.workdir / 'journal.db'}?mode=ro", uri=True)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def settled(self, phase: str = "%") -> int:
        """How many slices of a phase were journaled, or of all."""
        return int(self.ask(f"SELECT coalesce(sum(sequence), 0) FROM unit WHERE phase LIKE '{phase}'")[0][0])

    def handed_out(self) -> int:
        """How many slices were handed out, of all phases."""
        return int(self.ask("SELECT value FROM meta WHERE name = 'number'")[0][0])

    def state(self) -> str:
        """The state of the migration."""
        return str(self.ask("SELECT value FROM meta WHERE name = 'state'")[0][0])

    # ---- what has to hold at the end ----

    def equal(self) -> None:
        """The target holds what the source holds, and the journal knows it."""
        there = digest_of(self.target)
        assert there.items
        assert there == digest_of(self.source)
        with self.migration.work.journal(writable=False) as journal:
            assert journal.digest("copy", THINGS.name, "expected") == there
            assert journal.digest("copy", THINGS.name, "source") == there
            assert journal.counts("copy").read == there.items
        ((sound,),) = self.ask("PRAGMA integrity_check")
        assert sound == "ok"


@contextmanager
def killed_at_end(coordinator: Coordinator) -> Iterator[Coordinator]:
    """End a coordinator whatever happens."""
    try:
        yield coordinator
    finally:
        coordinator.kill()
        coordinator.wait()


def kill_one(processes: list[psutil.Process]) -> bool:
    """Kill the first of these processes; whether there was one."""
    for process in processes[:1]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
            return True
    return False


def workers_of(run: Running, coordinator: int) -> list[psutil.Process]:
    """The worker processes, without the one that multiprocessing adds for itself."""
    return [
        process for process in run.processes()
        if process.pid != coordinator and "resource_tracker" not in " ".join(process.cmdline())
    ]  # fmt: skip


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == mark)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
