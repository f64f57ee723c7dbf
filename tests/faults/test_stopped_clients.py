"""Clients that are killed or stopped at any step of a transaction that the core runs, on a real server.

The money stays, nobody has to wait for longer than the lease, and nothing is left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import pytest
from attrs import evolve, frozen

from isthmus import BoundTable, Database
from tests.faults.transfers import LEASE, START, SUM, Transfer, Way, accounts, carry_out, connect, prepare, visit

_ROOT: Final = Path(__file__).parents[2]
_DATABASE: Final = f"isthmus-stopped-{os.getpid()}"
_BUSY: Final = 30.0
"""Seconds that a busy machine may need in addition."""
_PATIENCE: Final = 120.0
"""Seconds after which what is still there counts as left behind."""
_KINDS: Final[list[tuple[Way, int]]] = [("bulk", 2), ("bulk", 3), ("ordered", 2), ("ordered", 3)]


@frozen
class Stopped:
    """A transfer whose client stops at a step."""

    transfer: Transfer
    step: str
    committed: bool


@frozen
class Clients:
    """The process that forks them."""

    process: subprocess.Popen[str]
    table: str

    def ask(self, how: str, transfers: Sequence[tuple[Transfer, str | None]], *, visits: bool = False) -> Any:
        """Start clients; the answer."""
        members = [[one.name, one.size, one.way, one.token, point] for one, point in transfers]
        return self.say(json.dumps({"table": self.table, "signal": how, "visits": visits, "transfers": members}))

    def say(self, line: str) -> Any:
        """Send a line; the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def url(mongodb_standalone_url: str) -> str:
    """A server that belongs to no replica set, with the record table of these tests alone."""
    return urlunsplit(urlsplit(mongodb_standalone_url)._replace(path=f"/{_DATABASE}"))


@pytest.fixture
def other(url: str) -> Iterator[Database]:
    """A client that goes on."""
    with connect(url) as database:
        yield database


@pytest.fixture
def table(other: Database) -> Iterator[BoundTable]:
    """The accounts."""
    found = accounts(other, f"accounts-{time.time_ns()}").ensure()
    yield found
    other.backend.native().drop_database(_DATABASE)


@pytest.fixture
def clients(url: str, table: BoundTable) -> Iterator[Clients]:
    """Starts clients that stop themselves."""
    command = [sys.executable, "-m", "tests.faults.stopped_clients", url]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        yield Clients(process, table.name)
        # Clients that stand still end with it, whatever the test came to.
        os.killpg(process.pid, signal.SIGKILL)


def everywhere(
    clients: Clients, table: BoundTable, way: Way, size: int, *, token: bool = False, after: bool = True
) -> list[Stopped]:
    """A transfer for each step of the protocol.

    :param after: whether to stop after requests too, and not only before them, when the server holds the same
    """
    name = f"{way}-{size}{'-token' if token else ''}"
    model = Transfer(f"{name}-model", size, way, f"{name}-{time.time_ns()}"[-36:] if token else None)
    prepare(table, model)
    [seen] = clients.ask("none", [(model, None)])
    # Whether the lease has to be renewed on the way depends on how busy the machine is.
    steps = [step for step in seen if not step.endswith("_renew")]
    commit = steps.index("after_commit")
    found = []
    for point, step in enumerate(steps):
        if not after and step.startswith("after_") and point < len(steps) - 1:
            continue
        own = None if model.token is None else f"{point}-{model.token}"[:36]
        transfer = evolve(model, name=f"{name}-{point}", token=own)
        prepare(table, transfer)
        found.append(Stopped(transfer, step, point >= commit))
    return found


def visit_both(table: BoundTable, stopped: Stopped) -> float:
    """Write to both accounts as somebody else; how long the longer of the two took, seconds."""
    took = []
    for account in stopped.transfer.accounts:
        began = time.monotonic()
        visit(table, account)
        took.append(time.monotonic() - began)
    return max(took)


def at_once(work: Callable[[Stopped], Any], stopped: Sequence[Stopped]) -> list[Any]:
    """Do something with all transfers, a few at a time."""
    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(work, stopped))


def balance(table: BoundTable, stopped: Stopped, *, visits: int = 1) -> bool:
    """Whether the transfer took place: as a whole or not at all, and nothing that others wrote is lost."""
    found: Any = table.get_many([{"id": account} for account in stopped.transfer.accounts])
    giver, taker = found
    assert giver["sum"] + taker["sum"] == 2 * START, stopped
    assert (giver.get("visits", 0), taker.get("visits", 0)) == (visits, visits), stopped
    done: bool = giver["sum"] == START - SUM
    assert done or giver["sum"] == START, stopped
    if stopped.transfer.size > len(stopped.transfer.accounts):
        assert (table.find(id=stopped.transfer.receipt) is not None) == done, stopped
    return done


