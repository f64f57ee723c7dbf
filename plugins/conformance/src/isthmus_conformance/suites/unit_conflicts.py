"""Units of work: what others change meanwhile (rule TXN-16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import (
    Conflict,
)
from isthmus_conformance.base import FakeClock, MakeTable, OpenDatabase, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same_items
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.unit_stores import NEEDED, filled, filled_items, same_store

RIVALS: dict[str, tuple[Callable[[Any], object], Callable[[Any], object]]] = {
    "lost update": (
        lambda tx: tx.put({**tx.get(id="1"), "n": 9}),
        lambda t: t.update(id="1", add={"n": 1}),
    ),
    "lost addition": (lambda tx: tx.update(id="1", add={"n": 1}), lambda t: t.update(id="1", add={"n": 1})),
    "removed": (lambda tx: tx.update(id="1", add={"n": 1}), lambda t: t.delete(id="1")),
    "added to": (
        lambda tx: tx.put({**tx.get(id="1"), "n": 9}),
        lambda t: t.put({"id": "1", "n": 1, "m": 1}),
    ),
    "only read": (lambda tx: tx.get(id="1"), lambda t: t.update(id="1", add={"n": 1})),
    "only found missing": (lambda tx: tx.find(id="3"), lambda t: t.create({"id": "3"})),
    "read with others": (lambda tx: tx.get_many([{"id": "1"}, {"id": "3"}]), lambda t: t.put({"id": "3"})),
    "checked": (lambda tx: tx.check(id="1", when=F.n == 1), lambda t: t.update(id="1", set={"n": 2})),
    "created": (lambda tx: tx.create({"id": "3", "mine": 1}), lambda t: t.create({"id": "3"})),
    "removed twice": (lambda tx: tx.delete(id="1"), lambda t: t.delete(id="1")),
    "found missing to remove": (lambda tx: tx.delete(id="3"), lambda t: t.put({"id": "3"})),
    "condition": (lambda tx: tx.put({"id": "1"}, when=F.n == 1), lambda t: t.put({"id": "1", "n": 1, "m": 1})),
}
"""What a unit of work does with an item, and what somebody else does before it ends."""


class ValidationSuite(Suite):
    """What somebody else changes between a read and the end."""

    @rule("TXN-16", "TXN-5")
    @requires(*NEEDED)
    def test_a_change_of_what_was_read_is_a_conflict(self, database: Database, table: BoundTable) -> None:
        """And nothing is applied; without the other one the same succeeds."""
        for case in RIVALS:
            self._meet(database, table, case)

    def _meet(self, database: Database, table: BoundTable, case: str) -> None:
        use, rival = RIVALS[case]
        filled(table, 1, 2)
        with database.transaction() as tx:
            use(tx.table(table))
            tx.table(table).update(id="2", add={"n": 1})
        filled(table, 1, 2)
        table.delete(id="3")
        try:
            with database.transaction() as tx:
                use(tx.table(table))
                tx.table(table).update(id="2", add={"n": 1})
                rival(table)
                left = stored_items(database, table)
        except Conflict as error:
            assert error.maybe_applied is False
        else:
            raise AssertionError(f"there is no conflict in the case: {case}")
        assert_same_items(left, stored_items(database, table))

    @rule("TXN-16", "TXN-5")
    @requires(*NEEDED)
    def test_write_skew_is_a_conflict(self, database: Database, table: BoundTable, open_database: OpenDatabase) -> None:
        """Two units of work read both items, and each changes one: the second to end fails."""
        filled(table, 1, 1)
        second, _backend = same_store(database, open_database)
        with pytest.raises(Conflict), database.transaction() as mine:
            both: Any = mine.table(table)
            assert both.get(id="1")["n"] + both.get(id="2")["n"] == 2
            with second.transaction() as theirs:
                there: Any = theirs.table(second.table(table.schema))
                assert there.get(id="1")["n"] + there.get(id="2")["n"] == 2
                there.update(id="2", set={"n": 0})
            both.update(id="1", set={"n": 0})
        assert_same_items(filled_items(1, 0), stored_items(database, table))

    @rule("TXN-16")
    @requires(*NEEDED)
    def test_reads_without_writes_are_of_one_moment(self, database: Database, table: BoundTable) -> None:
        """Two reads between which somebody writes are a conflict; a single one can't be."""
        filled(table, 1, 1)
        with pytest.raises(Conflict), database.transaction() as tx:
            tx.table(table).get(id="1")
            table.put({"id": "1", "n": 2})
            tx.table(table).get(id="2")
        with database.transaction() as tx:
            tx.table(table).get_many([{"id": "1"}, {"id": "2"}])
            table.put({"id": "1", "n": 3})
        with database.transaction() as tx:
            assert [tx.table(table).get(id=key)["n"] for key in ("1", "2")] == [3, 1]

    @rule("TXN-16", "TTL-2")
    @requires(*NEEDED, Capability.TTL)
    def test_what_expires_meanwhile_is_a_conflict(
        self, database: Database, make_table: MakeTable, clock: FakeClock
    ) -> None:
        """And what has expired is missing, so it can be made anew."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": int(clock.now) + 10})
        with pytest.raises(Conflict), database.transaction() as tx:
            tx.table(table).update(id="1", set={"n": 1})
            clock.advance(20)
        with database.transaction() as tx:
            assert tx.table(table).find(id="1") is None
            tx.table(table).create({"id": "1", "n": 2})
            tx.table(table).put({"id": "2", "expires": int(clock.now) + 10})
            clock.advance(20)
            assert tx.table(table).find(id="2") is None
            tx.table(table).put({"id": "2"})
        assert_same_items([{"id": "1", "n": 2}, {"id": "2"}], table.scan())

    @rule("TXN-15", "TXN-16")
    @requires(*NEEDED)
    def test_what_was_not_read_may_change(self, database: Database, table: BoundTable) -> None:
        """A plain put needs to know nothing of its item."""
        with database.transaction() as tx:
            tx.table(table).put({"id": "1", "mine": 1})
            table.put({"id": "1", "theirs": 1})
            table.put({"id": "2"})
        assert_same_items([{"id": "1", "mine": 1}, {"id": "2"}], stored_items(database, table))
