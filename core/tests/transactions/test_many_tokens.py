"""Tokens of embedded stores: one transaction costs the same however many were kept in the last ten minutes."""

from __future__ import annotations

import time
from pathlib import Path
from sqlite3 import connect

import isthmus
from isthmus import BoundTable
from isthmus.memory import MemoryBackend
from isthmus.operations import Context, ListTables
from isthmus.tokens import TOKEN_SECONDS

KEPT = 200_000


def _seconds(table: BoundTable, round_: int) -> float:
    """The time of some transactions with tokens, without what else the machine did meanwhile."""

    def some(first: int) -> float:
        started = time.perf_counter()
        for number in range(first, first + 20):
            table.database.transact_write([table.actions.put({"id": "1"})], token=f"{round_}-{number}")
        return time.perf_counter() - started

    return min(some(first) for first in range(0, 100, 20))


def test_in_memory() -> None:
    """Nothing looks at all tokens."""
    backend = MemoryBackend()
    with isthmus.connect(backend) as database:
        table = database.table("things", partition_key="id").ensure()
        with backend.session(ListTables(Context())) as session:
            few = _seconds(table, 1)
            for number in range(KEPT):
                session.keep_token(f"kept {number}", b"", time.time() + TOKEN_SECONDS)
            assert _seconds(table, 2) < 10 * few


def test_in_a_file(tmp_path: Path) -> None:
    """But for one in many."""
    path = tmp_path / "things.db"
    with isthmus.connect(f"sqlite:///{path}") as database:
        table = database.table("things", partition_key="id").ensure()
        few = _seconds(table, 1)
        with connect(path) as direct:
            rows = ((f"kept {number}", time.time() + TOKEN_SECONDS, b"") for number in range(KEPT))
            direct.executemany("INSERT INTO isthmus_tokens (token, expires, digest) VALUES (?, ?, ?)", rows)
        direct.close()
        assert _seconds(table, 2) < 3 * few


def test_expired_ones_are_removed_from_a_file(tmp_path: Path) -> None:
    """Now and then; until then they are free to be used again."""
    path, now = tmp_path / "things.db", [time.time()]
    with isthmus.connect(f"sqlite:///{path}", clock=lambda: now[0]) as database:
        table = database.table("things", partition_key="id").ensure()
        for number in range(500):
            database.transact_write([table.actions.put({"id": "1"})], token=f"{number}")
        now[0] += TOKEN_SECONDS + 1
        assert not database.transact_write([table.actions.put({"id": "2"})], token="7").replayed
        for number in range(1_000, 2_000):
            database.transact_write([table.actions.put({"id": "1"})], token=f"{number}")
        with connect(path) as direct:
            ((kept,),) = direct.execute("SELECT count(*) FROM isthmus_tokens")
        direct.close()
        assert kept == 1_001
