"""Batches that end half-way: what is reported, and when the clock is looked at."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus import Index
from isthmus.errors import BackendError, Conflict, DeadlineExceeded, InvalidKey
from isthmus.operations import Context, DeleteMany, GetMany, PutMany
from isthmus_sqlite import answers, batches
from plugins.sqlite.tests.helpers import open_counters


def some(number: int) -> list[dict[str, Any]]:
    """That many items."""
    return [{"id": str(n), "text": "y" * 150} for n in range(number)]


def test_a_full_disk_names_the_members_that_were_not_written(tmp_path: Path) -> None:
    """Chunks before are committed and counted; each member after them is a failure at its place."""
    database, table = open_counters(tmp_path / "file.db", "?synchronous=off")
    database.native().execute("PRAGMA max_page_count = 700")
    result = table.put_many(some(20_000))
    database.native().execute("PRAGMA max_page_count = 70000")
    stored = table.scan().count()
    database.close()
    assert (result.written, stored) == (10_000, 10_000)
    assert [failure.position for failure in result.failures] == list(range(10_000, 20_000))
    assert {type(failure.error) for failure in result.failures} == {BackendError}


@pytest.fixture
def fail_second(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Let chunks have two members, and the second chunk fail."""

    def prepare(error: Exception) -> None:
        calls, rows = count(1), batches.rows

        def failing(*arguments: Any) -> Any:
            if next(calls) == 2:
                raise error
            return rows(*arguments)

        monkeypatch.setattr(answers, "_CHUNK", 2)
        monkeypatch.setattr(batches, "rows", failing)

    return prepare


@pytest.mark.parametrize("error", [Conflict("somebody", retryable=False), TypeError("surprise")], ids=repr)
def test_any_error_of_a_later_chunk_is_a_failure_of_its_members(
    fail_second: Callable[[Exception], None], error: Exception
) -> None:
    """Nothing says of a batch as a whole that nothing was written, when something was."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        table.put_many(some(5))
        fail_second(error)
        result = table.delete_many([{"id": str(n)} for n in range(5)])
        left = table.scan().count()
    assert (result.written, [failure.position for failure in result.failures], left) == (2, [2, 3, 4], 3)
    assert [failure.error.maybe_applied for failure in result.failures] == [False] * 3


def test_a_deadline_between_chunks_may_have_applied_something(fail_second: Callable[[Exception], None]) -> None:
    """DeadlineExceeded says how many members are written."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        fail_second(DeadlineExceeded("late"))
        with pytest.raises(DeadlineExceeded, match="first 2 members") as caught:
            table.put_many(some(5))
        stored = table.scan().count()
    assert (caught.value.maybe_applied, stored) == (True, 2)


def test_wrong_keys_of_stored_indexes_are_found_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of a later chunk that can't be stored refuses the batch."""
    monkeypatch.setattr(answers, "_CHUNK", 2)
    with isthmus.connect("sqlite://") as database:
        database.table("counters", partition_key="id", indexes=[Index("by_g", "g")]).ensure()
        table = database.table("counters", partition_key="id")
        with pytest.raises(InvalidKey, match="by_g"):
            table.put_many([{"id": "a"}, {"id": "b"}, {"id": "c", "g": ""}])
        stored = table.scan().count()
    assert stored == 0


def test_the_clock_is_looked_at_every_few_hundred_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch stops soon after its deadline."""
    clock = count()
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    taken: list[int] = []
    with pytest.raises(DeadlineExceeded):
        taken.extend(batches.until(range(10_000), 2))
    assert len(taken) <= 512
    assert list(batches.until(range(10_000), None)) == list(range(10_000))


@pytest.mark.parametrize("kind", [PutMany, DeleteMany, GetMany])
def test_every_batch_ends_at_its_deadline(kind: Any) -> None:
    """Nothing of it is applied then."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("counters", partition_key="id").ensure()
        table.put({"id": "0", "old": True})
        with pytest.raises(DeadlineExceeded) as caught:
            database.backend.execute(kind(Context(deadline=time.monotonic()), table.schema, some(1_000)))
        items = list(table.scan())
    assert (items, caught.value.maybe_applied) == ([{"id": "0", "old": True}], False)
