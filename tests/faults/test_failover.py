"""The primary of a set of three is killed under load: nothing that was acknowledged is lost, and no call hangs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from isthmus import BoundTable, connect
from isthmus_engines.mongodb import ask
from isthmus_engines.mongodb_set import MongoDBSet
from isthmus_engines.servers import wait_until
from tests.faults.ledger import Ledger
from tests.faults.replica_sets import own_set

CYCLES = 5
WRITERS = 4
DEADLINE = 5.0
LOAD = 0.7
"""Seconds of undisturbed work before each kill."""
PAUSE = 0.002
"""Seconds between two writes of a writer, so that the members find time for elections on a small machine."""


@pytest.fixture
def members() -> Iterator[MongoDBSet]:
    """A set of three of the test's own; failures of its servers are what the test is about."""
    with own_set(3) as found:
        yield found


def keep_writing(table: BoundTable, ledger: Ledger, writer: int, ended: threading.Event) -> None:
    """Put items of one's own, and count them in an item that all writers share."""
    for number in itertools.count():
        if ended.is_set():
            return
        name = f"{writer}-{number}"
        ledger.call(ledger.items, name, lambda: table.put({"id": name}, timeout=DEADLINE))  # noqa: B023
        ledger.call(ledger.additions, name, lambda: table.update(id="counter", add={"n": 1}, timeout=DEADLINE))
        time.sleep(PAUSE)


@contextmanager
def load(table: BoundTable, ledger: Ledger) -> Iterator[None]:
    """Writers at work while the block runs."""
    ended = threading.Event()
    with ThreadPoolExecutor(WRITERS) as threads:
        writers = [threads.submit(keep_writing, table, ledger, writer, ended) for writer in range(WRITERS)]
        try:
            yield
        finally:
            ended.set()
    for writer in writers:
        writer.result()


def kill_the_primary(members: MongoDBSet) -> None:
    """Kill it, wait for another one to take over, and bring it back."""
    killed = members.primary()
    members.kill(killed)
    members.primary()
    time.sleep(LOAD)
    members.restart(killed)
    server = members.servers[killed]
    wait_until(
        lambda: ask(server.port, lambda admin: bool(admin.command("hello").get("secondary"))), 120, "a secondary"
    )


@pytest.mark.slow
def test_a_killed_primary_loses_nothing(members: MongoDBSet) -> None:
    """Five times: items and additions are all there, each once, and calls end by their deadline."""
    ledger = Ledger()
    with connect(members.running.url) as database:
        table = database.table("failover", partition_key="id").ensure()
        table.put({"id": "counter", "n": 0})
        with load(table, ledger):
            for _cycle in range(CYCLES):
                time.sleep(LOAD)
                kill_the_primary(members)
        stored = {str(item["id"]): item for item in table.scan()}
    counter = stored.pop("counter")["n"]
    assert isinstance(counter, int)
    assert ledger.violations(set(stored), counter, DEADLINE) == []
    assert ledger.longest > 0.5, "no call met an election"
    assert min(len(ledger.items.acknowledged), len(ledger.additions.acknowledged)) > CYCLES * WRITERS
