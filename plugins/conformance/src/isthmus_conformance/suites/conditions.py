"""Conditions: what filters and conditional writes mean."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import AlreadyExists, ConditionFailed, InvalidArgument
from isthmus.evaluate import predicate
from isthmus.expressions import Condition
from isthmus.values import Item
from isthmus_conformance.base import Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.machines import ModelMachine, clear, run_machine
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import ATTRIBUTES, attribute_values, keys
from isthmus_conformance.suites import truths
from isthmus_conformance.trees import conditions


def cases(rows: truths.Cases) -> pytest.MarkDecorator:
    """A test parameter for each row."""
    values = [pytest.param(attributes, condition, holds, id=name) for name, attributes, condition, holds in rows]
    return pytest.mark.parametrize(("attributes", "condition", "holds"), values)


def check_meaning(table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
    """As a filter of a scan and of a query, and for itself as well as negated."""
    table.put({"id": "item", **attributes})
    assert table.scan().where(condition).count() == holds
    assert table.query(id="item").where(condition).count() == holds
    assert table.scan().where(~condition).count() == (not holds)


_NUMBER: Any = 1


class Meaning(Suite):
    """A table of truths, read from the store's own answers."""

    @rule("NUL-1", "NUL-2", "NUL-3", "NUL-6")
    @requires(Capability.FILTER)
    @cases(truths.MISSING)
    def test_missing_and_null(
        self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool
    ) -> None:
        """Null is a value, missing is none."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUL-4", "NUL-5", "NUL-8", "STR-1", "BIN-1", "NUM-4")
    @requires(Capability.FILTER)
    @cases(truths.ORDER)
    def test_order(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Only values of one orderable type have an order."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUM-8", "NUM-9", "BIN-2")
    @requires(Capability.FILTER)
    @cases(truths.TYPES)
    def test_types(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Values of two types are never equal."""
        check_meaning(table, attributes, condition, holds)

    @rule("COL-1", "COL-2", "COL-3", "COL-4", "COL-5", "COL-8", "COL-9", "COL-12", "COL-13")
    @requires(Capability.FILTER)
    @cases(truths.CONTAINERS)
    def test_lists_maps_and_sets(
        self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool
    ) -> None:
        """Comparisons take containers whole; contains looks inside."""
        check_meaning(table, attributes, condition, holds)

    @rule("STR-2", "STR-5", "STR-8", "STR-9", "BIN-4", "COL-13", "KEY-2")
    @requires(Capability.FILTER)
    @cases(truths.TEXT)
    def test_text_and_binary(
        self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool
    ) -> None:
        """Prefixes and parts are literal."""
        check_meaning(table, attributes, condition, holds)

    @rule("STR-6")
    @requires(Capability.FILTER)
    @cases(truths.SIZE)
    def test_size(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Text counts UTF-16 code units."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUL-5", "NUL-6", "NUL-7", "NUL-9", "NUL-10")
    @requires(Capability.FILTER)
    @cases(truths.LOGIC)
    def test_logic(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Two values, with the empty cases."""
        check_meaning(table, attributes, condition, holds)

    @rule("PTH-1", "PTH-2", "PTH-5")
    @requires(Capability.FILTER)
    @cases(truths.NAMES)
    def test_names(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Names are literal."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUL-4", "NUL-9", "COL-3", "PTH-3", "PTH-4", "PTH-9", "NUM-5")
    @pytest.mark.parametrize(
        "build",
        [
            lambda: F.a < None, lambda: F.a >= True, lambda: F.a < [1], lambda: F.a < {"x": 1}, lambda: F.a > {1},
            lambda: F.a.between(None, 1), lambda: F.a.begins_with(_NUMBER),
            lambda: F.a < F.a, lambda: F.a.between(F.a, 1),
            lambda: F.a[-1] == 1, lambda: F[""] == 1, lambda: F["a\0"] == 1, lambda: F.a == Decimal("NaN"),
            lambda: F.a.in_([float("nan")]), lambda: F.a.size() == "x",
            lambda: F.a.in_("text"), lambda: deep_field(33) == 1,
        ],
    )  # fmt: skip
    def test_what_no_store_can_mean_is_refused_when_it_is_built(self, build: Any) -> None:
        """InvalidArgument, without a store."""
        with pytest.raises(InvalidArgument):
            build()


def deep_field(elements: int) -> Any:
    """A path of that many elements."""
    field: Any = F.a
    for _ in range(elements - 1):
        field = field["x"]
    return field


class ConditionMachine(ModelMachine):
    """Conditional writes and filters against the evaluator."""

    @step(
        id=keys("string", few=True), rest=st.dictionaries(st.sampled_from(ATTRIBUTES), attribute_values(), max_size=6)
    )
    def put(self, id: str, rest: Item) -> None:
        """Set the scene."""
        self.model.put({**rest, "id": id})
        self.table.put({**rest, "id": id})

    @step(id=keys("string", few=True), when=conditions())
    def put_when(self, id: str, when: Condition) -> None:
        """Replace an item, perhaps."""
        item: Item = {"id": id, "a": 1, "b": {"x": [1]}}
        self.agree(lambda: self.model.put(item, when), lambda: self.table.put(item, when=when, returning="old"))

    @step(id=keys("string", few=True), when=conditions())
    def delete_when(self, id: str, when: Condition) -> None:
        """Remove an item, perhaps."""
        self.agree(lambda: self.model.delete({"id": id}, when), lambda: self.table.delete(id=id, when=when))

    @step(when=conditions())
    def scan_where(self, when: Condition) -> None:
        """Read what matches."""
        assert_same_items(self.model.matching(when), self.table.scan().where(when))

    @step(id=keys("string", few=True), when=conditions())
    def query_where(self, id: str, when: Condition) -> None:
        """Read one item if it matches."""
        expected = [item for item in self.model.matching(when) if item["id"] == id]
        assert_same(expected, list(self.table.query(id=id).where(when)))


class ConditionalWrites(Suite):
    """Writes that depend on what is there."""

    @rule("CND-2")
    @requires(Capability.CONDITIONAL_WRITE, Capability.CURRENT_ON_FAILURE)
    def test_a_false_condition_changes_nothing_and_tells_the_current_item(
        self, database: Database, table: BoundTable
    ) -> None:
        """For put, update and delete."""
        item = {"id": "a", "x": 1, "tags": frozenset({"t"})}
        table.put(item)
        writes: list[Callable[[], Any]] = [
            lambda: table.put({"id": "a", "x": 2}, when=F.x == 2),
            lambda: table.update(id="a", set={"x": 2}, when=F.x == 2),
            lambda: table.update(id="a", set={"x": 2}, when=F.x == 2, upsert=True),
            lambda: table.delete(id="a", when=F.x == 2),
            lambda: table.pop(id="a", when=F.x == 2),
        ]
        for write in writes:
            with pytest.raises(ConditionFailed) as raised:
                write()
            assert_same(item, raised.value.current)
            assert_same([item], stored_items(database, table))

    @rule("CND-2")
    @requires(Capability.CONDITIONAL_WRITE, Capability.CONDITIONAL_DELETE)
    def test_a_true_condition_lets_the_write_pass(self, table: BoundTable) -> None:
        """For put, update and delete."""
        table.put({"id": "a", "x": 1})
        table.put({"id": "a", "x": 2}, when=F.x == 1)
        table.update(id="a", add={"x": 1}, when=F.x == 2)
        assert_same({"id": "a", "x": 3}, table.get(id="a"))
        assert table.delete(id="a", when=F.x == 3) is True
        assert table.find(id="a") is None

    @rule("CND-1")
    @requires(Capability.CONDITIONAL_WRITE)
    @pytest.mark.parametrize("when", [F.x.not_exists(), F.x != 1, ~(F.x == 1), ~(F.x < 1), F.id.not_exists()], ids=repr)
    def test_conditions_that_hold_for_an_item_without_attributes_let_a_put_create(
        self, table: BoundTable, when: Condition
    ) -> None:
        """The missing item counts as one without attributes, its key included."""
        table.put({"id": "a", "x": 5}, when=when)
        assert_same({"id": "a", "x": 5}, table.get(id="a"))

    @rule("CND-1", "CND-6")
    @requires(Capability.CONDITIONAL_WRITE)
    @pytest.mark.parametrize("when", [F.x.exists(), F.x == 1, F.x < 1, F.id == "a", F.x.in_([None])], ids=repr)
    def test_conditions_that_fail_for_an_item_without_attributes_create_nothing(
        self, database: Database, table: BoundTable, when: Condition
    ) -> None:
        """ConditionFailed, without a current item."""
        writes: list[Callable[[], Any]] = [
            lambda: table.put({"id": "a", "x": 1}, when=when),
            lambda: table.update(id="a", set={"x": 1}, when=when, upsert=True),
        ]
        for write in writes:
            with pytest.raises(ConditionFailed) as raised:
                write()
            assert raised.value.current is None
        assert stored_items(database, table) == []

    @rule("CND-4", "CND-5")
    @requires(Capability.CONDITIONAL_DELETE)
    def test_deleting_what_is_missing(self, table: BoundTable) -> None:
        """Succeeds and says so; a condition is judged on an item without attributes."""
        assert table.delete(id="a") is False
        assert table.pop(id="a") is None
        assert table.delete(id="a", when=F.x != 1) is False
        with pytest.raises(ConditionFailed):
            table.delete(id="a", when=F.x == 1)

    @rule("CND-3")
    @requires(Capability.CONDITIONAL_WRITE)
    def test_create_needs_a_free_key(self, table: BoundTable) -> None:
        """AlreadyExists, and the item stays; after a delete the key is free."""
        table.create({"id": "a", "x": 1})
        with pytest.raises(AlreadyExists):
            table.create({"id": "a", "x": 2})
        assert_same({"id": "a", "x": 1}, table.get(id="a"))
        table.delete(id="a")
        table.create({"id": "a", "x": 3})
        assert_same({"id": "a", "x": 3}, table.get(id="a"))

    @rule("NUL-10", "COL-1", "COL-13", "NUL-3", "NUL-4", "STR-8")
    @requires(Capability.FILTER)
    @given(
        rows=st.lists(
            st.dictionaries(st.sampled_from(ATTRIBUTES), attribute_values(), max_size=6), min_size=1, max_size=5
        ),
        when=conditions(),
    )
    def test_any_filter_agrees_with_the_evaluator(self, table: BoundTable, rows: list[Item], when: Condition) -> None:
        """The store's own filter and the reference pick the same items."""
        clear(table)
        items: list[Item] = [{**row, "id": str(number)} for number, row in enumerate(rows)]
        table.put_many(items).raise_for_failures()
        holds = predicate(when)
        assert_same_items([item for item in items if holds(item)], table.scan().where(when))

    @rule("CND-1", "CND-2", "CND-4", "CND-5", "NUL-3", "NUL-5")
    @requires(Capability.CONDITIONAL_WRITE, Capability.CONDITIONAL_DELETE, Capability.RETURN_OLD)
    def test_any_history_of_conditional_writes_equals_the_model(self, database: Database, table: BoundTable) -> None:
        """Puts, deletes, scans and queries under generated conditions."""
        run_machine(lambda: ConditionMachine(database, table))


class ConditionsSuite(Meaning, ConditionalWrites):
    """Conditions: what filters and conditional writes mean."""