def remains(database: Database, table: BoundTable) -> dict[str, int]:
    """What is left of transactions once everything was recovered and remembered for long enough."""
    until = time.monotonic() + _PATIENCE
    while database.recover().examined and time.monotonic() < until:
        time.sleep(LEASE)
    store = database.backend.native().get_default_database()
    locked = store[table.name].count_documents({"__tx": {"$exists": True}})
    return {"locked": locked, "records": store["isthmus_transactions"].count_documents({})}


def test_a_killed_client_leaves_nothing_half_done(clients: Clients, table: BoundTable, other: Database) -> None:
    """Killed at any step: all or nothing by the commit point, others go on within the lease, nothing remains."""
    stopped = [one for way, size in _KINDS for one in everywhere(clients, table, way, size)]
    ends = clients.ask("SIGKILL", [(one.transfer, one.step) for one in stopped])
    waits = at_once(lambda one: visit_both(table, one), stopped)
    assert set(ends) == {"SIGKILL"}
    assert max(waits) < LEASE + 1 + _BUSY
    assert [balance(table, one) for one in stopped] == [one.committed for one in stopped]
    assert remains(other, table) == {"locked": 0, "records": 0}


def test_a_token_survives_its_client(clients: Clients, table: BoundTable, other: Database) -> None:
    """Whatever step the client was killed at, its token leads to exactly one transfer when somebody sends it again."""
    stopped = everywhere(clients, table, "bulk", 2, token=True, after=False)
    clients.ask("SIGKILL", [(one.transfer, one.step) for one in stopped])
    outcomes = at_once(lambda one: carry_out(table, one.transfer), stopped)
    assert set(outcomes) == {"applied"}
    assert [balance(table, one, visits=0) for one in stopped] == [True] * len(stopped)
    assert remains(other, table) == {"locked": 0, "records": 0}


def test_readers_never_wait_for_a_dead_client(clients: Clients, table: BoundTable) -> None:
    """Right after the kill every reader sees the transfer as a whole or not at all, without waiting for the lease."""
    stopped = everywhere(clients, table, "bulk", 3, after=False)
    clients.ask("SIGKILL", [(one.transfer, one.step) for one in stopped])
    began = time.monotonic()
    assert [balance(table, one, visits=0) for one in stopped] == [one.committed for one in stopped]
    sums = {item["id"]: item["sum"] for item in table.scan() if "sum" in item}
    for one in stopped:
        giver, taker = one.transfer.accounts
        assert (sums[giver], sums[taker]) == ((95, 105) if one.committed else (100, 100)), one
    assert (time.monotonic() - began) / len(stopped) < LEASE


@pytest.mark.parametrize("left_at", ["before_commit", "after_commit"])
def test_a_killed_helper_leaves_nothing_half_done(
    clients: Clients, table: BoundTable, other: Database, left_at: str
) -> None:
    """Whoever finishes or undoes the transaction of a dead client may die at any step of that as well."""
    model = Transfer(f"{left_at}-model", 3, "bulk")
    prepare(table, model)
    clients.ask("SIGKILL", [(model, left_at)])
    [steps] = clients.ask("none", [(model, None)], visits=True)
    names = [*dict.fromkeys(steps)]
    stopped = [Stopped(evolve(model, name=f"{left_at}-{name}"), name, left_at == "after_commit") for name in names]
    for one in stopped:
        prepare(table, one.transfer)
    clients.ask("SIGKILL", [(one.transfer, left_at) for one in stopped])
    ends = clients.ask("SIGKILL", [(one.transfer, one.step) for one in stopped], visits=True)
    at_once(lambda one: visit_both(table, one), stopped)
    assert set(ends) == {"SIGKILL"}
    assert [balance(table, one) for one in stopped] == [one.committed for one in stopped]
    assert remains(other, table) == {"locked": 0, "records": 0}


@pytest.mark.parametrize(("way", "size"), [("bulk", 3), ("ordered", 2)])
def test_a_stopped_client_tells_the_truth_when_it_wakes(
    clients: Clients, table: BoundTable, other: Database, way: Way, size: int
) -> None:
    """Stopped past its lease at any step and woken: what it reports is so, and what others wrote meanwhile stays."""
    stopped = everywhere(clients, table, way, size, after=False)
    assert clients.ask("SIGSTOP", [(one.transfer, one.step) for one in stopped]) == "stopped"
    waits = at_once(lambda one: visit_both(table, one), stopped)
    outcomes = clients.say("go on")
    assert set(outcomes) <= {"applied", "refused"}
    assert max(waits) < LEASE + 1 + _BUSY
    assert [balance(table, one) for one in stopped] == [outcome == "applied" for outcome in outcomes]
    assert all(outcome == "applied" for one, outcome in zip(stopped, outcomes, strict=True) if one.committed)
    assert remains(other, table) == {"locked": 0, "records": 0}
