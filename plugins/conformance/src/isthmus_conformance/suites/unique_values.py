"""Unique constraints of tables, and of items that repositories did not write (rules QRY-9 and REP-13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from isthmus import BoundTable, Capability, Database, F, Table, Unique
from isthmus.errors import IsthmusError, SchemaMismatch, TransactionFailed, UniqueViolation
from isthmus.operations import Action
from isthmus_conformance.base import START, FakeClock, MakeTable, Suite, fresh_name, requires
from isthmus_conformance.rules import rule
from isthmus_conformance.suites.repositories import people
from isthmus_conformance.suites.repositories.people import Seat, User
from isthmus_conformance.together import one, together

MAIL = Unique("mail", only=("type", "user"))
PLACE = Unique(["hall", "place"])
HELD = {"id": "1", "type": "user", "mail": "a", "hall": b"h", "place": 7}


def _batch(table: BoundTable) -> None:
    result = table.put_many([{"id": "0", "x": 1}, {"id": "2", "type": "user", "mail": "a"}])
    for failure in result.failures:
        assert [failure.position, result.written] == [1, 1]
        raise failure.error


def _transaction(table: BoundTable) -> None:
    actions: list[Action] = [table.actions.check(id="9", when=F.id.not_exists()),
               table.actions.put({"id": "2", "hall": b"h", "place": 7})]  # fmt: skip
    try:
        table.database.transact_write(actions)
    except TransactionFailed as error:
        first, second = error.reasons
        assert first is None
        assert second is not None
        raise second from error


WRITES: dict[str, Callable[[BoundTable], Any]] = {
    "create": lambda table: table.create({"id": "2", "type": "user", "mail": "a"}),
    "put": lambda table: table.put({"id": "2", "hall": b"h", "place": Decimal("7.0")}),
    "put with a condition": lambda table: table.put({"id": "0", "type": "user", "mail": "a"}, when=F.id.exists()),
    "update": lambda table: table.update(id="0", set={"type": "user", "mail": "a"}),
    "update for an image": lambda table: table.update(id="0", set={"hall": b"h", "place": 7}, returning="new"),
    "upsert": lambda table: table.update(id="2", set={"hall": b"h", "place": 7}, upsert=True),
    "batch": _batch,
    "transaction": _transaction,
}


class UniqueValuesSuite(Suite):
    """Values that no two items of a table share."""

    @pytest.fixture
    def unique_table(self, database: Database) -> Iterator[BoundTable]:
        """Two constraints, one of users only; an item that holds both, and one that holds none."""
        declared = Table(fresh_name(), "id", ttl="gone", unique=[MAIL, PLACE])
        table = database.tables.ensure(declared)
        table.put_many([HELD, {"id": "0", "x": 1}]).raise_for_failures()
        yield table
        table.drop()

    @rule("QRY-9")
    @requires(Capability.UNIQUE_INDEX)
    @pytest.mark.parametrize("write", WRITES)
    def test_a_second_item_with_the_values_is_refused(self, unique_table: BoundTable, write: str) -> None:
        """On every way to write; nothing is written, and the error says which constraint it is, not the value."""
        with pytest.raises(UniqueViolation) as caught:
            WRITES[write](unique_table)
        assert caught.value.constraint in (MAIL.attributes, PLACE.attributes)
        assert sorted(str(item["id"]) for item in unique_table.scan()) == ["0", "1"]
        assert unique_table.get(id="0") == {"id": "0", "x": 1}

    @rule("QRY-9")
    @requires(Capability.UNIQUE_INDEX)
    @pytest.mark.parametrize(
        "item",
        [
            {"mail": "a"}, {"mail": "a", "type": "guest"}, {"type": "user"}, {"type": "user", "mail": None},
            {"hall": b"h"}, {"hall": b"h", "place": None}, {"hall": "h", "place": 7}, {"hall": b"h", "place": True},
        ],
    )  # fmt: skip
    def test_items_of_no_or_other_values_are_free(self, unique_table: BoundTable, item: dict[str, Any]) -> None:
        """Null is no value, an item without the attribute that says which items are meant has none."""
        unique_table.put({"id": "0", **item})
        unique_table.put({**HELD, "x": 1})
        assert unique_table.scan().count() == 2

    @rule("QRY-9")
    @requires(Capability.UNIQUE_INDEX, Capability.TRANSACT_WRITE)
    def test_values_change_hands_in_a_transaction(self, unique_table: BoundTable) -> None:
        """Whatever the order of its actions."""
        actions = unique_table.actions
        unique_table.database.transact_write([
            actions.put({"id": "0", "type": "user", "mail": "a"}), actions.update(id="1", set={"mail": "b"}),
            actions.create({"id": "2", "type": "user", "mail": "c"}),
        ])  # fmt: skip
        unique_table.database.transact_write([
            actions.update(id="2", set={"mail": "b"}), actions.update(id="1", set={"mail": "a"}),
            actions.delete(id="0"),
        ])  # fmt: skip
        assert sorted((item["id"], item["mail"]) for item in unique_table.scan()) == [("1", "a"), ("2", "b")]

    @rule("QRY-9")
    @requires(Capability.UNIQUE_INDEX, Capability.TTL)
    @pytest.mark.parametrize("write", WRITES)
    def test_an_expired_holder_is_not_in_the_way(self, unique_table: BoundTable, clock: FakeClock, write: str) -> None:
        """On every way to write."""
        unique_table.put({**HELD, "gone": START + 100})
        clock.advance(101)
        WRITES[write](unique_table)
        held = [item["id"] for item in unique_table.scan() if "mail" in item or "hall" in item]
        assert len(held) == 1

    @rule("QRY-9")
    @requires(Capability.UNIQUE_INDEX)
    def test_one_concurrent_writer_wins(self, unique_table: BoundTable) -> None:
        """Of several that want one value."""
        scripts = [one("create", {"id": f"w{number}", "type": "user", "mail": "w"}) for number in range(4)]
        outcomes = together(unique_table, scripts)
        lost = {type(outcome).__name__ for outcome in outcomes if isinstance(outcome, IsthmusError)}
        found = [item["id"] for item in unique_table.scan() if item.get("mail") == "w"]
        assert [len(found), lost] == [1, {"UniqueViolation"}]

    @rule("QRY-9", "TAB-2")
    @requires(Capability.UNIQUE_INDEX)
    def test_a_table_without_the_constraint_is_not_written(self, database: Database, make_table: MakeTable) -> None:
        """Nor accepted: SchemaMismatch names it."""
        declared = Table(make_table().name, "id", unique=[MAIL])
        calls: list[Callable[[], Any]] = [
            lambda: database.tables.ensure(declared), lambda: database.table(declared).put(HELD),
            lambda: database.table(declared).put_many([HELD]),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(SchemaMismatch) as caught:
                call()
            assert caught.value.differences == ("unique constraint 'mail of user' is declared but not stored",)
        assert database.table(declared).find(id="1") is None

    @rule("REP-13")
    @requires(Capability.TRANSACT_WRITE)
    def test_values_of_items_that_are_there_become_unique(self, database: Database) -> None:
        """Each item that shares its value is told; what was settled is unique from then on."""
        seats = database.repository(Seat, model=people.seat_model())
        plain = database.tables.ensure(Table(seats.schema.name, ("place", int), "id", ttl="until"))
        plain.put_many(
            [{"place": 7, "id": name, "hall": hall} for name, hall in ("1a", "2a", "3b")]
        ).raise_for_failures()
        [double] = seats.rebuild_unique_values()
        assert double.key is not None
        assert [double.constraint, double.key["place"], double.key["id"] in ("1", "2")] == [("hall", "place"), 7, True]
        plain.delete(double.key)
        assert seats.rebuild_unique_values() == []
        for hall in "ab":
            with pytest.raises(UniqueViolation):
                seats.create(Seat("9", hall, 7))
        seats.drop()

    @rule("REP-13")
    @requires(Capability.TRANSACT_WRITE, Capability.UPDATE)
    def test_values_that_were_given_up_elsewhere_are_free(self, database: Database) -> None:
        """By programs that write the table past the repository."""
        users = database.repository(User, model=people.user_model(people.shared_table())).ensure()
        users.create(User("acme", "1", "a@x"))
        users.create(User("acme", "2", "b@x"))
        users.table.delete(pk="ORG#acme", sk="USER#1")
        users.table.update(pk="ORG#acme", sk="USER#2", set={"email": "c@x"})
        assert users.rebuild_unique_values() == []
        for number, address in enumerate(("a@x", "b@x"), 3):
            users.create(User("acme", f"{number}", address))
        with pytest.raises(UniqueViolation):
            users.create(User("acme", "9", "c@x"))
        users.drop()
