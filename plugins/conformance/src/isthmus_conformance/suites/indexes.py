"""Secondary indexes: what is in them, in which order, and what they refuse (rules KEY-10, QRY-4, QRY-8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isthmus import BoundTable, Capability, Database, F, Index
from isthmus.errors import InvalidArgument, InvalidKey, TransactionFailed, UnsupportedOperation
from isthmus_conformance.base import MakeTable, Suite, requires
from isthmus_conformance.eventually import eventually
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import KEY_POOLS, load, numbered, walk
from isthmus_conformance.suites.index_machine import IndexMachineSuite

BY_GROUP = Index("by_group", "g", ("r", int))
WRONG_KEYS: tuple[dict[Any, Any], ...] = (
    {"g": 5}, {"g": ""}, {"g": None}, {"g": b"g"}, {"g": ["g"]}, {"r": "1"}, {"r": True}, {"r": None},
    {"g": "x" * 2_049},
)  # fmt: skip


def grouped(count: int) -> list[dict[str, Any]]:
    """Items of the index group ``g``, ranked against the order of their keys."""
    return [{**item, "g": "g", "r": count - item["n"]} for item in numbered(count)]


def members(table: BoundTable, group: str = "g") -> Callable[[], list[Any]]:
    """Reads the sort keys of an index group, in the index's order."""
    return lambda: [item["s"] for item in table.query(g=group, index="by_group")]


