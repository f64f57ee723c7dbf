"""Revisions: what was seen of an item, and writes that depend on it (rule TXN-14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from attrs import evolve

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import AlreadyExists, ItemChanged, TransactionFailed
from isthmus.operations import Action, Revision, TransactGet
from isthmus.results import GetResult, TransactGetResult
from isthmus_conformance.base import FakeClock, MakeTable, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.rules import rule

BEFORE: dict[str, Any] = {"id": "1", "n": 1, "m": {"x": [1, 2]}}
Change = Callable[[BoundTable], object]

CHANGES: dict[str, Change] = {
    "put": lambda table: table.put({**BEFORE, "n": 2}),
    "type": lambda table: table.put({**BEFORE, "n": True}),
    "added": lambda table: table.put({**BEFORE, "more": 1}),
    "taken": lambda table: table.put({"id": "1", "n": 1}),
    "batch": lambda table: table.put_many([{**BEFORE, "more": 1}]).raise_for_failures(),
    "update": lambda table: table.update(id="1", set={"more": 1}),
    "nested": lambda table: table.update(id="1", set={F.m.x[1]: 3}),
    "delete": lambda table: table.delete(id="1"),
    "anew": lambda table: (table.delete(id="1"), table.create({**BEFORE, "n": 3})),
}
"""What makes another item of ``BEFORE``."""

ACTIONS: dict[str, Callable[[BoundTable], Action]] = {
    "create": lambda table: table.actions.create({"id": "1", "new": 1}),
    "put": lambda table: table.actions.put({"id": "1", "new": 1}),
    "update": lambda table: table.actions.update(id="1", set={"new": 1}, upsert=True),
    "delete": lambda table: table.actions.delete(id="1"),
}


def seen(table: BoundTable, key: str = "1") -> Revision:
    """The revision of an item."""
    answer = cast("GetResult", table.database.execute(evolve(table.actions.get(id=key), revision=True)))
    assert answer.revision is not None
    return answer.revision


def depending(table: BoundTable, kind: str, revision: Revision) -> Action:
    """An action on the item that depends on its revision."""
    return evolve(ACTIONS[kind](table), unchanged=revision)


class RevisionSuite(Suite):
    """Revisions of single items and in transactions."""

    @rule("TXN-14")
    @requires(Capability.REVISION)
    @pytest.mark.parametrize("kind", ["put", "update", "delete"])
    def test_what_was_not_changed_is_written(self, database: Database, table: BoundTable, kind: str) -> None:
        """A present item, and then a missing one."""
        table.put(BEFORE)
        database.execute(depending(table, kind, seen(table)))
        if kind != "delete":
            assert table.get(id="1")["new"] == 1
        table.delete(id="1")
        for possible in ("create", "put", "update"):
            database.execute(depending(table, possible, seen(table)))
            assert_same({"id": "1", "new": 1}, table.get(id="1"))
            table.delete(id="1")

    @rule("TXN-14")
    @requires(Capability.REVISION)
    def test_what_was_changed_is_not_written(self, database: Database, table: BoundTable) -> None:
        """ItemChanged, from each kind of write, and the item stays as it is."""
        for change, apply in CHANGES.items():
            table.put(BEFORE)
            revision = seen(table)
            apply(table)
            left = stored_items(database, table)
            for kind in ("put", "update", "delete"):
                try:
                    database.execute(depending(table, kind, revision))
                except ItemChanged as error:
                    assert (error.retryable, error.maybe_applied) == (False, False)
                else:
                    raise AssertionError(f"a {kind} took the item for unchanged, after: {change}")
            assert_same_items(left, stored_items(database, table))

    @rule("TXN-14")
    @requires(Capability.REVISION)
    @pytest.mark.parametrize("kind", ACTIONS)
    def test_what_was_created_is_not_written(self, database: Database, table: BoundTable, kind: str) -> None:
        """A missing item has a revision too; even creating says that the item has changed."""
        revision = seen(table)
        table.put(BEFORE)
        with pytest.raises(ItemChanged):
            database.execute(depending(table, kind, revision))
        assert_same_items([BEFORE], stored_items(database, table))
        with pytest.raises(AlreadyExists):
            database.execute(depending(table, "create", seen(table)))

    @rule("TXN-14", "TXN-6")
    @requires(Capability.REVISION, Capability.TRANSACT_WRITE)
    @pytest.mark.parametrize("kind", [*ACTIONS, "check"])
    def test_each_action_of_a_transaction_tells(self, database: Database, table: BoundTable, kind: str) -> None:
        """ItemChanged is a reason like any other, before that of a condition; nothing is applied."""
        table.put({"id": "2", "n": 1})
        revisions = [seen(table, key) for key in "12"]
        table.put(BEFORE)
        false = table.actions.check(id="1", when=F.n == 5)
        action = false if kind == "check" else ACTIONS[kind](table)
        others: list[Action] = [
            evolve(table.actions.update(id="2", add={"n": 1}), unchanged=revisions[1]),
            table.actions.put({"id": "3"}),
        ]
        with pytest.raises(TransactionFailed) as raised:
            database.transact_write([others[0], evolve(action, unchanged=revisions[0]), others[1]])
        assert [type(reason) for reason in raised.value.reasons] == [type(None), ItemChanged, type(None)]
        assert_same_items([BEFORE, {"id": "2", "n": 1}], stored_items(database, table))
        database.transact_write(others)
        assert_same([{"id": "2", "n": 2}, {"id": "3"}], [table.get(id="2"), table.get(id="3")])

    @rule("TXN-14", "TXN-5")
    @requires(Capability.REVISION, Capability.TRANSACT_WRITE)
    def test_an_item_that_is_only_checked_has_to_be_as_it_was(self, database: Database, table: BoundTable) -> None:
        """A check needs no condition then."""
        table.put(BEFORE)
        checks: list[Action] = [
            evolve(table.actions.check(id=key, when=F.id.exists()), condition=None, unchanged=seen(table, key))
            for key in ("1", "none")
        ]
        database.transact_write([*checks, table.actions.put({"id": "2"})])
        table.put({"id": "none"})
        with pytest.raises(TransactionFailed) as raised:
            database.transact_write([*checks, table.actions.put({"id": "3"})])
        assert [type(reason) for reason in raised.value.reasons] == [type(None), ItemChanged, type(None)]
        assert_same_items([BEFORE, {"id": "2"}, {"id": "none"}], stored_items(database, table))

    @rule("TXN-14", "TTL-2")
    @requires(Capability.REVISION, Capability.TTL)
    def test_a_revision_ends_with_its_item(self, database: Database, make_table: MakeTable, clock: FakeClock) -> None:
        """One that expires has changed; one that has expired is as good as none."""
        table = make_table(ttl="expires")
        table.put({**BEFORE, "expires": int(clock.now) + 10})
        revision = seen(table)
        clock.advance(20)
        for kind in ("put", "update", "delete"):
            with pytest.raises(ItemChanged):
                database.execute(depending(table, kind, revision))
        database.execute(depending(table, "create", seen(table)))
        assert_same({"id": "1", "new": 1}, table.get(id="1"))

    @rule("TXN-14", "TXN-12")
    @requires(Capability.REVISION, Capability.TRANSACT_GET, Capability.PROJECTION)
    def test_a_revision_is_of_the_whole_item(self, database: Database, table: BoundTable) -> None:
        """Whatever part is read, alone or in a transaction; reads that don't ask for one have none."""
        table.put(BEFORE)
        get = evolve(table.actions.get(id="1", select=["n"]), revision=True)
        alone = cast("GetResult", database.execute(get))
        missing, plain = evolve(get, key={"id": "none"}), evolve(get, key={"id": "other"}, revision=False)
        found = cast("TransactGetResult", database.execute(TransactGet(get.context, (missing, get, plain))))
        assert_same([None, {"n": 1}, None], list(found.items))
        assert_same({"n": 1}, alone.item)
        assert (found.revisions[0], found.revisions[1], found.revisions[2]) == (seen(table, "none"), seen(table), None)
        table.put({**BEFORE, "more": 1})
        for revision in (alone.revision, found.revisions[1]):
            assert revision is not None
            with pytest.raises(ItemChanged):
                database.execute(depending(table, "put", revision))
