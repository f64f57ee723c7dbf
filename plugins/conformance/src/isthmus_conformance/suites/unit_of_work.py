"""Units of work: errors inside, versions, the beginning and the end (rules TXN-18, TXN-20); the parts beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import (
    AlreadyExists,
    Closed,
    ConditionFailed,
    InvalidArgument,
    ItemNotFound,
    VersionConflict,
)
from isthmus_conformance.base import FakeClock, MakeTable, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.unit_conflicts import ValidationSuite
from isthmus_conformance.suites.unit_machine import UnitMachineSuite
from isthmus_conformance.suites.unit_runs import RunSuite
from isthmus_conformance.suites.unit_stores import NEEDED, filled
from isthmus_conformance.suites.unit_writes import OwnWritesSuite

CALLS: tuple[tuple[Callable[[Any], object], type[Exception]], ...] = (
    (lambda t: t.get(id="none"), ItemNotFound),
    (lambda t: t.create({"id": "1"}), AlreadyExists),
    (lambda t: t.update(id="none", set={"n": 1}), ItemNotFound),
    (lambda t: t.put({"id": "1"}, when=F.n == 5), ConditionFailed),
    (lambda t: t.delete(id="1", when=F.n == 5), ConditionFailed),
)
"""What fails inside as it does outside, where there is one item that holds 1."""


class JudgingSuite(Suite):
    """Errors inside, versions, and the beginning and the end."""

    @rule("TXN-18")
    @requires(*NEEDED)
    def test_errors_come_at_the_call(self, database: Database, table: BoundTable) -> None:
        """As they do outside; the body may go on, and what it wrote before is applied."""
        filled(table, 1)
        with database.transaction() as tx:
            tx.table(table).put({"id": "2"})
            for call, error in CALLS:
                with pytest.raises(error) as outside:
                    call(table)
                with pytest.raises(error) as inside:
                    call(tx.table(table))
                assert getattr(inside.value, "current", None) == getattr(outside.value, "current", None)
        assert_same_items([{"id": "1", "n": 1}, {"id": "2"}], stored_items(database, table))

    @rule("TXN-18", "TXN-16")
    @requires(*NEEDED)
    def test_a_check_holds_at_the_call_and_at_the_end(self, database: Database, table: BoundTable) -> None:
        """A false one raises at once; own writes count."""
        filled(table, 1)
        with database.transaction() as tx:
            with pytest.raises(ConditionFailed) as raised:
                tx.table(table).check(id="1", when=F.n == 2)
            assert raised.value.current == {"id": "1", "n": 1}
            tx.table(table).update(id="1", add={"n": 1})
            tx.table(table).check(id="1", when=F.n == 2)
            tx.table(table).check(id="none", when=F.n.not_exists())
        assert table.get(id="1")["n"] == 2

    @rule("TXN-17", "TXN-18", "CND-9")
    @requires(*NEEDED)
    def test_versions(self, database: Database, make_table: MakeTable) -> None:
        """Judged at the call; all writes of an item are one step of its version."""
        table = make_table(versioned=True, timestamps=True)
        table.create({"id": "1", "n": 1})
        created = table.get(id="1")["created_at"]
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            stale: list[Callable[[], object]] = [
                lambda: inside.put({"id": "1"}), lambda: inside.update(id="1", expected_version=9),
            ]  # fmt: skip
            for wrong in stale:
                with pytest.raises(VersionConflict):
                    wrong()
            inside.update(id="1", add={"n": 1}, expected_version=1)
            inside.put({**inside.get(id="1"), "more": 1})
            inside.create({"id": "2"})
            inside.update(id="2", set={"n": 1})
            inside.create({"id": "3"})
        found = table.get(id="1")
        assert (found["n"], found["more"], found["version"], found["created_at"]) == (2, 1, 2, created)
        assert [table.get(id=key)["version"] for key in "23"] == [1, 1]
        with database.transaction() as tx:
            assert tx.table(table).delete(id="1", expected_version=2) is True
            tx.table(table).create({"id": "1", "anew": True})
        assert (table.get(id="1")["version"], table.get(id="1")["anew"]) == (3, True)

    @rule("TXN-17", "CND-9")
    @requires(*NEEDED)
    def test_versions_of_what_was_read_by_a_plain_declaration(self, database: Database, make_table: MakeTable) -> None:
        """Writes by the declaration that counts versions count one, whoever read the item first."""
        table = make_table(versioned=True)
        table.create({"id": "1", "n": 1})
        with database.transaction() as tx:
            tx.table(database.table(evolve(table.schema, version=None))).get(id="1")
            for _ in range(2):
                tx.table(table).update(id="1", add={"n": 1})
        assert_same({"id": "1", "n": 3, "version": 2}, table.get(id="1"))

    @rule("TXN-16", "TTL-2")
    @requires(*NEEDED, Capability.TTL)
    def test_an_item_expires_as_it_was_first_declared(
        self, database: Database, make_table: MakeTable, clock: FakeClock
    ) -> None:
        """What has expired may be made anew by a declaration without expiry: that is no conflict."""
        table = make_table(ttl="expires")
        table.put({"id": "1", "expires": int(clock.now) + 10})
        clock.advance(20)
        with database.transaction() as tx:
            assert tx.table(table).find(id="1") is None
            tx.table(database.table(evolve(table.schema, ttl=None))).create({"id": "1", "n": 1})
        assert_same({"id": "1", "n": 1}, table.get(id="1"))

    @rule("TXN-20")
    @requires(*NEEDED)
    def test_a_hundred_items(self, database: Database, table: BoundTable) -> None:
        """Items that are only read count; the next one is refused, and the others are applied."""
        most = database.limits.transaction_actions
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            inside.get_many([{"id": f"{number}"} for number in range(10)])
            for number in range(most - 10):
                inside.put({"id": f"p{number}"})
            inside.put({"id": "3", "again": True})
            calls: list[Callable[[], object]] = [lambda: inside.put({"id": "more"}), lambda: inside.find(id="more")]
            for call in calls:
                with pytest.raises(InvalidArgument, match="split it"):
                    call()
        assert table.scan().count() == most - 9

    @rule("TXN-20", "TXN-3")
    @requires(*NEEDED)
    def test_of_several_items_that_are_too_many_none_is_kept(self, database: Database, table: BoundTable) -> None:
        """Whether they come as actions or as a batch."""
        most = database.limits.transaction_actions
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            inside.put_many([{"id": f"{number}"} for number in range(most - 1)])
            both = [{"id": "first"}, {"id": "second"}]
            calls: list[Callable[[], object]] = [
                lambda: tx.transact_write([inside.actions.put(one) for one in both]), lambda: inside.put_many(both),
            ]  # fmt: skip
            for call in calls:
                with pytest.raises(InvalidArgument, match="split it"):
                    call()
            inside.put({"id": "last"})
        assert table.find(id="first") is None
        assert table.scan().count() == most

    @rule("TXN-18", "TXN-16")
    @requires(*NEEDED)
    def test_a_put_that_is_refused_tells_nothing_of_its_item(self, database: Database, make_table: MakeTable) -> None:
        """What comes after it reads the item as if the put had never been asked for."""
        table = make_table(timestamps=True)
        table.put({"id": "1", "n": 1})
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            calls: list[Callable[[], object]] = [
                lambda: inside.put({"id": "1", "created_at": 5}),
                lambda: inside.put_many([{"id": "2"}, {"id": "1", "created_at": 5}]),
            ]
            for call in calls:
                with pytest.raises(InvalidArgument):
                    call()
            inside.update(id="1", add={"n": 1}, upsert=True)
            inside.update(id="1", set={"more": True})
        assert [(item["id"], item["n"], item["more"]) for item in table.scan()] == [("1", 2, True)]

    @rule("TXN-18", "BAT-6")
    @requires(*NEEDED)
    def test_a_batch_tells_its_failures(self, database: Database, make_table: MakeTable) -> None:
        """As it does outside: the others are written."""
        table = make_table(versioned=True)
        table.create({"id": "1"})
        with database.transaction() as tx:
            result = tx.table(table).put_many([{"id": "1"}, {"id": "2"}])
            assert [(failure.position, type(failure.error)) for failure in result.failures] == [(0, VersionConflict)]
            assert result.written == 1
        assert table.scan().count() == 2

    @rule("TXN-20")
    @requires(*NEEDED)
    def test_after_the_end_it_is_closed(self, database: Database, table: BoundTable) -> None:
        """However it ended, and before it has begun."""
        ended = database.transaction()
        with pytest.raises(Closed, match="has not begun"):
            ended.table(table)
        with ended:
            inside = ended.table(table)
            inside.put({"id": "1"})
        failed = database.transaction()
        with pytest.raises(ZeroDivisionError), failed:
            late = failed.table(table)
            raise ZeroDivisionError
        for use in (lambda: inside.get(id="1"), lambda: late.put({"id": "2"}), lambda: ended.table(table)):
            with pytest.raises(Closed, match="has ended"):
                use()
        with pytest.raises(Closed), ended:
            pass
        assert_same_items([{"id": "1"}], stored_items(database, table))

    @rule("TXN-20")
    @requires(*NEEDED)
    def test_what_it_does_not_take_is_refused(self, database: Database, table: BoundTable) -> None:
        """Queries and scans would not be validated; a table of another database can't be part of it."""
        filled(table, 1)
        with database.transaction() as tx:
            inside: Any = tx.table(table)
            for call in (lambda: list(inside.scan()), lambda: inside.query(id="1").count(), inside.drop):
                with pytest.raises(InvalidArgument):
                    call()
        options: list[dict[str, Any]] = [{"token": "x" * 37}, {"token": ""}, {"timeout": 0}]
        for wrong in options:
            with pytest.raises(InvalidArgument):
                database.transaction(**wrong)


class UnitOfWorkSuite(OwnWritesSuite, ValidationSuite, JudgingSuite, RunSuite, UnitMachineSuite):
    """Units of work."""
