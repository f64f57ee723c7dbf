"""Migrations whose coordinator is a process of its own, so that it and its workers can be killed."""

from __future__ import annotations

import json
import os
import random
import secrets
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
from isthmus_migration.coordination.control import ControlFile, Rates
from isthmus_migration.digests import BucketDigest
from isthmus_migration.migration import Migration

THINGS: Final = Table("things", Key("id", "number"))
MARKER: Final = "MARK_OF_A_KILL_TEST"
ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 300.0
"""Seconds for which anything is waited for: far more than it takes, as a wait that is over costs nothing."""
HELD: Final = {"workers": 2, "slice_items": 5, "items_per_second": 100}
"""A run that can't come to its end before it is disturbed, however slow the machine is: 4,000 items take 40 s."""
UNHELD: Final = 1_000_000
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


def until(met: Callable[[], Any], what: str) -> None:
    """Wait for something."""
    end = time.monotonic() + PATIENCE
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
        with killed_at_end(self.start(action, **{"items_per_second": UNHELD, **options})) as coordinator:
            self.ended(coordinator)

    def ended(self, coordinator: Coordinator, *, code: int = 0) -> None:
        """Wait until a coordinator has ended with this code; 0 where it has finished."""
        assert coordinator.wait(PATIENCE) == code, self.log.read_text()

    def at_work(self, coordinator: Coordinator, action: str = "copy", slices: int = 4) -> None:
        """Wait until so many more slices are journaled by a coordinator that is held."""
        wanted = self.settled(action) + slices
        until(lambda: self.settled(action) >= wanted or coordinator.poll() is not None, f"slices of {action}")
        assert coordinator.poll() is None, f"it ended: {self.log.read_text()}"

    def released(self) -> None:
        """Let a coordinator that is held go on as fast as it can."""
        ControlFile(self.workdir).say(rates=Rates(items=UNHELD))

    def processes(self) -> list[psutil.Process]:
        """All living processes with the mark."""
        return [process for process in psutil.process_iter() if _carries(process, self.mark)]

    def workers(self) -> list[psutil.Process]:
        """The worker processes among them, without those that multiprocessing and Dask add for themselves."""
        return [process for process in self.processes() if _is_worker(process)]

    def kill_a_worker(self) -> None:
        """Kill one of the workers, whichever it is, as soon as there is one."""
        until(self._killed_one, "there is a worker")

    def _killed_one(self) -> bool:
        with suppress(psutil.NoSuchProcess):
            for process in random.sample(workers := self.workers(), min(1, len(workers))):
                process.kill()
                return True
        return False

    def no_orphans(self) -> None:
        """Wait until none is left, as they have to end by themselves."""
        until(lambda: not self.processes(), "all workers end by themselves")

    # ---- what the journal says ----

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query; none while the journal is being made."""
        connection = sqlite3.connect(f"file:{self.workdir / 'journal.db'}?mode=ro", uri=True, timeout=PATIENCE)
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

    def redone(self) -> int:
        """How many slices were handed out and never journaled, of all phases."""
        return self.handed_out() - self.settled()

    def told(self, code: str) -> int:
        """How often the journal tells of something."""
        return int(self.ask(f"SELECT count(*) FROM event WHERE code = '{code}'")[0][0])

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


def _is_worker(process: psutil.Process) -> bool:
    # One that was only forked yet still has the command of its parent.
    with suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False


def _carries(process: psutil.Process, mark: str) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == mark)
    return False
