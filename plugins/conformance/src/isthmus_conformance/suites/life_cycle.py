"""Tables and databases from their making to their end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from attrs import evolve

from isthmus import BoundTable, Capability, Database, F, Index, Table
from isthmus.errors import AlreadyExists, Closed, InvalidArgument, IsthmusError, SchemaMismatch, TableNotFound
from isthmus.values import Item
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, fresh_name, requires, stored_items
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import tables
from isthmus_conformance.suites.concurrency import ROUNDS, WRITERS
from isthmus_conformance.together import Steps, together

Call = Callable[[Database, BoundTable], Any]

CALLS: dict[str, Call] = {
    "get": lambda _d, t: t.get(id="a"),
    "find": lambda _d, t: t.find(id="a"),
    "create": lambda _d, t: t.create({"id": "a"}),
    "put": lambda _d, t: t.put({"id": "a"}),
    "update": lambda _d, t: t.update(id="a", set={"x": 1}),
    "upsert": lambda _d, t: t.update(id="a", set={"x": 1}, upsert=True),
    "delete": lambda _d, t: t.delete(id="a"),
    "pop": lambda _d, t: t.pop(id="a"),
    "query": lambda _d, t: list(t.query(id="a")),
    "scan": lambda _d, t: list(t.scan()),
    "filter": lambda _d, t: list(t.scan().where(F.x == 1)),
    "parallel scan": lambda _d, t: list(t.scan(segments=2)),
    "page": lambda _d, t: t.scan().page(size=1),
    "first": lambda _d, t: t.scan().first(),
    "count": lambda _d, t: t.scan().count(),
    "get_many": lambda _d, t: t.get_many([{"id": "a"}]).raise_for_failures(),
    "put_many": lambda _d, t: t.put_many([{"id": "a"}]).raise_for_failures(),
    "delete_many": lambda _d, t: t.delete_many([{"id": "a"}]).raise_for_failures(),
    "transact_write": lambda d, t: d.transact_write([t.actions.put({"id": "a"})]),
    "transact_get": lambda d, t: d.transact_get([t.actions.get(id="a")]),
}
"""Every way to use a table."""

EVERY_CALL = [pytest.param(call, id=name) for name, call in CALLS.items()]
_NEEDED = {"transact_write": Capability.TRANSACT_WRITE, "transact_get": Capability.TRANSACT_GET}
TABLE_CALLS = [
    pytest.param(call, id=name, marks=[pytest.mark.requires_capability(_NEEDED[name])] if name in _NEEDED else [])
    for name, call in CALLS.items()
]


def _until_closed(table: Any) -> Steps:
    """Write and read until an error; its class, and whether something may have been applied."""
    try:
        for number in count():
            yield table.put({"id": f"{number % 50}"})
            yield table.scan().count()
    except IsthmusError as error:
        return type(error), error.maybe_applied


def _close_soon(table: Any) -> Steps:
    """Write a little, and close."""
    for number in range(ROUNDS):
        yield table.put({"id": f"{number}"})
    return (yield table.database.close())


class Closing(Suite):
    """After close() nothing goes on."""

    @rule("TAB-7")
    @pytest.mark.parametrize("call", EVERY_CALL)
    def test_a_closed_database_refuses_every_call(self, database: Database, table: BoundTable, call: Call) -> None:
        """Closed, from each way to use a table."""
        table.drop()
        database.close()
        with pytest.raises(Closed):
            call(database, table)

    @rule("TAB-7")
    def test_a_closed_database_refuses_table_management(self, database: Database) -> None:
        """Closed, also from views that were bound before; a second close does nothing."""
        view = database.bind(actor="somebody")
        database.close()
        database.close()
        for call in (database.tables.list, view.tables.list, lambda: database.tables.describe("abc")):
            with pytest.raises(Closed):
                call()

    @rule("TAB-7")
    def test_closing_under_calls_at_work(self, table: BoundTable) -> None:
        """A call that is at work when the database closes succeeds or is Closed with nothing applied."""
        endings = together(table, [*[_until_closed] * WRITERS, _close_soon])
        assert endings == [(Closed, False)] * WRITERS + [None]

    @rule("TAB-7")
    def test_closing_one_handle_leaves_the_others(self, database: Database, open_database: OpenDatabase) -> None:
        """Each handle has its own life."""
        other = open_database("memory://")
        other.close()
        assert isinstance(database.tables.list(), list)


class TableLife(Suite):
    """Creating, describing, ensuring and dropping."""

    @rule("TAB-1")
    @pytest.mark.parametrize("call", TABLE_CALLS)
    def test_an_unknown_table_is_never_created_by_use(self, database: Database, call: Call) -> None:
        """TableNotFound from reads and writes alike."""
        table = database.table(fresh_name(), partition_key="id")
        with pytest.raises(TableNotFound):
            call(database, table)
        assert table.name not in database.tables.list()

    @rule("TAB-1")
    def test_management_of_an_unknown_table(self, database: Database) -> None:
        """TableNotFound from describe, open and drop."""
        for call in (database.tables.describe, database.tables.open, database.tables.drop):
            with pytest.raises(TableNotFound):
                call(fresh_name())

    @rule("TAB-2")
    @requires(Capability.TABLE_MANAGEMENT)
    def test_ensure_is_repeatable_and_keeps_items(self, table: BoundTable) -> None:
        """It creates once, and afterwards does nothing."""
        table.put({"id": "a"})
        table.ensure()
        table.database.tables.ensure(table.schema)
        assert_same([{"id": "a"}], list(table.scan()))

    @rule("TAB-2")
    @requires(Capability.TABLE_MANAGEMENT)
    def test_create_needs_a_free_name(self, database: Database, table: BoundTable) -> None:
        """AlreadyExists, and the items stay."""
        table.put({"id": "a"})
        with pytest.raises(AlreadyExists):
            database.tables.create(table.schema)
        assert_same([{"id": "a"}], list(table.scan()))

    @rule("TAB-3")
    @requires(Capability.TABLE_MANAGEMENT, Capability.SECONDARY_INDEX, Capability.TTL, Capability.NUMBER_KEY)
    @pytest.mark.parametrize(
        "change",
        [
            {"partition_key": "other"}, {"partition_key": ("pk", int)}, {"sort_key": None}, {"sort_key": ("sk", int)},
            {"ttl": None}, {"ttl": "other"}, {"indexes": []}, {"indexes": [Index("by-x", "y")]},
            {"indexes": [Index("by-x", "x", projection="keys")]}, {"version": "version"}, {"created_at": "made"},
        ],
        ids=repr,
    )  # fmt: skip
    def test_a_table_of_another_definition_is_refused(
        self, database: Database, make_table: MakeTable, change: dict[str, Any]
    ) -> None:
        """SchemaMismatch that says what differs; nothing is changed."""
        table = make_table(partition_key="pk", sort_key="sk", ttl="expires", indexes=[Index("by-x", "x")])
        table.put({"pk": "a", "sk": "b", "x": "c"})
        with pytest.raises(SchemaMismatch) as raised:
            database.tables.ensure(evolve(table.schema, **change))
        assert raised.value.differences
        assert raised.value.differences[0] in str(raised.value)
        assert database.tables.describe(table.name) == table.schema
        assert_same([{"pk": "a", "sk": "b", "x": "c"}], stored_items(database, table))

    @rule("TAB-3")
    @requires(Capability.TABLE_MANAGEMENT)
    def test_a_handle_with_other_keys_is_refused(self, database: Database, table: BoundTable) -> None:
        """SchemaMismatch at the first use, not a wrong answer."""
        other = database.table(table.name, partition_key="id", sort_key="more")
        with pytest.raises(SchemaMismatch):
            other.put({"id": "a", "more": "b"})
        assert stored_items(database, table) == []

    @rule("TAB-2", "TAB-1")
    @requires(Capability.TABLE_MANAGEMENT)
    def test_a_dropped_table_is_gone_with_its_items(self, database: Database, table: BoundTable) -> None:
        """Created again, it is empty."""
        table.put({"id": "a"})
        table.drop()
        assert table.name not in database.tables.list()
        with pytest.raises(TableNotFound):
            table.find(id="a")
        table.ensure()
        assert list(table.scan()) == []

    @rule("TAB-2")
    @requires(Capability.TABLE_MANAGEMENT)
    def test_tables_are_listed_in_order_and_apart(self, database: Database, make_table: MakeTable) -> None:
        """Items of one are not in the other."""
        first, second = make_table(), make_table()
        first.put({"id": "a", "x": 1})
        second.put({"id": "a", "x": 2})
        names = database.tables.list()
        assert names == sorted(names)
        assert {first.name, second.name} <= set(names)
        assert_same([{"id": "a", "x": 1}], list(first.scan()))

    @rule("TAB-2", "PTH-2", "PTH-6", "PTH-8")
    @requires(
        Capability.TABLE_MANAGEMENT,
        Capability.SECONDARY_INDEX,
        Capability.TTL,
        Capability.NUMBER_KEY,
        Capability.BINARY_KEY,
    )
    @given(share=0.3, declared=tables())
    def test_any_declaration_is_stored_as_it_is(self, database: Database, declared: Table) -> None:
        """describe() gives it back, and items go in and out under its odd names."""
        declared = evolve(declared, name=f"{fresh_name()}-{declared.name}"[:120])
        samples: dict[str, Any] = {"string": "s", "number": 1, "binary": b"b"}
        item: Item = {key.name: samples[key.type] for key in declared.keys}
        for index in declared.indexes:
            item.update({key.name: samples[key.type] for key in index.keys})
        table = database.tables.create(declared)
        try:
            assert database.tables.describe(declared.name) == declared
            table.put(item)
            assert_same(item, database.tables.open(declared.name).get(declared.key_of(item)))
            assert_same([item], list(table.query({declared.partition_key.name: item[declared.partition_key.name]})))
        finally:
            table.drop()

    @rule("TAB-2", "QRY-12", "TAB-6")
    @requires(Capability.SHARED_BY_PROCESSES)
    def test_two_handles_see_each_other(
        self, database: Database, table: BoundTable, source: Any, open_database: OpenDatabase
    ) -> None:
        """Items and tables, at once."""
        other = open_database(source)
        twin = other.tables.open(table.name)
        twin.put({"id": "a", "x": 1})
        assert_same({"id": "a", "x": 1}, table.get(id="a"))
        table.update(id="a", add={"x": 1})
        assert_same({"id": "a", "x": 2}, twin.get(id="a"))
        other.tables.drop(table.name)
        with pytest.raises(TableNotFound):
            table.find(id="a")


class Declaring(Suite):
    """What a table may look like."""

    @rule("PTH-8", "KEY-5", "PTH-6", "PTH-7")
    @pytest.mark.parametrize(
        ("name", "declaration"),
        [
            ("ab", {}), ("a" * 121, {}), ("a.b", {}), ("a b", {}), ("", {}), ("täb", {}), (None, {}),
            ("abc", {"partition_key": ""}), ("abc", {"partition_key": "__id"}), ("abc", {"partition_key": "k" * 256}),
            ("abc", {"partition_key": ("id", bool)}), ("abc", {"partition_key": ("id", "text")}),
            ("abc", {"sort_key": "id"}),
            ("abc", {"ttl": "id"}), ("abc", {"ttl": ""}), ("abc", {"ttl": "version", "versioned": True}),
        ],
        ids=repr,
    )  # fmt: skip
    def test_impossible_declarations_are_refused(
        self, database: Database, name: Any, declaration: dict[str, Any]
    ) -> None:
        """InvalidArgument, before anything is sent."""
        with pytest.raises(InvalidArgument):
            database.table(name, **{"partition_key": "id", **declaration})

    @rule("PTH-8")
    @pytest.mark.parametrize(
        ("name", "projection"), [("ab", "all"), ("a.b", "all"), ("", "keys"), ("abc", "some"), ("abc", "")]
    )
    def test_impossible_indexes_are_refused(self, name: str, projection: Any) -> None:
        """InvalidArgument."""
        with pytest.raises(InvalidArgument):
            Index(name, "x", projection=projection)

    @rule("KEY-5", "PTH-8")
    def test_one_attribute_has_one_key_type_and_one_index_one_name(self, database: Database) -> None:
        """InvalidArgument."""
        for indexes in ([Index("by-x", ("id", int))], [Index("abc", "x"), Index("abc", "y")]):
            with pytest.raises(InvalidArgument):
                database.table("abc", partition_key="id", indexes=indexes)


class LifeCycleSuite(Closing, TableLife, Declaring):
    """Tables and databases from their making to their end."""
