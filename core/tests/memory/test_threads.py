"""Threads that use one memory database: operations on single items take its lock only to write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import pytest

import isthmus
from isthmus import BoundTable
from isthmus.errors import AlreadyExists

R = TypeVar("R")
THREADS, TURNS = 4, 200


@pytest.fixture(autouse=True)
def _restless() -> Iterator[None]:
    """Threads take turns so often that they meet in the middle of operations."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def table() -> Iterator[BoundTable]:
    """A table in memory."""
    with isthmus.connect("memory://") as database:
        yield database.table("counters", partition_key="id").ensure()


def together(*functions: Callable[[], R]) -> list[R]:
    """What functions return that run at the same time."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(function) for function in functions]]


def test_no_update_of_one_item_is_lost(table: BoundTable) -> None:
    """All increments that threads make at the same time are counted."""

    def count() -> None:
        for _ in range(TURNS):
            table.update(id="a", add={"number": 1}, upsert=True)

    together(*[count] * THREADS)
    assert table.get(id="a") == {"id": "a", "number": THREADS * TURNS}


def test_one_of_several_creates_wins(table: BoundTable) -> None:
    """Of threads that create the same item, one succeeds."""

    def create() -> int:
        won = 0
        for number in range(TURNS):
            try:
                table.create({"id": str(number)})
            except AlreadyExists:
                continue
            won += 1
        return won

    assert sum(together(*[create] * THREADS)) == TURNS


def test_single_reads_see_no_part_of_a_transaction(table: BoundTable) -> None:
    """Who has read one item of a transaction reads the others as it left them, or newer."""
    actions = table.actions

    def write() -> list[Any]:
        for number in range(1, TURNS + 1):
            table.database.transact_write([actions.put({"id": name, "number": number}) for name in "abc"])
        return []

    def read() -> list[Any]:
        found: list[Any] = [0]
        while found[-1] < TURNS:
            items = [table.find(id=name) for name in "abc"]
            found += [0 if item is None else item["number"] for item in items]
        return found

    _none, numbers = together(write, read)
    assert all(earlier <= later for earlier, later in pairwise(numbers))


def test_an_index_follows_the_items() -> None:
    """Items that threads move about in an index are found once, where they are."""
    with isthmus.connect("memory://") as database:
        index = isthmus.Index("by_owner", partition_key="owner", sort_key="place")
        things = database.table("things", partition_key="id", indexes=[index]).ensure()

        def move() -> None:
            for turn in range(TURNS):
                things.put({"id": str(turn % 5), "owner": "o", "place": str(turn % 7)})
                if turn % 3 == 0:
                    things.delete(id=str(turn % 5))

        together(*[move] * THREADS)
        found: list[Any] = list(things.query(index="by_owner", owner="o"))
        assert sorted(item["id"] for item in found) == sorted(str(item["id"]) for item in things.scan())
        assert len(found) > 1
        assert [item["place"] for item in found] == sorted(item["place"] for item in found)