class IndexContentSuite(Suite):
    """Which items an index holds, and in which order."""

    @pytest.fixture
    def indexed(self, make_table: MakeTable) -> BoundTable:
        """A table with an index by group and rank."""
        return make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])

    @rule("KEY-10", "QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_an_item_without_an_index_key_is_not_in_the_index(self, indexed: BoundTable) -> None:
        """An index is sparse in each of its keys."""
        load(indexed, [
            {"p": "x", "s": "1", "g": "g", "r": 1}, {"p": "x", "s": "2", "g": "g"}, {"p": "x", "s": "3", "r": 1},
            {"p": "x", "s": "4"},
        ])  # fmt: skip
        eventually(["1"], members(indexed))
        assert len(list(indexed.query(p="x"))) == 4

    @rule("QRY-3", "QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_an_index_has_its_own_order(self, indexed: BoundTable) -> None:
        """By the index's sort key, in both directions, over all partitions of the table."""
        load(indexed, [{"p": f"p{rank}", "s": str(rank), "g": "g", "r": rank} for rank in (5, -2, 10, 9)])
        eventually(["-2", "5", "9", "10"], members(indexed))
        eventually(["10", "9"], lambda: [item["s"] for item in indexed.query(g="g", index="by_group").descending()][:2])

    @rule("QRY-8", "KEY-10")
    @requires(Capability.SECONDARY_INDEX)
    def test_updates_move_items_in_the_index(self, indexed: BoundTable) -> None:
        """A changed key moves the entry, a removed one takes it out, a new one brings it back."""
        load(indexed, grouped(3))
        eventually(["002", "001", "000"], members(indexed))
        indexed.update(p="x", s="000", set={"r": -5})
        eventually(["000", "002", "001"], members(indexed))
        indexed.update(p="x", s="002", set={"g": "h"})
        eventually((["000", "001"], ["002"]), lambda: (members(indexed)(), members(indexed, "h")()))
        indexed.update(p="x", s="001", remove="r")
        eventually(["000"], members(indexed))
        indexed.update(p="x", s="001", set={"r": 0})
        eventually(["000", "001"], members(indexed))

    @rule("QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_every_kind_of_write_reaches_the_index(self, indexed: BoundTable) -> None:
        """Create, put over, put_many, delete, delete_many and transactions keep the index in step."""
        indexed.create({"p": "x", "s": "1", "g": "g", "r": 1})
        indexed.put_many([{"p": "x", "s": str(n), "g": "g", "r": n} for n in (2, 3, 4, 5)])
        eventually(["1", "2", "3", "4", "5"], members(indexed))
        indexed.put({"p": "x", "s": "1", "g": "g", "r": 9})
        indexed.delete(p="x", s="2")
        indexed.delete_many([{"p": "x", "s": "3"}])
        eventually(["4", "5", "1"], members(indexed))
        indexed.put({"p": "x", "s": "5"})
        eventually(["4", "1"], members(indexed))

    @rule("QRY-8", "TXN-3")
    @requires(Capability.SECONDARY_INDEX, Capability.TRANSACT_WRITE)
    def test_transactions_reach_the_index(self, indexed: BoundTable) -> None:
        """Each action of a transaction moves its index entry."""
        load(indexed, grouped(3))
        do = indexed.actions
        indexed.database.transact_write([
            do.put({"p": "x", "s": "9", "g": "g", "r": 0}), do.update(p="x", s="000", remove="g"),
            do.update(p="x", s="001", set={"r": 7}), do.delete(p="x", s="002"),
        ])  # fmt: skip
        eventually(["9", "001"], members(indexed))

    @rule("QRY-4", "QRY-14", "QRY-13")
    @requires(Capability.SECONDARY_INDEX)
    @pytest.mark.parametrize("forward", [True, False])
    def test_ties_are_stable_within_a_chain_of_cursors(self, indexed: BoundTable, forward: bool) -> None:
        """Many items with one index key: pages neither repeat nor skip one."""
        load(indexed, [{"p": f"p{n % 4}", "s": f"{n:02}", "g": "g", "r": n // 10} for n in range(30)])
        query = indexed.query(g="g", index="by_group")
        query = query if forward else query.descending()
        eventually(30, query.count)
        found = walk(query, 4)
        ranks: list[Any] = [item["r"] for item in found]
        assert sorted(str(item["s"]) for item in found) == [f"{n:02}" for n in range(30)]
        assert ranks == sorted(ranks, reverse=not forward)
        assert [item["s"] for item in walk(query, 7)] == [item["s"] for item in found]

    @rule("QRY-13", "QRY-15")
    @requires(Capability.SECONDARY_INDEX)
    def test_an_index_cursor_survives_deletion_and_moves(self, indexed: BoundTable) -> None:
        """The item that ended a page is deleted or moved: the next page begins after its old place."""
        load(indexed, [{"p": "x", "s": f"{n}", "g": "g", "r": n} for n in range(6)])
        query = indexed.query(g="g", index="by_group")
        eventually(6, query.count)
        cursor = query.page(size=2).cursor
        indexed.delete(p="x", s="1")
        indexed.update(p="x", s="0", set={"r": 100})
        eventually(["2", "3", "4", "5", "0"], lambda: [item["s"] for item in query.page(size=9, cursor=cursor).items])

    @rule("QRY-3", "STR-1", "BIN-1")
    @requires(Capability.SECONDARY_INDEX)
    @pytest.mark.parametrize("kind", ["string", "number", "binary"])
    def test_index_keys_of_every_type(self, make_table: MakeTable, kind: str) -> None:
        """Partition and sort keys of an index may have any key type, ordered as in Python."""
        index = Index("by_kind", ("g", kind), ("r", kind))
        pool: Any = KEY_POOLS[kind]
        table = make_table(indexes=[index])
        load(table, [{"id": f"{n}", "g": pool[0], "r": key} for n, key in enumerate(pool)])
        eventually(sorted(pool), lambda: [item["r"] for item in table.query(g=pool[0], index="by_kind")])
        eventually([pool[3]], lambda: [item["r"] for item in table.query(g=pool[0], r=pool[3], index="by_kind")])

    @rule("QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_two_indexes_are_independent(self, make_table: MakeTable) -> None:
        """An item may be in one index and not in the other; indexes may share attributes and use the table's key."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP, Index("by_rank", "p", ("r", int))])
        load(table, [{"p": "x", "s": "1", "g": "g", "r": 2}, {"p": "x", "s": "2", "r": 1}])
        eventually(["1"], members(table))
        eventually(["2", "1"], lambda: [item["s"] for item in table.query(p="x", index="by_rank")])

    @rule("QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_an_index_without_a_sort_key(self, make_table: MakeTable) -> None:
        """All items of the group, each once, by pages too."""
        table = make_table(indexes=[Index("by_group", "g")])
        load(table, [{"id": f"{n:02}", "g": "g"} for n in range(12)])
        eventually(12, table.query(g="g", index="by_group").count)
        found = walk(table.query(g="g", index="by_group"), 5)
        assert sorted(str(item["id"]) for item in found) == [f"{n:02}" for n in range(12)]


class IndexRefusalSuite(Suite):
    """Projections and refusals."""

    @rule("KEY-10")
    @requires(Capability.SECONDARY_INDEX)
    @pytest.mark.parametrize("wrong", WRONG_KEYS, ids=repr)
    def test_wrong_index_keys_are_refused_on_every_write(self, make_table: MakeTable, wrong: dict[Any, Any]) -> None:
        """A present index key has the declared type and is not empty, or nothing is written."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        old, bad = {"p": "x", "s": "1", "n": 1}, {"p": "x", "s": "1", "g": "g", "r": 1, **wrong}
        good = {"p": "x", "s": "0"}
        table.put(old)
        writes: list[Callable[[], Any]] = [
            lambda: table.put(bad), lambda: table.create({**bad, "s": "2"}), lambda: table.put_many([good, bad]),
            lambda: table.update(p="x", s="1", set=wrong), lambda: table.update(p="x", s="3", set=wrong, upsert=True),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(InvalidKey):
                write()
        assert list(table.scan()) == [old]

    @rule("KEY-10", "UPD-3")
    @requires(Capability.SECONDARY_INDEX)
    @pytest.mark.parametrize("more", [{}, {"upsert": True}, {"append": {"list": [1]}}], ids=repr)
    def test_no_number_is_added_to_a_missing_key_of_text(self, make_table: MakeTable, more: dict[Any, Any]) -> None:
        """The sum would be a number where the index has text."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        old = {"p": "x", "s": "1", "r": 1, "list": []}
        table.put(old)
        with pytest.raises(InvalidKey):
            table.update(p="x", s="1", add={"g": 1}, **more)
        assert list(table.scan()) == [old]

    @rule("KEY-10", "TXN-7")
    @requires(Capability.SECONDARY_INDEX, Capability.TRANSACT_WRITE)
    def test_wrong_index_keys_are_refused_in_transactions(self, make_table: MakeTable) -> None:
        """A put with a wrong index key never becomes an action."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        with pytest.raises(InvalidKey):
            table.database.transact_write([table.actions.put({"p": "x", "s": "1", "g": 5})])
        assert table.scan().count() == 0

    @rule("KEY-10", "UPD-7")
    @requires(Capability.SECONDARY_INDEX)
    def test_arithmetic_may_change_an_index_key(self, make_table: MakeTable) -> None:
        """A number stays a number: the entry moves."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        load(table, grouped(2))
        table.update(p="x", s="001", add={"r": 10})
        eventually(["000", "001"], members(table))

    @rule("QRY-8", "QRY-11")
    @requires(Capability.SECONDARY_INDEX)
    def test_what_an_index_projects(self, make_table: MakeTable) -> None:
        """All attributes, only keys, or keys and the named ones."""
        indexes = [
            Index("ix_all", "g"), Index("ix_keys", "g", projection="keys"), Index("ix_some", "g", projection=("a",)),
        ]  # fmt: skip
        table = make_table(partition_key="p", sort_key="s", indexes=indexes)
        keys = {"p": "x", "s": "1", "g": "g"}
        table.put({**keys, "a": 1, "b": 2})
        eventually([{**keys, "a": 1, "b": 2}], lambda: list(table.query(g="g", index="ix_all")))
        eventually([keys], lambda: list(table.query(g="g", index="ix_keys")))
        eventually([{**keys, "a": 1}], lambda: list(table.query(g="g", index="ix_some")))
        eventually([{"a": 1}], lambda: list(table.query(g="g", index="ix_some").select("a")))

    @rule("QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_unprojected_attributes_are_refused(self, make_table: MakeTable) -> None:
        """A filter or a projection never quietly misses what the index does not hold."""
        index = Index("ix_keys", "g", projection="keys")
        table = make_table(partition_key="p", sort_key="s", indexes=[index])
        query = table.query(g="g", index="ix_keys")
        uses: list[Callable[[], Any]] = [
            lambda: query.where(F.a == 1), lambda: query.where(F.m.x.exists()), lambda: query.select("a"),
            lambda: query.where((F.p == "x") & ~F.a.exists()),
        ]  # fmt: skip
        for use in uses:
            with pytest.raises(InvalidArgument):
                use()
        assert list(query.where((F.p == "x") | (F.s == "1"))) == []

    @rule("KEY-10")
    @requires(Capability.SECONDARY_INDEX, Capability.UPDATE)
    @pytest.mark.parametrize("wrong", WRONG_KEYS, ids=repr)
    def test_stored_indexes_refuse_what_the_declaration_leaves_out(
        self, database: Database, make_table: MakeTable, wrong: dict[Any, Any]
    ) -> None:
        """A caller who declares fewer indexes than are stored can't write items that those can't hold."""
        stored = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        table = database.table(stored.name, partition_key="p", sort_key="s")
        old, bad = {"p": "x", "s": "1", "n": 1}, {"p": "x", "s": "1", "g": "g", "r": 1, **wrong}
        table.put(old)
        writes: list[Callable[[], Any]] = [
            lambda: table.put(bad), lambda: table.put(bad, returning="old"), lambda: table.create({**bad, "s": "2"}),
            lambda: table.put_many([{"p": "x", "s": "0"}, bad]).raise_for_failures(),
            lambda: table.update(p="x", s="1", set=wrong),
        ]  # fmt: skip
        for write in writes:
            with pytest.raises(InvalidKey):
                write()
        assert list(stored.scan()) == [old]

    @rule("KEY-10", "TXN-6")
    @requires(Capability.SECONDARY_INDEX, Capability.TRANSACT_WRITE)
    def test_stored_indexes_refuse_the_same_in_a_transaction(self, database: Database, make_table: MakeTable) -> None:
        """The action's reason is InvalidKey, and nothing is applied."""
        stored = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        do = database.table(stored.name, partition_key="p", sort_key="s").actions
        with pytest.raises(TransactionFailed) as raised:
            database.transact_write([do.put({"p": "x", "s": "1"}), do.put({"p": "x", "s": "2", "g": 5, "r": 1})])
        assert [type(reason) for reason in raised.value.reasons] == [type(None), InvalidKey]
        assert list(stored.scan()) == []

    @rule("QRY-7")
    @requires(Capability.SECONDARY_INDEX)
    def test_filters_and_ranges_through_an_index(self, make_table: MakeTable) -> None:
        """A range on the index's sort key, filters on the table's keys and on other attributes."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        load(table, grouped(9))
        query = table.query(g="g", index="by_group").where(F.r.between(3, 7) & (F.s != "004") & (F.n < 6))
        eventually(["005", "003", "002"], lambda: [item["s"] for item in query])

    @rule("QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_strong_reads_through_an_index(self, make_table: MakeTable) -> None:
        """They see the write before them where the backend declares them, and are refused elsewhere."""
        table = make_table(partition_key="p", sort_key="s", indexes=[BY_GROUP])
        query = table.query(g="g", index="by_group").consistent()
        table.put({"p": "x", "s": "1", "g": "g", "r": 1})
        if table.database.capabilities.supports(Capability.STRONG_INDEX_READ):
            assert [item["s"] for item in query] == ["1"]
            return
        with pytest.raises(UnsupportedOperation):
            list(query)

    @rule("QRY-8")
    @requires(Capability.SECONDARY_INDEX)
    def test_an_unknown_index_is_refused(self, make_table: MakeTable) -> None:
        """An index that is not declared is an invalid argument."""
        with pytest.raises(InvalidArgument):
            make_table(partition_key="p", sort_key="s").query(g="g", index="by_group")


class IndexesSuite(IndexContentSuite, IndexRefusalSuite, IndexMachineSuite):
    """Secondary indexes."""
