"""The memory backend itself: forks, expired items, deadlines, its clock."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import isthmus
from isthmus import BoundTable, F, embedded
from isthmus import operations as op
from isthmus.errors import DeadlineExceeded, InvalidArgument
from isthmus.memory import MemoryBackend


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a forked child that does this; it is killed when it hangs."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(5)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_children_of_a_busy_process_do_not_hang() -> None:
    """A fork while another thread is inside an operation leaves the child a database that works."""
    with isthmus.connect("memory://") as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many({"id": str(n), "n": n} for n in range(2_000))
        done = threading.Event()

        def keep_busy() -> None:
            while not done.is_set():
                table.scan().where(F.n == -1).count()

        thread = threading.Thread(target=keep_busy)
        thread.start()
        try:
            statuses = [in_child(lambda: table.put({"id": "1", "n": table.get(id="1")["n"]})) for _ in range(5)]
        finally:
            done.set()
            thread.join()
        assert statuses == [0] * 5
        assert table.get(id="1") == {"id": "1", "n": 1}


def stored(table: BoundTable) -> int:
    """How many items the backend holds, expired ones included."""
    held: Any = table.database.native()
    return len(held["things"])


def test_expired_items_are_removed_by_writes() -> None:
    """Writes to a table keep it from growing with items that nobody can see."""
    now = [1_000.0]
    with isthmus.connect("memory://", clock=lambda: now[0]) as database:
        table = database.table("things", partition_key="id", ttl="expires").ensure()
        table.put({"id": "lasting", "expires": 1_000_000})
        for number in range(300):
            table.put({"id": str(number), "expires": int(now[0]) + 1, "n": number})
            now[0] += 5
        assert stored(table) < 5
        assert [item["id"] for item in table.scan()] == ["lasting"]


def test_every_item_is_looked_at() -> None:
    """Items that expire together vanish by and by, wherever they stand, and the others stay."""
    now = [1_000.0]
    with isthmus.connect("memory://", clock=lambda: now[0]) as database:
        table = database.table("things", partition_key="id", ttl="expires").ensure()
        table.put_many({"id": f"{n:03}", "expires": 2_000 if n % 3 else 9_000} for n in range(300))
        now[0] = 3_000.0
        for _time in range(200):
            table.put({"id": "050", "n": 1})
        assert stored(table) == 101
        assert table.scan().count() == 101


def batch(kind: Any, count: int, left: float) -> op.Operation:
    """A batch with a deadline."""
    table = isthmus.Table("things", isthmus.Key("id"))
    members = tuple({"id": str(number)} for number in range(count))
    made: op.Operation = kind(op.Context(deadline=time.monotonic() + left), table, members)
    return made


@pytest.fixture
def backend() -> MemoryBackend:
    """A backend with an empty table."""
    made = MemoryBackend()
    made.execute(op.CreateTable(op.Context(), isthmus.Table("things", isthmus.Key("id"))))
    return made


@pytest.mark.parametrize(
    ("kind", "maybe"), [(op.GetMany, False), (op.PutMany, True), (op.DeleteMany, True)], ids=["get", "put", "delete"]
)
def test_batches_end_at_their_deadline(
    backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch, kind: Any, maybe: bool
) -> None:
    """A batch that takes longer than it may is given up; members may have been written before."""
    left = iter([1.0, -1.0])
    monkeypatch.setattr(embedded, "seconds_left", lambda _context: next(left))
    with pytest.raises(DeadlineExceeded) as caught:
        backend.execute(batch(kind, 5_000, 60))
    assert caught.value.maybe_applied is maybe
    assert len(backend.native()["things"]) < 5_000


@pytest.mark.parametrize("kind", [op.GetMany, op.PutMany, op.DeleteMany])
def test_batches_begin_nothing_after_their_deadline(backend: MemoryBackend, kind: Any) -> None:
    """A deadline that has passed leaves nothing open."""
    with pytest.raises(DeadlineExceeded) as caught:
        backend.execute(batch(kind, 1, -1))
    assert (caught.value.maybe_applied, backend.native()) == (False, {"things": []})


def test_the_clock_of_an_open_backend_is_used() -> None:
    """The core judges expiry by the same clock as the backend that it was given."""
    backend = MemoryBackend(clock=lambda: 500.0)
    with isthmus.connect(backend) as database:
        table = database.table("things", partition_key="id", ttl="expires", timestamps=True).ensure()
        table.put({"id": "a", "expires": 501})
        with pytest.raises(InvalidArgument):
            table.put({"id": "b", "expires": 500})
        assert str(table.get(id="a")["created_at"]).startswith("1970-01-01T00:08:20")


def test_the_clock_of_an_open_backend_is_used_async() -> None:
    """The async twin."""

    async def use() -> Any:
        async with isthmus.aconnect(MemoryBackend(clock=lambda: 500.0)) as database:
            table = await database.table("things", partition_key="id", ttl="expires").ensure()
            await table.put({"id": "a", "expires": 501})
            return await table.get(id="a")

    assert asyncio.run(use()) == {"id": "a", "expires": 501}
