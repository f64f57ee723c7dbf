"""Random transactions against the model: judged on the state before, applied all or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import IsthmusError, TransactionFailed
from isthmus.expressions import changes
from isthmus.operations import Action
from isthmus.values import Item
from isthmus_conformance.base import FakeClock, MakeTable, Suite, requires
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.machines import Model, ModelMachine, run_machine
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.tokens import own_token

IDS = tuple("123456")
WHEN = st.sampled_from((None, None, F.n.exists(), F.n == 1, F.n.not_exists(), F.n != 1, F.n < 3))
KINDS = st.sampled_from(("create", "put", "update", "add", "delete", "check"))
MEMBERS = st.lists(
    st.tuples(st.sampled_from(IDS), KINDS, WHEN, st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda member: member[0],
)
Member = tuple[str, str, Any, int, bool]


def _addition(number: int) -> dict[str, Any]:
    """A change that works on a number, or now and then one that never does."""
    return {"add": {"n": 1}} if number != 3 else {"set": {F.n.deep: 1}}


def action(table: BoundTable, member: Member) -> Action:
    """The action of a real table."""
    key, kind, when, number, flag = member
    item: dict[str, Any] = {"id": key, "n": number}
    build: dict[str, Callable[[], Action]] = {
        "create": lambda: table.actions.create(item),
        "put": lambda: table.actions.put(item, when=when),
        "update": lambda: table.actions.update(id=key, set={"n": number}, when=when, upsert=flag),
        "add": lambda: table.actions.update(id=key, **_addition(number), when=when, upsert=flag),
        "delete": lambda: table.actions.delete(id=key, when=when),
        "check": lambda: table.actions.check(id=key, when=F.n.exists() if when is None else when),
    }
    return build[kind]()


def act(model: Model, member: Member) -> Any:
    """The same on the model."""
    key, kind, when, number, flag = member
    item: Item = {"id": key, "n": number}
    if kind == "create":
        return model.create(item)
    if kind == "put":
        return model.put(item, when)
    if kind == "update":
        return model.update({"id": key}, changes(set={"n": number}), when, upsert=flag)
    if kind == "add":
        return model.update({"id": key}, changes(**_addition(number)), when, upsert=flag)
    if kind == "delete":
        return model.delete({"id": key}, when)
    return model.require({"id": key}, F.n.exists() if when is None else when)


def failure(model: Model, member: Member) -> type[IsthmusError] | None:
    """Why the member fails on the model, or ``None``; the model changes where it does not."""
    try:
        act(model, member)
    except IsthmusError as error:
        return type(error)
    return None


class TransactionMachine(ModelMachine):
    """Transactions of up to four actions, single writes between them, tokens that are used again."""

    def __init__(self, database: Database, table: BoundTable, clock: FakeClock) -> None:
        super().__init__(database, table)
        self.clock = clock
        self.clock.advance(1_000)  # tokens of the example before have expired
        self.done: dict[int, list[Member]] = {}

    @step(members=MEMBERS)
    def transact(self, members: list[Member]) -> None:
        self._transact(members, None)

    @step(members=MEMBERS, number=st.integers(1, 2))
    def transact_with_a_token(self, members: list[Member], number: int) -> None:
        token = own_token(self.table, number)
        if number in self.done:
            members = self.done[number]
            result = self.database.transact_write([action(self.table, member) for member in members], token=token)
            assert result.replayed is True
        elif self._transact(members, token):
            self.done[number] = members

    @step()
    def time_passes(self) -> None:
        self.clock.advance(601)
        self.done.clear()

    @step(member=MEMBERS.map(lambda members: members[0]))
    def write(self, member: Member) -> None:
        key, _kind, when, number, _flag = member
        self.agree(lambda: self.model.put({"id": key, "n": number}, when),
                   lambda: self.table.put({"id": key, "n": number}, when=when, returning="old"))  # fmt: skip

    @step(ids=st.lists(st.sampled_from((*IDS, "none")), min_size=1, max_size=8))
    def read(self, ids: list[str]) -> None:
        found = self.database.transact_get([self.table.actions.get(id=key) for key in ids])
        assert_same([self.model.find({"id": key}) for key in ids], list(found))

    def _transact(self, members: list[Member], token: str | None) -> bool:
        """Whether it was applied; every member names another item, so the order of judging does not matter."""
        trial = Model("id")
        for item in self.model.items:
            trial.put(item)
        right = [failure(trial, member) for member in members]
        actions = [action(self.table, member) for member in members]
        if not any(right):
            self.database.transact_write(actions, token=token)
            self.model = trial
            return True
        try:
            self.database.transact_write(actions, token=token)
        except TransactionFailed as error:
            assert [None if reason is None else type(reason) for reason in error.reasons] == right
            return False
        raise AssertionError(f"the transaction was applied, but these reasons are against it: {right}")


class TransactionMachineSuite(Suite):
    """Runs the machine."""

    @rule("TXN-3", "TXN-4", "TXN-6", "TXN-8", "TXN-12")
    @requires(Capability.TRANSACT_WRITE, Capability.TRANSACT_GET, Capability.IDEMPOTENCY_TOKEN)
    def test_transaction_machine(self, database: Database, make_table: MakeTable, clock: FakeClock) -> None:
        """Random transactions leave the table as the model says, with the model's reasons."""
        table = make_table()
        run_machine(lambda: TransactionMachine(database, table, clock))
