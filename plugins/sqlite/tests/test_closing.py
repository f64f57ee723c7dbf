"""Closing while others are at work, and what a forked child needs."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pkgutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import isthmus
from isthmus import F
from isthmus.errors import Closed
from isthmus.expressions import any_of
from isthmus.operations import Context, Get
from isthmus.results import GetResult
from isthmus_sqlite.backend import SQLiteBackend
from isthmus_sqlite.workers import Workers
from plugins.sqlite.tests.helpers import locked, open_counters, url
from tests.patience import judged_only_if, with_enough_time

# In a process of its own, because a connection that is closed under a statement kills the process.
CLOSE = """
import sys, threading, time
import isthmus
from isthmus import F
source, mode, timeout = sys.argv[1], sys.argv[2], float(sys.argv[3]) or None
for _ in range(4):
    database = isthmus.connect(source)
    table = database.table("counters", partition_key="id").ensure()
    table.put_many([{"id": str(n), "n": n, "text": "z" * 50} for n in range(1_000)])
    kinds = []
    def work():
        try:
            while True:
                if mode == "read":
                    table.scan(timeout=timeout).where(F.text.contains("q") | (F.n == -1.5)).count()
                else:
                    table.update(id="1", add={"n": 1}, timeout=timeout)
        except Exception as error:
            kinds.append((type(error).__name__, error.maybe_applied))
    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    time.sleep(0.05)
    database.close()
    [thread.join() for thread in threads]
    assert kinds == [("Closed", False)] * 4, kinds
"""


@pytest.mark.parametrize("mode", ["read", "write"])
@pytest.mark.parametrize("timeout", ["0", "5"])
@pytest.mark.parametrize("source", ["file", "memory"])
def test_closing_under_other_threads(tmp_path: Path, source: str, mode: str, timeout: str) -> None:
    """Threads at work while the database is closed get Closed, with nothing applied."""
    target = url(tmp_path / "file.db", "?synchronous=off") if source == "file" else "sqlite://"
    ended = subprocess.run(
        [sys.executable, "-c", CLOSE, target, mode, timeout], capture_output=True, text=True, timeout=300, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def until_at_work(database: isthmus.Database) -> None:
    """Wait until an operation uses a connection."""
    until = time.monotonic() + 60
    while not any(session.at_work for session in tuple(database.backend._sessions._open)):  # type: ignore[attr-defined]
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_write_at_work_is_finished(tmp_path: Path) -> None:
    """Closing waits for a write that waits for another process; it succeeds and is stored."""
    database, table = open_counters(tmp_path / "file.db")
    with ThreadPoolExecutor(2) as pool:
        with locked(tmp_path / "file.db"):
            writing = pool.submit(table.put, {"id": "a"})
            until_at_work(database)
            closing = pool.submit(database.close)
            time.sleep(0.1)
            waited = not closing.done()
        writing.result(60)
        closing.result(60)
    database, table = open_counters(tmp_path / "file.db")
    stored = table.find(id="a")
    database.close()
    assert (waited, stored) == (True, {"id": "a"})


def test_a_long_read_is_interrupted() -> None:
    """Closing does not wait for a read that takes long; the read is told why it ended."""
    condition = any_of(F.text.contains(f"{number}y") for number in range(100))

    def attempt(seconds: float) -> None:
        database = isthmus.connect("sqlite://")
        table = database.table("counters", partition_key="id").ensure()
        table.put_many([{"id": str(number), "text": "x" * 100} for number in range(40_000)])
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(table.scan().where(condition).count)
            until_at_work(database)
            time.sleep(min(seconds / 4, 0.2))  # what is no statement yet can't be interrupted, nor what has ended
            database.close()
            error = reading.exception(60)
        # Nothing where the read ended before, another message where it began after.
        judged_only_if(isinstance(error, Closed) and "at work" in str(error))

    with_enough_time(attempt)


@pytest.mark.parametrize("interrupted", ["workers.Workers.close", "session.Session.interrupt", "session.Session.close"])
def test_an_interruption_of_a_close_leaves_nothing_open(
    tmp_path: Path, interrupted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits for threads, or for one of several connections: the others are closed."""
    database, _table = open_counters(tmp_path / "file.db")
    taken = [database.backend._sessions.take() for _ in range(3)]  # type: ignore[attr-defined]
    wrong, calls = f"isthmus_sqlite.{interrupted}", list[object]()
    original = pkgutil.resolve_name(wrong)

    def interrupt(*arguments: object) -> None:
        calls.append(original(*arguments))
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(wrong, interrupt)
    with pytest.raises(KeyboardInterrupt):
        database.close()
    assert calls
    for session in taken:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            session.connection.execute("SELECT 1")


