"""Expiry against the model: every kind of operation while a clock moves."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F
from isthmus.expressions import changes
from isthmus.values import Item
from isthmus_conformance.base import START, FakeClock, MakeTable, Suite, requires
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.machines import ModelMachine, run_machine
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import walk

KEYS = st.fixed_dictionaries({"p": st.just("x"), "s": st.sampled_from("12345")})
WHEN = st.sampled_from((None, F.n.exists(), F.n == 1, F.n.not_exists(), F.expires.exists()))
LIVES = st.sampled_from((None, "never", 1, 5, 20))


class TtlMachine(ModelMachine):
    """The model drops an item at its time; the table must behave as if it did."""

    def __init__(self, database: Database, table: BoundTable, clock: FakeClock) -> None:
        super().__init__(database, table)
        self.clock = clock

    @step(seconds=st.sampled_from((0.5, 1, 4, 30)))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for item in self.model.items:
            expires: Any = item.get("expires")
            if type(expires) is int and expires <= self.clock.now:
                self.model.delete(item)

    @step(key=KEYS, life=LIVES, when=WHEN)
    def put(self, key: Item, life: Any, when: Any) -> None:
        item = {**key, "n": 1, **self._expiry(life)}
        self.agree(lambda: self.model.put(item, when), lambda: self.table.put(item, when=when, returning="old"))

    @step(key=KEYS, life=LIVES)
    def create(self, key: Item, life: Any) -> None:
        item = {**key, **self._expiry(life)}
        self.agree(lambda: self.model.create(item), lambda: self.table.create(item))

    @step(key=KEYS, life=LIVES, when=WHEN, upsert=st.booleans())
    def update(self, key: Item, life: Any, when: Any, upsert: bool) -> None:
        new: dict[Any, Any] = {"m": 1, **self._expiry(life)}
        tree = changes(set=new, add={"n": 1})
        self.agree(
            lambda: self.model.update(key, tree, when, upsert=upsert)[1],
            lambda: self.table.update(key, set=new, add={"n": 1}, when=when, upsert=upsert, returning="new"),
        )

    @step(key=KEYS, when=WHEN)
    def delete(self, key: Item, when: Any) -> None:
        self.agree(lambda: self.model.delete(key, when), lambda: self.table.delete(key, when=when))

    @step(keys=st.lists(KEYS, max_size=4, unique_by=lambda key: key["s"]), life=LIVES)
    def put_many(self, keys: list[Item], life: Any) -> None:
        for key in keys:
            self.model.put({**key, **self._expiry(life)})
        self.table.put_many([{**key, **self._expiry(life)} for key in keys]).raise_for_failures()

    @step(size=st.integers(1, 3), forward=st.booleans())
    def read(self, size: int, forward: bool) -> None:
        order: Any = lambda item: item["s"]  # noqa: E731  # typed once, used once
        right = sorted(self.model.items, key=order, reverse=not forward)
        query = self.table.query(p="x") if forward else self.table.query(p="x").descending()
        assert_same(right, walk(query, size))
        assert_same_items(right, self.table.scan())
        assert_same([len(right)] * 2, [query.count(), self.table.scan().count()])
        keys = [{"p": "x", "s": key} for key in "12345"]
        assert_same([self.model.find(key) for key in keys], list(self.table.get_many(keys)))
        assert_same([self.model.find(key) for key in keys], [self.table.find(key) for key in keys])

    def teardown(self) -> None:
        """What is visible at the end; expired items may or may not be stored still."""
        assert_same_items(self.model.items, self.table.scan())

    def _expiry(self, life: Any) -> Item:
        """No expiry, one that never comes because it is no number, or one after so many seconds."""
        if life is None:
            return {}
        return {"expires": life if life == "never" else int(self.clock.now) + 1 + life}


class TtlMachineSuite(Suite):
    """Runs the machine."""

    @rule("TTL-1", "TTL-2", "TTL-4", "TTL-6")
    @requires(Capability.TTL)
    def test_ttl_machine(self, database: Database, make_table: MakeTable, clock: FakeClock) -> None:
        """Random writes and reads while time passes agree with a model that drops items at their time."""
        table = make_table(partition_key="p", sort_key="s", ttl="expires")

        def machine() -> TtlMachine:
            clock.now = START
            return TtlMachine(database, table, clock)

        run_machine(machine)
