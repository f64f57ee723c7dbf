"""Units of work: own writes, seen inside and nowhere else, and how they add up (rules TXN-15, TXN-17)."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus import BoundTable, Database, F
from isthmus.errors import (
    AlreadyExists,
    ItemNotFound,
    TransactionFailed,
)
from isthmus_conformance.base import MakeTable, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.unit_stores import NEEDED, filled, filled_items


class OwnWritesSuite(Suite):
    """What is seen inside and outside."""

    @rule("TXN-15", "TXN-17")
    @requires(*NEEDED)
    def test_own_writes_are_seen_inside_only(self, database: Database, make_table: MakeTable) -> None:
        """By every read, over several tables, until the end."""
        table, other = filled(make_table(), 1, 2, 3), make_table(partition_key="p", sort_key="s")
        before = stored_items(database, table)
        with database.transaction() as tx:
            inside, beside = tx.table(table), tx.table(other)
            inside.put({"id": "1", "n": 10, "more": [1]})
            assert_same({"id": "2", "n": 7}, inside.update(id="2", add={"n": 5}, returning="new"))
            assert inside.delete(id="3") is True
            inside.create({"id": "4"})
            beside.put({"p": "x", "s": "1"})
            assert_same({"id": "1", "n": 10, "more": [1]}, inside.get(id="1"))
            assert_same({"more": [1]}, inside.get(id="1", select=["more"]))
            assert_same(7, inside.get(id="2")["n"])
            assert (inside.find(id="3"), beside.find(p="x", s="2")) == (None, None)
            found = inside.get_many([{"id": key} for key in ("4", "3", "1", "none", "4")])
            assert_same([{"id": "4"}, None, {"id": "1", "n": 10, "more": [1]}, None, {"id": "4"}], list(found))
            assert_same_items(before, table.scan())
            assert_same_items(before, stored_items(database, table))
        after = [{"id": "1", "n": 10, "more": [1]}, {"id": "2", "n": 7}, {"id": "4"}]
        assert_same_items(after, stored_items(database, table))
        assert_same_items([{"p": "x", "s": "1"}], stored_items(database, other))

    @rule("TXN-15")
    @requires(*NEEDED)
    def test_nothing_is_applied_when_the_body_raises(self, database: Database, table: BoundTable) -> None:
        """Whatever it raises, the caller gets that."""
        filled(table, 1)
        for error in (ZeroDivisionError(), ItemNotFound("theirs"), KeyboardInterrupt()):
            with pytest.raises(type(error)), database.transaction() as tx:
                tx.table(table).update(id="1", add={"n": 1})
                tx.table(table).put({"id": "2"})
                raise error
        assert_same_items([{"id": "1", "n": 1}], stored_items(database, table))

    @rule("TXN-15", "LYR-3")
    @requires(*NEEDED)
    def test_items_are_not_shared_with_the_caller(self, database: Database, table: BoundTable) -> None:
        """What is done to an item that was given or got changes nothing that is written."""
        given: dict[str, Any] = {"id": "1", "l": [1]}
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            inside.put(given)
            given["l"].append(2)
            inside.get(id="1")["l"].append(3)
            next(iter(inside.get_many([{"id": "1"}])))["l"].append(4)
            inside.update(id="1", set={"n": 1}, returning="new")["l"].append(5)
        assert_same_items([{"id": "1", "l": [1], "n": 1}], stored_items(database, table))

    @rule("TXN-17")
    @requires(*NEEDED)
    def test_writes_of_one_item_add_up(self, database: Database, table: BoundTable) -> None:
        """Put and update, two updates, removed and made anew, made and removed, put and removed."""
        filled(table, 1, 2, 3, 4)
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            inside.put({"id": "1", "n": 10})
            inside.update(id="1", add={"n": 1}, set={"x": {"y": 1}})
            inside.update(id="1", set={F.x.z: 2})
            inside.update(id="2", add={"n": 1})
            inside.update(id="2", add={"n": 1}, when=F.n == 3)
            assert inside.delete(id="3") is True
            inside.create({"id": "3", "again": True})
            inside.create({"id": "5"})
            assert inside.delete(id="5") is True
            inside.put({"id": "4", "n": 5})
            assert_same({"id": "4", "n": 5}, inside.pop(id="4"))
            inside.update(id="6", add={"n": 1}, upsert=True)
            inside.update(id="6", add={"n": 1})
        assert_same_items(
            [{"id": "1", "n": 11, "x": {"y": 1, "z": 2}}, {"id": "2", "n": 4}, {"id": "3", "again": True},
             {"id": "6", "n": 2}],
            stored_items(database, table),
        )  # fmt: skip

    @rule("TXN-15", "TXN-3")
    @requires(*NEEDED)
    def test_a_transaction_inside_is_kept_whole_or_not_at_all(self, database: Database, table: BoundTable) -> None:
        """It waits with the other writes; one that fails leaves them as they were."""
        filled(table, 1, 2)
        with database.transaction() as tx:
            do = tx.table(table).actions
            tx.transact_write([do.update(id="1", add={"n": 1}), do.create({"id": "3"})])
            with pytest.raises(TransactionFailed) as raised:
                tx.transact_write([do.update(id="1", add={"n": 1}), do.create({"id": "3"})])
            assert [type(reason) for reason in raised.value.reasons] == [type(None), AlreadyExists]
            assert_same([{"id": "3"}, {"id": "1", "n": 2}], list(tx.transact_get([do.get(id="3"), do.get(id="1")])))
            tx.table(table).put_many([{"id": "4"}, {"id": "5"}])
            assert tx.table(table).delete_many([{"id": "2"}, {"id": "none"}]).written == 2
            assert_same_items(filled_items(1, 2), table.scan())
        assert_same_items([{"id": "1", "n": 2}, {"id": "3"}, {"id": "4"}, {"id": "5"}], stored_items(database, table))
