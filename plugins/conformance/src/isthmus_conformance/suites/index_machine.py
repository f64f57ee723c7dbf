"""Indexes against the model: writes of every kind, then queries through two indexes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import Capability, Database, Index
from isthmus.expressions import changes
from isthmus.values import Item
from isthmus_conformance.base import MakeTable, Suite, requires
from isthmus_conformance.eventually import eventually
from isthmus_conformance.machines import ModelMachine, run_machine
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import multiset, walk

INDEXES = (Index("by_group", "g", ("r", int)), Index("by_rank", ("r", int), "g", projection="keys"))
KEYS = st.fixed_dictionaries({"p": st.sampled_from("xy"), "s": st.sampled_from("123456")})
GROUPS = st.sampled_from(("g", "h"))
RANKS = st.integers(-1, 3)
REST = st.fixed_dictionaries({}, optional={"g": GROUPS, "r": RANKS, "n": st.integers(0, 3)})


class IndexMachine(ModelMachine):
    """Items enter, move within and leave two indexes."""

    @step(key=KEYS, rest=REST)
    def put(self, key: Item, rest: Item) -> None:
        self.agree(lambda: self.model.put({**key, **rest}), lambda: self.table.put({**key, **rest}, returning="old"))

    @step(key=KEYS, rest=REST)
    def create(self, key: Item, rest: Item) -> None:
        self.agree(lambda: self.model.create({**key, **rest}), lambda: self.table.create({**key, **rest}))

    @step(key=KEYS)
    def delete(self, key: Item) -> None:
        self.agree(lambda: self.model.delete(key), lambda: self.table.delete(key))

    @step(key=KEYS, rest=REST, gone=st.sampled_from(("g", "r", "n")))
    def update(self, key: Item, rest: Item, gone: str) -> None:
        new: dict[Any, Any] = {name: value for name, value in rest.items() if name != gone}
        tree = changes(set=new, remove=gone)
        self.agree(
            lambda: self.model.update(key, tree, upsert=bool(new))[1],
            lambda: self.table.update(key, set=new, remove=gone, upsert=bool(new), returning="new"),
        )

    @step(keys=st.lists(KEYS, max_size=6, unique_by=lambda key: (key["p"], key["s"])), rest=REST)
    def put_many(self, keys: list[Item], rest: Item) -> None:
        for key in keys:
            self.model.put({**key, **rest})
        self.table.put_many([{**key, **rest} for key in keys]).raise_for_failures()

    @step(group=GROUPS, forward=st.booleans(), size=st.integers(1, 4))
    def read_group(self, group: str, forward: bool, size: int) -> None:
        right = [item for item in self.model.items if item.get("g") == group and "r" in item]
        query = self.table.query(g=group, index="by_group")
        query = query if forward else query.descending()
        eventually(multiset(right), lambda: multiset(walk(query, size)))
        ranks: list[Any] = [item["r"] for item in walk(query, size)]
        assert ranks == sorted(ranks, reverse=not forward)

    @step(rank=RANKS)
    def read_rank(self, rank: int) -> None:
        right = [
            {name: item[name] for name in ("p", "s", "g", "r")}
            for item in self.model.items
            if item.get("r") == rank and "g" in item
        ]
        eventually(multiset(right), lambda: multiset(self.table.query(r=rank, index="by_rank")))


class IndexMachineSuite(Suite):
    """Runs the machine."""

    @rule("KEY-10", "QRY-4", "QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_index_machine(self, database: Database, make_table: MakeTable) -> None:
        """After any writes both indexes hold exactly the items that have their keys."""
        table = make_table(partition_key="p", sort_key="s", indexes=INDEXES)
        run_machine(lambda: IndexMachine(database, table))
