"""Paging against the model: any selection, by any page size, while items are written between the pages."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field
from hypothesis import strategies as st
from hypothesis.stateful import precondition
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Database
from isthmus.values import Item
from isthmus_conformance.base import MakeTable, Suite
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.machines import ModelMachine, run_machine
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import KEY_POOLS, Wanted, expected, select, selections, walk

PARTITIONS = st.sampled_from(("x", "y"))


@define
class _Walk:
    """A selection that is being paged over, with the matching items that stayed unchanged since it began."""

    wanted: Wanted
    size: int
    steady: list[Item]
    cursor: str | None = None
    found: list[Item] = field(factory=list)


class PagingMachine(ModelMachine):
    """Writes items and reads them by selections; one walk at a time is left open while writing goes on."""

    kind = "string"

    def __init__(self, database: Database, table: BoundTable) -> None:
        super().__init__(database, table)
        self.walk: _Walk | None = None

    @step(partition=PARTITIONS, place=st.integers(0, 50), number=st.none() | st.integers(0, 4))
    def put(self, partition: str, place: int, number: int | None) -> None:
        item = {**self._key(partition, place), **({} if number is None else {"n": number})}
        self._touch(item)
        self.model.put(item)
        self.table.put(item)

    @step(partition=PARTITIONS, places=st.lists(st.integers(0, 50), max_size=12))
    def put_many(self, partition: str, places: list[int]) -> None:
        items = {place % len(KEY_POOLS[self.kind]): self._key(partition, place) for place in places}
        for item in items.values():
            self._touch(item)
            self.model.put(item)
        self.table.put_many(items.values()).raise_for_failures()

    @step(partition=PARTITIONS, place=st.integers(0, 50))
    def delete(self, partition: str, place: int) -> None:
        key = self._key(partition, place)
        self._touch(key)
        self.agree(lambda: self.model.delete(key), lambda: self.table.delete(key))

    @step(data=st.data(), size=st.integers(1, 9))
    def read(self, data: st.DataObject, size: int) -> None:
        wanted = data.draw(selections(self.kind))
        right = expected(self.model.items, wanted)
        compare = assert_same_items if wanted.partition is None else assert_same
        selection = select(self.table, wanted)
        compare(right, walk(selection, size))
        compare(right, list(selection))
        assert selection.count() == len(right)
        assert len(list(selection.limit(size))) == min(size, len(right))

    @precondition(lambda self: self.walk is None)
    @step(data=st.data(), size=st.integers(1, 5))
    def begin(self, data: st.DataObject, size: int) -> None:
        wanted = data.draw(selections(self.kind))
        self.walk = _Walk(wanted, size, expected(self.model.items, wanted))
        self.turn_page()

    @precondition(lambda self: self.walk is not None)
    @step()
    def turn_page(self) -> None:
        assert self.walk is not None
        page = select(self.table, self.walk.wanted).page(size=self.walk.size, cursor=self.walk.cursor)
        assert len(page.items) <= self.walk.size
        self.walk.found += page.items
        self.walk.cursor = page.cursor
        if page.cursor is None:
            self._finish(self.walk)
            self.walk = None

    def _finish(self, walk: _Walk) -> None:
        """Each item at most once, in order, and what stayed as it was exactly once (rule QRY-15)."""
        places = [self.model.place(item) for item in walk.found]
        assert len(places) == len(set(places)), "a key came twice"
        steady = {self.model.place(item) for item in walk.steady}
        kept = [item for item in walk.found if self.model.place(item) in steady]
        if walk.wanted.partition is None:
            assert_same_items(walk.steady, kept)
            return
        assert_same(walk.steady, kept)
        order: Any = lambda item: item["s"]  # noqa: E731  # typed once, used once
        assert_same(sorted(walk.found, key=order, reverse=not walk.wanted.forward), walk.found)

    def _touch(self, key: Item) -> None:
        """The item is about to change: the open walk no longer promises anything about it."""
        if self.walk is not None:
            place = self.model.place(key)
            self.walk.steady = [item for item in self.walk.steady if self.model.place(item) != place]

    def _key(self, partition: str, place: int) -> Item:
        pool = KEY_POOLS[self.kind]
        return {"p": partition, "s": pool[place % len(pool)]}


class NumberPagingMachine(PagingMachine):
    """The same with number sort keys."""

    kind = "number"


class BinaryPagingMachine(PagingMachine):
    """The same with binary sort keys."""

    kind = "binary"


MACHINES = (PagingMachine, NumberPagingMachine, BinaryPagingMachine)


class PagingMachineSuite(Suite):
    """Runs the machines."""

    @rule("QRY-1", "QRY-3", "QRY-7", "QRY-10", "QRY-13", "QRY-14", "QRY-15", "STR-1", "BIN-1")
    @pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.kind)
    def test_paging_machine(self, database: Database, make_table: MakeTable, machine: type[PagingMachine]) -> None:
        """Random writes and selections: pages, counts, limits and open walks agree with the model."""
        table = make_table(partition_key="p", sort_key=("s", machine.kind))
        # Each type of key has a machine of its own, sync and async: a share of the examples is enough for each.
        run_machine(lambda: machine(database, table), share=0.25)