SIGNAL = """
import signal, sys
import isthmus
from isthmus import F
from isthmus.errors import Closed
from isthmus.expressions import any_of
database = isthmus.connect(sys.argv[1])
table = database.table("counters", partition_key="id").ensure()
table.put_many([{"id": str(number), "text": "x" * 100} for number in range(30_000)])
condition = any_of(F.text.contains(f"{number}y") for number in range(100))
signal.signal(signal.SIGALRM, lambda *_: database.close())
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    table.scan(timeout=30).where(condition).count()
except Closed:
    print("closed")
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such signals here")
@pytest.mark.parametrize("source", ["file", "memory"])
def test_a_signal_may_close_in_the_middle_of_a_read(tmp_path: Path, source: str) -> None:
    """The handler runs inside the statement, in the same thread, and need not wait for itself."""
    target = url(tmp_path / "file.db", "?synchronous=off") if source == "file" else "sqlite://"
    command = [sys.executable, "-c", SIGNAL, target]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "closed\n", "")


def test_a_closed_pool_calls_nothing() -> None:
    """What comes after closing is Closed, and was not begun."""
    workers, called = Workers(1), list[int]()
    assert asyncio.run(workers.run(called.append, 1)) is None
    workers.close()
    with pytest.raises(Closed):
        asyncio.run(workers.run(called.append, 2))
    assert called == [1]


def test_async_writes_end_or_are_refused_when_the_database_closes(tmp_path: Path) -> None:
    """Each of many writes around a close either succeeded and is stored, or is Closed with nothing applied."""

    async def close_amidst() -> list[object]:
        database = await isthmus.aconnect(url(tmp_path / "file.db", "?synchronous=off"))
        table = await database.table("counters", partition_key="id").ensure()
        calls = [asyncio.ensure_future(table.update(id=str(n), add={"n": 1}, upsert=True)) for n in range(100)]
        await asyncio.sleep(0.005)
        await database.close()
        return list(await asyncio.gather(*calls, return_exceptions=True))

    ended = asyncio.run(close_amidst())
    errors = [(type(one).__name__, getattr(one, "maybe_applied", None)) for one in ended if isinstance(one, Exception)]
    database, table = open_counters(tmp_path / "file.db")
    stored = table.scan().count()
    database.close()
    assert errors == [("Closed", False)] * len(errors)
    assert stored == 100 - len(errors)


def find_async(database: isthmus.Database, table: isthmus.BoundTable) -> None:
    """Read one item through the backend's threads."""
    found = asyncio.run(database.backend.aexecute(Get(Context(), table.schema, {"id": "n"})))
    assert isinstance(found, GetResult)
    assert found.item == {"id": "n"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("source", ["file", "memory"])
def test_a_child_has_threads_of_its_own(tmp_path: Path, source: str) -> None:
    """The parent's threads, and locks that they held at the fork, don't hold up a child."""
    database = isthmus.connect(url(tmp_path / "file.db") if source == "file" else "sqlite://")
    table = database.table("counters", partition_key="id").ensure()
    table.put({"id": "n"})
    find_async(database, table)
    child = multiprocessing.get_context("fork").Process(target=find_async, args=(database, table))
    child.start()
    child.join(60)
    code = child.exitcode
    child.kill()
    database.close()
    assert code == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_takes_no_lock_of_a_thread() -> None:
    """A thread that is at work when the process forks does not keep the child waiting."""
    database = isthmus.connect("sqlite://")
    table = database.table("counters", partition_key="id").ensure()
    table.put({"id": "n"})
    backend = database.backend
    assert isinstance(backend, SQLiteBackend)
    at_work, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with backend._sessions.take().lock:
            at_work.set()
            forked.wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        at_work.wait()
        child = multiprocessing.get_context("fork").Process(target=table.put, args=({"id": "b"},))
        child.start()
        forked.set()
    child.join(60)
    code = child.exitcode
    child.kill()
    database.close()
    assert code == 0
