"""Tokens of embedded stores: one transaction costs the same however many were kept in the last ten minutes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from sqlite3 import Connection, connect
from types import FrameType
from typing import Any

import isthmus
from isthmus import BoundTable
from isthmus.memory import MemoryBackend
from isthmus.operations import Context, ListTables
from isthmus.tokens import TOKEN_SECONDS

KEPT = 5_000


def _transact(table: BoundTable, token: str) -> None:
    table.database.transact_write([table.actions.put({"id": "1"})], token=token)


def _traced(table: BoundTable, token: str) -> int:
    """How many lines of Python a transaction with a token runs, those of loops each time."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        _transact(table, token)
    finally:
        sys.settrace(before)
    return lines


def _instructions(table: BoundTable, token: str) -> int:
    """How many instructions of SQLite's machine a transaction with a token takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection: Connection = table.database.native()
    connection.set_progress_handler(count, 1)
    try:
        _transact(table, token)
    finally:
        connection.set_progress_handler(None, 1)
    return steps


def test_in_memory() -> None:
    """Nothing looks at all tokens."""
    backend = MemoryBackend()
    with isthmus.connect(backend) as database:
        table = database.table("things", partition_key="id").ensure()
        _traced(table, "first")
        few = _traced(table, "few")
        with backend.session(ListTables(Context())) as session:
            for number in range(KEPT):
                session.keep_token(f"kept {number}", b"", time.time() + TOKEN_SECONDS)
        assert few <= _traced(table, "many") < 2 * few


def test_in_a_file(tmp_path: Path) -> None:
    """But for one in many."""
    path = tmp_path / "things.db"
    with isthmus.connect(f"sqlite:///{path}") as database:
        table = database.table("things", partition_key="id").ensure()
        few = _instructions(table, "few")
        with connect(path) as direct:
            rows = ((f"kept {number}", time.time() + TOKEN_SECONDS, b"") for number in range(KEPT))
            direct.executemany("INSERT INTO isthmus_tokens (token, expires, digest) VALUES (?, ?, ?)", rows)
        direct.close()
        assert 0 < _instructions(table, "many") < 3 * few


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
