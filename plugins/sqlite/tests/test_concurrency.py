"""Threads, processes, crashes, deadlines and forks."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import isthmus
from isthmus import F
from isthmus.errors import AlreadyExists, Closed, Conflict, DeadlineExceeded, IsthmusError
from isthmus.expressions import any_of
from isthmus_sqlite.backend import SQLiteBackend
from plugins.sqlite.tests.helpers import locked, open_counters, url
from tests.patience import judged_only_if, with_enough_time

OPEN_FILES = Path("/proc/self/fd")

ROUNDS = 150

INCREMENT = """
import sys
import isthmus
with isthmus.connect(sys.argv[1]) as database:
    table = database.table("counters", partition_key="id").ensure()
    for _ in range(int(sys.argv[2])):
        table.update(id="n", add={"count": 1}, upsert=True)
"""

# Each line is printed after its write was acknowledged.
WRITE = """
import sys
import isthmus
database = isthmus.connect(sys.argv[1])
table = database.table("counters", partition_key="id")
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    if number % 2:
        table.put({"id": f"one{number}", "n": number})
    else:
        sides = [{"id": f"{side}{number}", "n": number} for side in ("left", "right")]
        database.transact_write(map(table.actions.put, sides))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def number(value: object) -> int:
    """A stored number."""
    assert isinstance(value, int)
    return value


def test_no_increment_of_four_processes_is_lost(tmp_path: Path) -> None:
    """Processes set up one file together, and none of them overwrites what another one wrote."""
    command = [sys.executable, "-c", INCREMENT, url(tmp_path / "file.db", "?busy_timeout=30"), str(ROUNDS)]
    children = [subprocess.Popen(command) for _ in range(4)]
    codes = [child.wait(300) for child in children]
    database, table = open_counters(tmp_path / "file.db")
    count = table.get(id="n")["count"]
    database.close()
    assert (codes, count) == ([0] * 4, 4 * ROUNDS)


def test_no_increment_of_many_threads_is_lost(tmp_path: Path) -> None:
    """The same for threads of one process, on a file and in memory."""
    counts = []
    for source in (url(tmp_path / "file.db"), "sqlite://"):
        with isthmus.connect(source) as database:
            table = database.table("counters", partition_key="id").ensure()
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda _: table.update(id="n", add={"count": 1}, upsert=True), range(200)))  # noqa: B023
            counts.append(table.get(id="n")["count"])
    assert counts == [200, 200]


def test_one_of_many_creators_wins(tmp_path: Path) -> None:
    """When several threads create the same item, one succeeds and the others are told."""
    database, table = open_counters(tmp_path / "file.db")

    def create(_number: int) -> bool:
        try:
            table.create({"id": "a"})
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(40)))
    database.close()
    assert won.count(True) == 1


def killed_writer(path: Path, start: int) -> list[int]:
    """Run a writer, kill it at a random moment, and return what it had acknowledged."""
    command = [sys.executable, "-c", WRITE, url(path), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        seen = [child.stdout.readline() for _write in range(random.randint(2, 20))]
        child.send_signal(signal.SIGKILL)
        lines = "".join([*seen, child.stdout.read()]).split("\n")
    # The last piece is either empty or a line that was cut.
    return [int(line) for line in lines[:-1]]


@pytest.mark.slow
def test_killing_a_writer_loses_nothing_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    """After SIGKILL every acknowledged write is there, and of each transaction both items or none."""
    path = tmp_path / "file.db"
    open_counters(path)[0].close()
    acknowledged: set[int] = set()
    for kill in range(50):
        acknowledged.update(killed_writer(path, kill * 1_000_000))
    database, table = open_counters(path)
    stored: dict[str, set[int]] = {"one": set(), "left": set(), "right": set()}
    for item in table.scan():
        stored[str(item["id"]).rstrip("0123456789")].add(number(item["n"]))
    sound = database.native().execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    assert len(acknowledged) > 50
    assert acknowledged - stored["one"] - stored["left"] == set()
    assert (stored["left"], sound) == (stored["right"], "ok")


def test_a_deadline_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    """A write that another process keeps waiting ends at its deadline, unapplied, and reads go on."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a", "n": 1})
    with locked(tmp_path / "file.db"):
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            table.put({"id": "a", "n": 2}, timeout=0.3)
        waited = time.monotonic() - started
        item = table.get(id="a")
    table.put({"id": "a", "n": 3})
    database.close()
    assert (item["n"], caught.value.maybe_applied) == (1, False)
    assert 0.2 < waited < 4.0


def test_a_lock_that_stays_is_a_conflict(tmp_path: Path) -> None:
    """Without a deadline the option bounds the wait, once: it is not multiplied by retries."""
    database, table = open_counters(tmp_path / "file.db", "?busy_timeout=1")
    with locked(tmp_path / "file.db"):
        started = time.monotonic()
        with pytest.raises(Conflict, match="busy_timeout") as caught:
            table.update(id="a", add={"n": 1}, upsert=True)
        waited = time.monotonic() - started
    table.update(id="a", add={"n": 1}, upsert=True)
    database.close()
    assert (caught.value.retryable, caught.value.maybe_applied) == (False, False)
    assert 0.9 < waited < 4.9  # five attempts would take five seconds


def test_a_deadline_interrupts_a_long_scan() -> None:
    """A count that takes too long stops at its deadline."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        table.put_many([{"id": str(number), "text": "x" * 100, "n": number} for number in range(60_000)])
        condition = any_of(F.text.contains(f"{number}y") for number in range(40))

        def took(timeout: float, *, ends: bool) -> float:
            started = time.monotonic()
            try:
                assert table.scan(timeout=timeout).where(condition).count() == 0
            except DeadlineExceeded:
                judged_only_if(not ends)
            else:
                judged_only_if(ends)
            return time.monotonic() - started

        def attempt(seconds: float) -> None:
            whole = took(60 + 10 * seconds, ends=True)
            judged_only_if(took(whole / 10, ends=False) < whole / 2)

        with_enough_time(attempt)
        assert table.get(id="1")["n"] == 1


def open_files(folder: Path) -> int:
    """How many files of a folder this process has open; others come and go with what else it does."""
    count = 0
    for one in OPEN_FILES.iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            count += one.readlink().is_relative_to(folder)
    return count


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="counts open files through /proc")
def test_threads_use_connections_one_after_the_other(tmp_path: Path) -> None:
    """A new thread takes the connection that the last operation gave back."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    before = open_files(tmp_path)
    for _ in range(20):
        thread = threading.Thread(target=table.get, kwargs={"id": "a"})
        thread.start()
        thread.join()
    gc.collect()
    after = open_files(tmp_path)
    database.close()
    assert after == before > 0


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="counts open files through /proc")
def test_few_connections_wait_for_operations(tmp_path: Path) -> None:
    """After a rush of readers many of their connections are closed: of each one file at once, of the other later."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    backend = database.backend
    assert isinstance(backend, SQLiteBackend)
    before = open_files(tmp_path)
    sessions = [backend._sessions.take() for _ in range(60)]
    during = open_files(tmp_path)
    while sessions:
        backend._sessions.give_back(sessions.pop())
    after = open_files(tmp_path)
    database.close()
    assert during > before + 59
    assert after < during - 20


