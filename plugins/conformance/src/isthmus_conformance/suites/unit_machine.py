"""Random units of work against the model, on which the same steps are applied one by one (rules TXN-15 to TXN-18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import Conflict
from isthmus.expressions import changes
from isthmus_conformance.base import MakeTable, Suite, requires
from isthmus_conformance.comparing import assert_agree, assert_same
from isthmus_conformance.machines import Model, ModelMachine, run_machine
from isthmus_conformance.rules import rule

IDS = st.sampled_from("1234")
WHEN = st.sampled_from((None, None, None, F.n.exists(), F.n == 1, F.n.not_exists(), F.n < 3))
KINDS = st.sampled_from(("get", "find", "create", "put", "set", "add", "delete", "check"))
STEPS = st.lists(st.tuples(IDS, KINDS, WHEN, st.integers(0, 3), st.booleans()), min_size=1, max_size=8)
ENDS = st.sampled_from(("commit", "commit", "commit", "raise", "rival"))
Step = tuple[str, str, Any, int, bool]


def real(table: BoundTable, one: Step) -> Callable[[], Any]:
    """One step on a table, inside or outside of a unit of work."""
    key, kind, when, number, flag = one
    item: dict[str, Any] = {"id": key, "n": number}
    image: Any = "new" if flag else "old"
    return {
        "get": lambda: table.get(id=key),
        "find": lambda: table.find(id=key),
        "create": lambda: table.create(item),
        "put": lambda: table.put(item, when=when, returning="old" if flag else None),
        "set": lambda: table.update(id=key, set={"x": number}, when=when, upsert=flag, returning=image),
        "add": lambda: table.update(id=key, add={"n": number}, when=when, upsert=flag, returning=image),
        "delete": lambda: table.delete(id=key, when=when),
        "check": lambda: table.check(id=key, when=F.n == number),  # type: ignore[attr-defined]  # of a unit of work
    }[kind]


def right(model: Model, one: Step) -> Callable[[], Any]:
    """The same on the model."""
    key, kind, when, number, flag = one
    item: dict[str, Any] = {"id": key, "n": number}
    change = changes(add={"n": number}) if kind == "add" else changes(set={"x": number})
    return {
        "get": lambda: model.get({"id": key}),
        "find": lambda: model.find({"id": key}),
        "create": lambda: model.create(item),
        "put": lambda: model.put(item, when) if flag else (model.put(item, when), None)[1],
        "set": lambda: model.update({"id": key}, change, when, upsert=flag)[flag],
        "add": lambda: model.update({"id": key}, change, when, upsert=flag)[flag],
        "delete": lambda: model.delete({"id": key}, when),
        "check": lambda: model.require({"id": key}, F.n == number),
    }[kind]


def copied(model: Model) -> Model:
    """Another model of the same items."""
    other = Model("id")
    for item in model.items:
        other.put(item)
    return other


class _StoppedError(Exception):
    """What a body raises that is to leave nothing behind."""


class UnitMachine(ModelMachine):
    """Units of work of up to eight steps that end in one of three ways, with single writes between them."""

    @step(steps=STEPS, end=ENDS)
    def work(self, steps: list[Step], end: str) -> None:
        trial = copied(self.model)
        if end == "rival":
            return self._meet_a_rival(steps, trial)
        try:
            with self.database.transaction() as tx:
                self._same(tx.table(self.table), trial, steps)
                if end == "raise":
                    raise _StoppedError
        except _StoppedError:
            return None
        self.model = trial
        return None

    @step(key=IDS, number=st.integers(0, 3))
    def write(self, key: str, number: int) -> None:
        item: dict[str, Any] = {"id": key, "n": number}
        self.agree(lambda: self.model.put(item), lambda: self.table.put(item, returning="old"))

    def _same(self, table: BoundTable, trial: Model, steps: list[Step]) -> None:
        for one in steps:
            assert_agree(right(trial, one), real(table, one))

    def _meet_a_rival(self, steps: list[Step], trial: Model) -> None:
        """Somebody changes the item of the first step, which was read, so nothing of the rest is applied."""
        key = steps[0][0]
        known = self.model.find({"id": key})
        rival: dict[str, Any] = {"id": key, "rival": not (known or {}).get("rival")}
        with pytest.raises(Conflict), self.database.transaction() as tx:
            inside = tx.table(self.table)
            assert_same(known, inside.find(id=key))
            inside.put({"id": "5"})
            self._same(inside, trial, steps)
            self.table.put(rival)
        self.model.put(rival)


class UnitMachineSuite(Suite):
    """Runs the machine."""

    @rule("TXN-15", "TXN-16", "TXN-17", "TXN-18")
    @requires(Capability.TRANSACT_WRITE, Capability.REVISION)
    def test_unit_machine(self, database: Database, make_table: MakeTable) -> None:
        """A unit of work answers and leaves what the same steps would one by one, or nothing at all."""
        table = make_table()
        run_machine(lambda: UnitMachine(database, table), steps=10, share=0.5)
