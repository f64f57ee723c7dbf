"""Transactions: all or nothing, every reason, limits, snapshots; the parts beside them (rules TXN-1 to TXN-13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isthmus import Capability, F
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    InvalidArgument,
    InvalidKey,
    InvalidValue,
    ItemNotFound,
    OutOfRange,
    TableNotFound,
    TransactionFailed,
    VersionConflict,
)
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same_items
from isthmus_conformance.faults import FaultyBackend
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.tokens import TokenSuite
from isthmus_conformance.suites.transaction_machine import TransactionMachineSuite
from isthmus_conformance.suites.transaction_runs import TransactionRunSuite


def reasons(error: TransactionFailed) -> list[type | None]:
    """The class of each reason."""
    return [None if reason is None else type(reason) for reason in error.reasons]


class TransactWriteSuite(Suite):
    """What a transaction does, and what makes it fail."""

    @rule("TXN-3")
    @requires(Capability.TRANSACT_WRITE)
    def test_all_kinds_of_actions_over_several_tables(self, make_table: MakeTable) -> None:
        """Create, put, update, delete and check, applied together."""
        first, second = make_table(), make_table(partition_key="p", sort_key="s")
        first.put_many([{"id": f"{n}", "n": n} for n in range(4)]).raise_for_failures()
        do, database = first.actions, first.database
        result = database.transact_write([
            do.create({"id": "9"}), do.put({"id": "0", "n": 10}), do.update(id="1", add={"n": 10}), do.delete(id="2"),
            do.check(id="3", when=F.n == 3), second.actions.update(p="x", s="1", set={"n": 1}, upsert=True),
            second.actions.delete(p="x", s="none"),
        ])  # fmt: skip
        assert result.replayed is False
        assert_same_items(
            [{"id": "9"}, {"id": "0", "n": 10}, {"id": "1", "n": 11}, {"id": "3", "n": 3}],
            stored_items(database, first),
        )
        assert_same_items([{"p": "x", "s": "1", "n": 1}], stored_items(database, second))

    @rule("TXN-3", "TXN-6")
    @requires(Capability.TRANSACT_WRITE)
    @pytest.mark.parametrize("place", [0, 4, 9])
    def test_one_failure_applies_nothing(self, make_table: MakeTable, place: int) -> None:
        """Wherever the failing action stands, no other one is applied, and its reason stands in its place."""
        table = make_table()
        before = [{"id": f"{n}", "n": n} for n in range(10)]
        table.put_many(before).raise_for_failures()
        actions: list[Any] = [table.actions.update(id=f"{n}", add={"n": 100}) for n in range(10)]
        actions[place] = table.actions.put({"id": f"{place}"}, when=F.n == -1)
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write(actions)
        assert reasons(caught.value) == [ConditionFailed if n == place else None for n in range(10)]
        assert_same_items(before, table.scan())

    @rule("TXN-6", "CND-2", "CND-6")
    @requires(Capability.TRANSACT_WRITE, Capability.CURRENT_ON_FAILURE)
    def test_every_reason_in_order(self, make_table: MakeTable) -> None:
        """All conditions are judged; each reason is that of a single write, with the current item."""
        table = make_table()
        table.put_many([{"id": f"{n}", "n": n} for n in range(5)]).raise_for_failures()
        do, wrong = table.actions, F.n == -1
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write([
                do.put({"id": "0"}, when=wrong), do.put({"id": "7"}), do.update(id="1", set={"m": 1}, when=wrong),
                do.delete(id="2", when=wrong), do.check(id="3", when=wrong), do.create({"id": "4"}),
                do.update(id="8", set={"m": 1}), do.check(id="9", when=F.n.exists()), do.check(id="10", when=F.n != 1),
            ])  # fmt: skip
        failed = ConditionFailed
        assert reasons(caught.value) == [
            failed, None, failed, failed, failed, AlreadyExists, ItemNotFound, failed, None,
        ]  # fmt: skip
        currents = [getattr(caught.value.reasons[place], "current", "none") for place in (0, 2, 3, 4, 7)]
        assert currents == [{"id": f"{n}", "n": n} for n in range(4)] + [None]
        assert table.scan().count() == 5

    @rule("TXN-3", "TXN-6")
    @requires(Capability.TRANSACT_WRITE)
    @pytest.mark.parametrize(
        ("change", "error"),
        [({"add": {"t": 1}}, InvalidValue), ({"set": {F.t.x: 1}}, InvalidArgument), ({"add": {"big": 1}}, OutOfRange)],
        ids=["type", "path", "range"],
    )
    def test_a_change_that_cannot_be_made_applies_nothing(
        self, make_table: MakeTable, change: dict[str, Any], error: type[Exception]
    ) -> None:
        """An update that fails on the stored item fails the transaction with its reason."""
        table = make_table()
        table.put({"id": "1", "t": "text", "big": int("9" * table.database.limits.number_digits + "0" * 80)})
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write([table.actions.put({"id": "0"}), table.actions.update(id="1", **change)])
        assert caught.value.reasons[0] is None
        assert isinstance(caught.value.reasons[1], error)
        assert table.find(id="0") is None

    @rule("TXN-6")
    @requires(Capability.TRANSACT_WRITE)
    @pytest.mark.parametrize("path", [F.t, F.t.deeper, F.missing.deeper], ids=["type", "parent", "missing parent"])
    def test_a_change_that_cannot_be_made_hides_no_other_reason(self, make_table: MakeTable, path: Any) -> None:
        """Every action is judged, whatever keeps another one from being applied."""
        table = make_table()
        table.put({"id": "1", "t": "text"})
        do = table.actions
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write([
                do.put({"id": "0"}), do.update(id="1", add={path: frozenset({"x"})}), do.update(id="8", set={"m": 1}),
                do.check(id="9", when=F.n == 1), do.create({"id": "7"}),
            ])  # fmt: skip
        found = reasons(caught.value)
        assert (found[0], *found[2:]) == (None, ItemNotFound, ConditionFailed, None)
        assert found[1] is not None

    @rule("TXN-4")
    @requires(Capability.TRANSACT_WRITE)
    def test_actions_see_the_state_before(self, make_table: MakeTable) -> None:
        """A check of one item does not see what another action does."""
        table = make_table()
        table.put({"id": "1", "n": 1})
        do = table.actions
        table.database.transact_write(
            [do.delete(id="1"), do.check(id="2", when=F.id.not_exists()), do.put({"id": "3"})]
        )
        assert [item["id"] for item in table.scan()] == ["3"]

    @rule("TXN-1")
    @requires(Capability.TRANSACT_WRITE)
    def test_a_hundred_actions(self, make_table: MakeTable) -> None:
        """One hundred actions are applied; one more, or none, is refused."""
        table = make_table()
        most = table.database.limits.transaction_actions
        actions = [table.actions.put({"id": f"{n}"}) for n in range(most + 1)]
        for wrong in (actions, []):
            with pytest.raises(InvalidArgument):
                table.database.transact_write(wrong)
        assert table.scan().count() == 0
        table.database.transact_write(actions[:most])
        assert table.scan().count() == most

    @rule("TXN-1", "SIZ-4")
    @requires(Capability.TRANSACT_WRITE)
    def test_four_megabytes(self, make_table: MakeTable) -> None:
        """More than 4 MiB of values is refused, and nothing is written; deleting that much is fine."""
        table = make_table()
        items = [{"id": f"{n}", "t": "t" * 400_000} for n in range(11)]
        with pytest.raises(InvalidArgument):
            table.database.transact_write([table.actions.put(item) for item in items])
        assert table.scan().count() == 0
        table.put_many(items).raise_for_failures()
        table.database.transact_write([table.actions.delete(id=f"{n}") for n in range(11)])
        assert table.scan().count() == 0

    @rule("TXN-2")
    @requires(Capability.TRANSACT_WRITE)
    def test_one_item_named_twice_is_refused(self, make_table: MakeTable) -> None:
        """Checks count; equal numbers are one key; the same key in another table is another item."""
        table, other = make_table(), make_table()
        do = table.actions
        pairs: list[list[Any]] = [
            [do.put({"id": "1"}), do.put({"id": "1"})], [do.check(id="1", when=F.n == 1), do.delete(id="1")],
            [do.create({"id": "1"}), do.put({"id": "2"}), do.update(id="1", set={"n": 1})],
        ]  # fmt: skip
        for pair in pairs:
            with pytest.raises(InvalidArgument):
                table.database.transact_write(pair)
        assert table.scan().count() == 0
        table.database.transact_write([do.put({"id": "1"}), other.actions.put({"id": "1"})])
        assert [table.scan().count(), other.scan().count()] == [1, 1]

    @rule("TXN-7")
    @requires(Capability.TRANSACT_WRITE)
    def test_invalid_arguments_are_refused_before_anything_is_sent(
        self, make_table: MakeTable, open_database: OpenDatabase
    ) -> None:
        """Keys, values, paths, tokens, foreign objects, items named twice and too many actions are checked first."""
        table = make_table()
        faulty = FaultyBackend(table.database.backend)
        database = open_database(faulty)
        do = database.table(table.schema).actions
        wrong: list[Callable[[], Any]] = [
            lambda: database.transact_write([do.put({"id": ""})]), lambda: database.transact_write([{"id": "1"}]),  # type: ignore[list-item]  # on purpose
            lambda: database.transact_write([do.put({"id": "1", "n": float("inf")})]),
            lambda: database.transact_write([do.update(id="1", set={"id": "2"})]),
            lambda: database.transact_write([do.update(id="1", set={"a": 1, F.a.b: 2})]),
            lambda: database.transact_write([do.get(id="1")]),  # type: ignore[list-item]  # on purpose
            lambda: database.transact_write([do.put({"id": "1"})], token=""),
            lambda: database.transact_write([do.put({"id": "1"})], token="t" * 37),
            lambda: database.transact_get([do.put({"id": "1"})]),  # type: ignore[list-item]  # on purpose
            lambda: database.transact_write([do.put({"id": "1"}), do.check(id="1", when=F.n == 1)]),
            lambda: database.transact_write([do.put({"id": f"{number}"}) for number in range(101)]),
        ]  # fmt: skip
        for call in wrong:
            with pytest.raises((InvalidArgument, InvalidKey, InvalidValue)):
                call()
        assert faulty.attempts == []

    @rule("TXN-11", "TAB-1")
    @requires(Capability.TRANSACT_WRITE)
    def test_an_unknown_table_applies_nothing(self, make_table: MakeTable) -> None:
        """A transaction creates no table."""
        table = make_table()
        missing = table.database.table("kit-no-such-table", partition_key="id")
        with pytest.raises(TableNotFound):
            table.database.transact_write([table.actions.put({"id": "1"}), missing.actions.put({"id": "1"})])
        assert table.scan().count() == 0
        assert "kit-no-such-table" not in table.database.tables.list()

    @rule("TXN-6", "CND-9")
    @requires(Capability.TRANSACT_WRITE)
    def test_a_stale_version_is_its_reason(self, make_table: MakeTable) -> None:
        """Versioned tables keep their versions in transactions too."""
        table = make_table(versioned=True)
        table.create({"id": "1"})
        table.update(id="1", set={"n": 1})
        stale = table.actions.update(id="1", set={"n": 2}, expected_version=1)
        with pytest.raises(TransactionFailed) as caught:
            table.database.transact_write([table.actions.create({"id": "2"}), stale])
        assert reasons(caught.value) == [None, VersionConflict]
        table.database.transact_write([table.actions.update(id="1", set={"n": 2}, expected_version=2)])
        assert table.get(id="1") == {"id": "1", "n": 2, "version": 3}


class TransactGetSuite(Suite):
    """Reading several items as of one moment."""

    @rule("TXN-12")
    @requires(Capability.TRANSACT_GET)
    def test_answers_stand_in_order(self, make_table: MakeTable) -> None:
        """Over several tables, with projections, repeated and missing items."""
        first, second = make_table(), make_table(partition_key="p", sort_key="s")
        first.put_many([{"id": "1", "n": 1, "m": 1}, {"id": "2", "n": 2}]).raise_for_failures()
        second.put({"p": "x", "s": "1", "n": 3})
        do = first.actions
        found = first.database.transact_get([
            do.get(id="2"), second.actions.get(p="x", s="1"), do.get(id="9"), do.get(id="1", select=["m"]),
            do.get(id="2"),
        ])  # fmt: skip
        two = {"id": "2", "n": 2}
        assert list(found) == [two, {"p": "x", "s": "1", "n": 3}, None, {"m": 1}, two]

    @rule("TXN-12", "QRY-11")
    @requires(Capability.TRANSACT_GET, Capability.PROJECTION)
    def test_each_place_gets_the_part_that_it_asked_for(self, make_table: MakeTable) -> None:
        """Several reads of one item with different projections are answered each with its own."""
        table = make_table()
        item = {"id": "1", "n": 1, "m": {"a": [2], "b": 3}}
        table.put(item)
        do = table.actions
        found = table.database.transact_get([
            do.get(id="1", select=["n"]), do.get(id="1", select=[F.m.a]), do.get(id="1"), do.get(id="1", select=["zz"]),
            do.get(id="1", select=["n"]),
        ])  # fmt: skip
        assert list(found) == [{"n": 1}, {"m": {"a": [2]}}, item, {}, {"n": 1}]

    @rule("TXN-12", "TXN-1")
    @requires(Capability.TRANSACT_GET)
    def test_up_to_a_hundred_items(self, make_table: MakeTable) -> None:
        """One hundred are read; one more, or none, is refused."""
        table = make_table()
        most = table.database.limits.transaction_actions
        gets = [table.actions.get(id=f"{n}") for n in range(most + 1)]
        assert list(table.database.transact_get(gets[:most])) == [None] * most
        for wrong in (gets, []):
            with pytest.raises(InvalidArgument):
                table.database.transact_get(wrong)


class TransactionsSuite(TransactWriteSuite, TokenSuite, TransactGetSuite, TransactionRunSuite, TransactionMachineSuite):
    """Transactions."""
