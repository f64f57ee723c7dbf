"""Layers: every kind of operation is handled, nothing is lost, changed, reordered, leaked or swallowed (rule LYR-1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from inspect import isgeneratorfunction
from typing import Any, ClassVar

import pytest

from isthmus import BoundTable, Capability, Database, Emulated, F, Layer, Stage, Unsupported
from isthmus import operations as op
from isthmus.errors import AlreadyExists, ConditionFailed, ItemNotFound, PermissionDenied, TransactionFailed
from isthmus.expressions import Changes, Set
from isthmus.layers import arrange
from isthmus.operations import Context
from isthmus_conformance.base import OpenDatabase, Suite, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.faults import Fault, FaultyBackend
from isthmus_conformance.rules import rule

CANARY = "canary-7f3a9c"
"""Text that must not be found at rest beneath a layer that transforms values."""

Write = Callable[[BoundTable, dict[str, Any]], Any]
WRITES: Mapping[str, Write] = {
    "create": lambda table, item: table.create(item),
    "put": lambda table, item: table.put(item),
    "conditional put": lambda table, item: table.put(item, when=F.n.not_exists()),
    "update": lambda table, item: (table.put({"id": item["id"]}), _update(table, item)),
    "upsert": lambda table, item: _update(table, item, upsert=True),
    "upsert of what is absent": lambda table, item: table.update(
        id=item["id"], set_if_absent={name: value for name, value in item.items() if name != "id"}, upsert=True
    ),
    "put_many": lambda table, item: table.put_many([item, {"id": "other"}]).raise_for_failures(),
    "transaction create": lambda table, item: _transact(table, table.actions.create(item)),
    "transaction put": lambda table, item: _transact(table, table.actions.put(item)),
    "transaction update": lambda table, item: _transact(table, _update(table.actions, item, upsert=True)),
}

Read = Callable[[BoundTable], Any]
READS: Mapping[str, Read] = {
    "get": lambda table: table.get(id="1"),
    "get, not strong": lambda table: table.get(id="1", consistent=False),
    "query": lambda table: next(iter(table.query(id="1"))),
    "scan": lambda table: next(iter(table.scan())),
    "page": lambda table: table.query(id="1").page(size=1).items[0],
    "first": lambda table: table.scan().first(),
    "parallel scan": lambda table: next(iter(table.scan(segments=3))),
    "get_many": lambda table: table.get_many([{"id": "9"}, {"id": "1"}]).items[1],
    "get_many, not strong": lambda table: table.get_many([{"id": "9"}, {"id": "1"}], consistent=False).items[1],
    "transact_get": lambda table: table.database.transact_get([table.actions.get(id="1")])[0],
    "old image of a put": lambda table: table.put({"id": "1"}, returning="old"),
    "old image of an update": lambda table: table.update(id="1", set={"x": 1}, returning="old"),
    "new image of an update": lambda table: table.update(id="1", set={"n": 1}, returning="new"),
    "pop": lambda table: table.pop(id="1"),
    "failed put": lambda table: _current(lambda: table.put({"id": "1"}, when=F.n == 9)),
    "failed update": lambda table: _current(lambda: table.update(id="1", set={"x": 1}, when=F.n == 9)),
    "failed delete": lambda table: _current(lambda: table.delete(id="1", when=F.n == 9)),
    "failed transaction": lambda table: _reason(table).current,
}

Change = Callable[[BoundTable], Any]
CHANGES: Mapping[str, Change] = {
    "put": lambda table: table.put({"id": "1", "n": 2}),
    "update": lambda table: table.update(id="1", add={"n": 1}),
    "delete": lambda table: table.delete(id="1"),
    "pop": lambda table: table.pop(id="1"),
    "put_many": lambda table: table.put_many([{"id": "1", "n": 2}, {"id": "new", "n": 2}]),
    "delete_many": lambda table: table.delete_many([{"id": "1"}]),
    "create": lambda table: table.create({"id": "new", "n": 2}),
    "transaction": lambda table: _transact(
        table, table.actions.update(id="1", add={"n": 1}), table.actions.create({"id": "new", "n": 2})
    ),
    "transaction of deletes": lambda table: _transact(table, table.actions.delete(id="1")),
}


def _update(target: Any, item: Mapping[str, Any], **options: Any) -> Any:
    rest = {name: value for name, value in item.items() if name != "id"}
    return target.update(id=item["id"], set=rest, **options)


def _transact(table: BoundTable, *actions: op.Action) -> Any:
    return table.database.transact_write([*actions, table.actions.put({"id": "bystander"})])


def _current(call: Callable[[], Any]) -> Any:
    with pytest.raises(ConditionFailed) as caught:
        call()
    return caught.value.current


def _reason(table: BoundTable) -> Any:
    check = table.actions.check(id="1", when=F.n == 9)
    with pytest.raises(TransactionFailed) as caught:
        table.database.transact_write([table.actions.put({"id": "5"}), check])
    assert [type(reason) for reason in caught.value.reasons] == [type(None), ConditionFailed]
    return caught.value.reasons[1]


class LayerTests(Suite):
    """The tests that ``LayerSuite`` adds to the contract.

    :cvar transforms: whether values of the attribute ``protected`` are stored in another form
    :cvar protected: a top-level attribute that the layers transform; nothing else in the suites has this name
    """

    transforms: ClassVar[bool] = False
    protected: ClassVar[str] = "canary"

    @pytest.fixture
    def secret(self) -> dict[str, Any]:
        """An item with the canary in its protected attribute."""
        return {"id": "1", "n": 1, self.protected: CANARY}

    # ---- what is stored, and what comes back ----

    @rule("LYR-1")
    @pytest.mark.parametrize("write", WRITES)
    def test_protected_values_are_not_found_at_rest(
        self, database: Database, table: BoundTable, secret: dict[str, Any], write: str
    ) -> None:
        """Whatever kind of write brought a value, it is stored in its other form."""
        if not self.transforms:
            pytest.skip("the layers don't transform values")
        WRITES[write](table, secret)
        stored = [item for item in stored_items(database, table) if item["id"] == "1"]
        assert [self.protected in item for item in stored] == [True]
        assert CANARY not in repr(stored)

    @rule("LYR-1")
    @pytest.mark.parametrize("write", WRITES)
    def test_every_kind_of_write_is_read_back(self, table: BoundTable, secret: dict[str, Any], write: str) -> None:
        """What was written by any kind of operation comes back as it was."""
        WRITES[write](table, secret)
        assert_same(secret, table.get(id="1"))

    @rule("LYR-1")
    @pytest.mark.parametrize("read", READS)
    def test_every_kind_of_read_gives_what_was_written(
        self, table: BoundTable, secret: dict[str, Any], read: str
    ) -> None:
        """Reads, pages, batches, returned images and the current items of failures show values as they were written."""
        table.put(secret)
        assert_same(secret, READS[read](table))

    @rule("LYR-1", "QRY-11")
    def test_a_projection_shows_protected_values(self, table: BoundTable, secret: dict[str, Any]) -> None:
        """A value comes back as written also where nothing else was asked for."""
        table.put(secret)
        wanted = {self.protected: CANARY}
        found = [table.get(id="1", select=[self.protected]), *table.scan().select(self.protected)]
        assert found == [wanted, wanted]

    @rule("LYR-1")
    def test_values_of_every_type_survive_in_protected_attributes(self, table: BoundTable) -> None:
        """A layer that transforms text leaves the type of every other value alone."""
        values = [None, True, 0, "", b"\0", [CANARY, 1], {"x": {CANARY}}, {1, 2}]
        items = [{"id": str(place), self.protected: value} for place, value in enumerate(values)]
        table.put_many(items).raise_for_failures()
        normal = [None, True, 0, "", b"\0", [CANARY, 1], {"x": frozenset({CANARY})}, frozenset({1, 2})]
        wanted = [{"id": str(place), self.protected: value} for place, value in enumerate(normal)]
        assert_same(wanted, [table.get(id=str(place)) for place in range(len(values))])

    # ---- freshness ----

    @rule("LYR-1")
    @pytest.mark.parametrize("change", CHANGES)
    def test_own_writes_are_seen(self, database: Database, table: BoundTable, change: str) -> None:
        """After each kind of write, reads through the layers agree with the store, weak ones and batches too."""
        table.put({"id": "1", "n": 1})
        keys = [{"id": "1"}, {"id": "new"}]
        for _warm in range(2):
            assert [table.find(key, consistent=False) for key in keys] == [{"id": "1", "n": 1}, None]
            assert list(table.get_many(keys, consistent=False)) == [{"id": "1", "n": 1}, None]
        CHANGES[change](table)
        stored = {item["id"]: item for item in stored_items(database, table)}
        wanted = [stored.get(key["id"]) for key in keys]
        assert wanted != [{"id": "1", "n": 1}, None]
        assert [table.find(key, consistent=False) for key in keys] == wanted
        assert list(table.get_many(keys, consistent=False)) == wanted

    @rule("LYR-1", "QRY-12")
    @pytest.mark.parametrize("change", CHANGES)
    def test_strong_reads_see_writes_from_elsewhere(
        self, database: Database, table: BoundTable, open_database: OpenDatabase, change: str
    ) -> None:
        """A strong read is answered by the store, whatever was read before."""
        table.put({"id": "1", "n": 1})
        keys = [{"id": "1"}, {"id": "new"}]
        before = [table.find(key) for key in keys]
        elsewhere = open_database(FaultyBackend(database.backend)).table(table.schema)
        CHANGES[change](elsewhere)
        stored = {item["id"]: item for item in stored_items(database, table)}
        wanted = [stored.get(key["id"]) for key in keys]
        assert wanted != before
        assert [table.find(key) for key in keys] == wanted
        assert list(table.get_many(keys)) == wanted

    @rule("LYR-1", "CND-7")
    def test_a_failed_write_that_happened_is_seen(self, table: BoundTable, open_database: OpenDatabase) -> None:
        """After an error that leaves the outcome open, reads ask the store."""
        table.put({"id": "1", "n": 1})
        fault = Fault(PermissionDenied("lost", maybe_applied=True), applied=True)
        faulty = FaultyBackend(table.database.backend)
        weak = open_database(faulty).table(table.schema)
        assert weak.get(id="1", consistent=False) == {"id": "1", "n": 1}
        faulty.plan.append(fault)
        with pytest.raises(Exception, match=r".+"):
            weak.update(id="1", set={"n": 2})
        assert weak.get(id="1", consistent=False) == {"id": "1", "n": 2}

    # ---- nothing is shared or changed ----

    @rule("LYR-1", "LYR-3")
    @pytest.mark.parametrize("consistent", [True, False])
    def test_reads_share_nothing(self, table: BoundTable, consistent: bool) -> None:
        """Whoever changes what was read does not change what the next reader gets."""
        item = {"id": "1", "list": [1, {"a": [2]}]}
        table.put(item)
        for _time in range(3):
            found: Any = table.get(id="1", consistent=consistent)
            assert found == item
            found["list"][1]["a"].append("changed")
            found["x"] = 1
            many: Any = table.get_many([{"id": "1"}], consistent=consistent).items[0]
            assert many == item
            many["list"].clear()

    @rule("LYR-1", "LYR-3")
    @pytest.mark.parametrize("kind", ["create", "put", "update", "put_many", "transact_write"])
    def test_operations_are_not_changed(
        self, database: Database, table: BoundTable, secret: dict[str, Any], kind: str
    ) -> None:
        """A layer that rewrites an operation makes a copy: outer layers and the caller see their own unchanged."""
        context, schema = Context(), table.schema
        item = {**secret, "list": [1, {"a": 2}]}
        create = op.Create(context, schema, item)
        change = op.Update(context, schema, {"id": "1"}, Changes([Set((self.protected,), CANARY)]), upsert=True)
        operation: op.Operation = {
            "create": create, "put": op.Put(context, schema, item), "update": change,
            "put_many": op.PutMany(context, schema, (item,)), "transact_write": op.TransactWrite(context, (create,)),
        }[kind]  # fmt: skip
        before = deepcopy(operation)
        database.execute(operation)
        assert operation == before

    # ---- batches, errors, context ----

    @rule("LYR-1", "BAT-5")
    @pytest.mark.parametrize("consistent", [True, False])
    def test_batches_keep_their_order(self, table: BoundTable, consistent: bool) -> None:
        """Answers stand where they were asked for, also when some are known already and some are missing."""
        items = [{"id": name, "n": n} for n, name in enumerate("hcfadgbe")]
        table.put_many(items).raise_for_failures()
        table.get(id="d", consistent=False)
        table.get_many([{"id": "a"}, {"id": "zz"}], consistent=False)
        asked = ["h", "zz", "a", "d", "c", "yy", "a", "b"]
        stored = {str(item["id"]): item for item in items}
        found = table.get_many([{"id": name} for name in asked], consistent=consistent)
        assert list(found) == [stored.get(name) for name in asked]

    @rule("LYR-1", "BAT-3")
    def test_failures_keep_their_positions(self, table: BoundTable, open_database: OpenDatabase) -> None:
        """Members that the store refuses are reported at their places, for each kind of batch."""
        keys = [{"id": str(n)} for n in range(5)]
        faulty = FaultyBackend(table.database.backend)
        broken = open_database(faulty).table(table.schema)
        calls: list[Callable[[], Any]] = [
            lambda: broken.put_many(keys), lambda: broken.get_many(keys, consistent=False),
            lambda: broken.delete_many(keys),
        ]  # fmt: skip
        for call in calls:
            faulty.plan.append(Fault(leftovers=frozenset({1, 3}), leftover_error=PermissionDenied("not these")))
            failures = [(failure.position, type(failure.error)) for failure in call().failures]
            assert failures == [(1, PermissionDenied), (3, PermissionDenied)]
        assert [item["id"] for item in stored_items(table.database, table)] == []

    @rule("LYR-1", "CND-8")
    @pytest.mark.parametrize("call", [*READS, *CHANGES])
    def test_errors_pass(
        self, table: BoundTable, open_database: OpenDatabase, secret: dict[str, Any], call: str
    ) -> None:
        """An error of the store reaches the caller as it is, from every kind of operation."""
        table.put(secret)
        faulty = FaultyBackend(table.database.backend)
        broken = open_database(faulty).table(table.schema)
        error = PermissionDenied("the store says no")
        faulty.plan.extend([Fault(error)] * 10)
        with pytest.raises(PermissionDenied) as caught:
            {**READS, **CHANGES}[call](broken)
        assert (caught.value.message, caught.value.maybe_applied) == ("the store says no", False)

    @rule("LYR-1")
    def test_errors_of_the_contract_pass(self, table: BoundTable, secret: dict[str, Any]) -> None:
        """Refused writes raise what they raise without layers, and change nothing."""
        table.put(secret)
        refused: list[tuple[type[Exception], Callable[[], Any]]] = [
            (AlreadyExists, lambda: table.create(secret)),
            (ItemNotFound, lambda: table.update(id="9", set={"n": 1})),
            (ItemNotFound, lambda: table.get(id="9")),
            (ConditionFailed, lambda: table.put({"id": "9"}, when=F.n == 9)),
        ]
        for error, call in refused:
            with pytest.raises(error) as caught:
                call()
            assert type(caught.value) is error
        assert_same_items([secret], table.scan())

    @rule("LYR-1")
    def test_the_context_reaches_the_store(self, table: BoundTable, open_database: OpenDatabase) -> None:
        """The caller's name stays with every kind of operation, for the layers further in."""
        faulty = FaultyBackend(table.database.backend)
        bound = open_database(faulty).bind(actor="somebody").table(table.schema)
        bound.put({"id": "1", "n": 1})
        for change in CHANGES.values():
            bound.put({"id": "1", "n": 1})
            bound.delete(id="new")
            change(bound)
        list(bound.scan())
        bound.get_many([{"id": "1"}])
        assert {attempt.context.actor for attempt in faulty.attempts} == {"somebody"}

    # ---- capabilities and place ----

    @rule("LYR-1")
    @pytest.mark.parametrize("capability", list(Capability))
    def test_capabilities_come_from_within(
        self, database: Database, open_database: OpenDatabase, capability: Capability
    ) -> None:
        """What the store does not support is unsupported outside of the layers too, or emulated with a reason."""
        limited = FaultyBackend(database.backend)
        limited.capabilities = database.backend.capabilities.replace({capability: Unsupported("for this test")})
        level = open_database(limited).capabilities[capability]
        assert isinstance(level, (Unsupported, Emulated)), f"{capability.value} is called {level}"

    @rule("LYR-1")
    def test_layers_stand_in_their_stages(self, database: Database, under_test: list[Layer]) -> None:
        """The layers under test are part of the composed stack, from outer to inner stages."""
        explained = [(name, stage) for name, stage, _kinds in database.explain().layers]
        assert {(layer.name, layer.stage.name) for layer in under_test} <= set(explained)
        assert all(isgeneratorfunction(layer.flow) and set(layer.handles) <= set(op.OPERATIONS) for layer in under_test)
        stages = [Stage[stage] for _name, stage in explained]
        if all(layer.order is None for layer in under_test):
            assert stages == sorted(stages)

    @rule("LYR-1")
    def test_layers_go_with_layers_of_other_stages(self, under_test: list[Layer]) -> None:
        """No guard pair is crossed when one more layer stands at every stage that the plugin does not take."""
        others = [_Other(stage) for stage in Stage if stage not in {layer.stage for layer in under_test}]
        assert len(arrange([*under_test, *others])) == len(under_test) + len(others)


class _Other(Layer):
    """A layer of somebody else."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage  # type: ignore[misc]  # one class for all stages
        self.name = f"other {stage.name}"

    def flow(self, operation: op.Operation) -> Any:
        return (yield operation)