def test_the_native_connection_is_the_threads_own(tmp_path: Path) -> None:
    """Other threads take no part in a transaction on it, and the thread's own operations do."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    connection = database.native()
    connection.execute("BEGIN")
    connection.execute('DELETE FROM "counters:1"')
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(table.find, id="a").result()
        others = pool.submit(database.native).result()
    here = table.find(id="a")
    connection.execute("ROLLBACK")
    database.close()
    assert (elsewhere, here) == ({"id": "a"}, None)
    assert others is not connection


def test_a_closed_backend_says_so_in_every_thread(tmp_path: Path) -> None:
    """After closing, no thread connects anew."""
    database, _table = open_counters(tmp_path / "file.db")
    backend = database.backend
    database.close()
    with ThreadPoolExecutor(1) as pool, pytest.raises(Closed):
        pool.submit(backend.native).result()
    with pytest.raises(Closed):
        backend.native()


def count_up(table: isthmus.BoundTable, writes: int) -> None:
    """Increment one item."""
    for _ in range(writes):
        table.update(id="n", add={"count": 1})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_children_open_connections_of_their_own(tmp_path: Path) -> None:
    """A database that was open when the process forked works in parent and child, at the same time."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "n", "count": 0})
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=count_up, args=(table, 50)) for _ in range(2)]
    for child in children:
        child.start()
    count_up(table, 50)
    for child in children:
        child.join(120)
    count = table.get(id="n")["count"]
    sound = database.native().execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    assert ([child.exitcode for child in children], count, sound) == ([0, 0], 150, "ok")


def test_a_cancelled_call_leaves_no_open_transaction(tmp_path: Path) -> None:
    """Cancelling an async write neither locks the file nor half-applies anything."""

    async def cancel_many() -> int:
        async with isthmus.aconnect(url(tmp_path / "file.db")) as database:
            table = await database.table("counters", partition_key="id").ensure()
            calls = [asyncio.ensure_future(table.update(id="n", add={"count": 1}, upsert=True)) for _ in range(30)]
            await asyncio.sleep(0.01)
            for call in calls[::2]:
                call.cancel()
            ended = await asyncio.gather(*calls, return_exceptions=True)
            await table.put({"id": "after"})
            return sum(not isinstance(result, BaseException) for result in ended)

    succeeded = asyncio.run(cancel_many())
    database, table = open_counters(tmp_path / "file.db")
    found = (table.find(id="after"), database.native().in_transaction)
    count = number(table.get(id="n")["count"])
    database.close()
    assert found == ({"id": "after"}, False)
    assert succeeded <= count <= 30


def test_a_full_disk_applies_nothing(tmp_path: Path) -> None:
    """A write that does not fit is refused, and what was there stays readable."""
    database, table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    pages = database.native().execute("PRAGMA page_count").fetchone()[0]
    database.native().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(IsthmusError, match=r"disk is full, the database file .*file\.db") as caught:
        database.transact_write([
            table.actions.put({"id": "b"}), table.actions.put({"id": "c", "text": "x" * 100_000}),
        ])  # fmt: skip
    left = sorted(str(item["id"]) for item in table.scan())
    database.close()
    assert (left, caught.value.maybe_applied) == (["a"], False)
