"""Conditions: what filters and conditional writes mean."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import AlreadyExists, ConditionFailed, InvalidArgument
from isthmus.evaluate import predicate
from isthmus.expressions import ALWAYS, NEVER, Condition, all_of, any_of
from isthmus.values import Item
from isthmus_conformance.base import Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, assert_same_items
from isthmus_conformance.machines import ModelMachine, clear, run_machine
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import ATTRIBUTES, attribute_values, keys
from isthmus_conformance.trees import conditions

# Name of the case, the item's attributes, the condition, whether it holds.
Cases = tuple[tuple[str, dict[str, Any], Condition, bool], ...]

_MISSING: Cases = (
    ("missing equals nothing", {}, F.a == 1, False),
    ("missing does not equal null", {}, F.a == None, False),  # noqa: E711  # builds a condition
    ("missing does not equal missing", {}, F.a == F.b, False),
    ("missing differs from a value", {}, F.a != 1, True),
    ("missing differs from null", {}, F.a != None, True),  # noqa: E711  # as above
    ("missing differs from missing", {}, F.a != F.b, True),
    ("missing is below a parent of another type", {"a": 1}, F.a.x == 1, False),
    ("null exists", {"a": None}, F.a.exists(), True),
    ("null is not absent", {"a": None}, F.a.not_exists(), False),
    ("null equals null", {"a": None}, F.a == None, True),  # noqa: E711  # as above
    ("null is of type null", {"a": None}, F.a.is_type("null"), True),
    ("missing has no type", {}, F.a.is_type("null"), False),
    ("missing does not exist", {}, F.a.not_exists(), True),
    ("null in a list of alternatives", {"a": None}, F.a.in_([1, None]), True),
    ("missing is no null alternative", {}, F.a.in_([1, None]), False),
)
_ORDER: Cases = (
    ("missing is not less", {}, F.a < 5, False),
    ("missing is not greater", {}, F.a >= 5, False),
    ("missing is not between", {}, F.a.between(1, 9), False),
    ("string against number", {"a": "4"}, F.a < 5, False),
    ("number against string", {"a": 4}, F.a < "5", False),
    ("null against number", {"a": None}, F.a < 5, False),
    ("boolean against number", {"a": False}, F.a < 5, False),
    ("map against number", {"a": {"x": 1}}, F.a > 0, False),
    ("list against number", {"a": [1]}, F.a > 0, False),
    ("set against number", {"a": {1}}, F.a > 0, False),
    ("binary against string", {"a": b"a"}, F.a < "b", False),
    ("not less is true for missing", {}, ~(F.a < 5), True),
    ("not less is true for another type", {"a": "x"}, ~(F.a < 5), True),
    ("two attributes of different types", {"a": 1, "b": "2"}, F.a < F.b, False),
    ("two attributes in order", {"a": 1, "b": Decimal("1.5")}, F.a < F.b, True),
    ("between includes both ends", {"a": 1}, F.a.between(1, 1), True),
    ("between with ends of two types", {"a": 1}, F.a.between(0, "z"), False),
    ("between with low above high", {"a": 5}, F.a.between(9, 1), False),
    ("not between with low above high", {"a": 5}, ~F.a.between(9, 1), True),
    ("code point order", {"a": "\uffee"}, F.a < "\U0001f600", True),
    ("upper case before lower case", {"a": "B"}, F.a < "a", True),
    ("unsigned bytes", {"a": b"\x7f"}, F.a < b"\x80", True),
    ("bytes not by length", {"a": b"b"}, F.a > b"aa", True),
    ("number beyond doubles", {"a": 2**53 + 1}, F.a > 2**53, True),
    ("fraction beyond doubles", {"a": Decimal("0.1")}, F.a == Decimal("0.1"), True),
)
_TYPES: Cases = (
    ("true is not 1", {"a": True}, F.a == 1, False),
    ("1 is not true", {"a": 1}, F.a == True, False),  # noqa: E712  # builds a condition
    ("true differs from 1", {"a": True}, F.a != 1, True),
    ("false is not 0", {"a": 0}, F.a.in_([False]), False),
    ("true in a list is not 1", {"a": [True]}, F.a == [1], False),
    ("list contains typed members", {"a": [True]}, F.a.contains(1), False),
    ("1 equals 1.0", {"a": 1}, F.a == 1.0, True),
    ("number is not text", {"a": 1}, F.a == "1", False),
    ("binary is not text", {"a": b"a"}, F.a == "a", False),
    ("is_type knows numbers", {"a": Decimal("1.5")}, F.a.is_type("number"), True),
    ("is_type tells booleans", {"a": True}, F.a.is_type("number"), False),
    ("is_type knows sets", {"a": {"x"}}, F.a.is_type("string_set"), True),
)
_CONTAINERS: Cases = (
    ("no look into lists", {"a": [1, 5]}, F.a == 5, False),
    ("no order inside lists", {"a": [1, 5]}, F.a > 3, False),
    ("no names through lists", {"a": [{"x": 5}]}, F.a.x == 5, False),
    ("contains looks into lists", {"a": [1, 5]}, F.a.contains(5), True),
    ("contains a list", {"a": [[1], 2]}, F.a.contains([1]), True),
    ("contains looks into sets", {"a": {1, 5}}, F.a.contains(5), True),
    ("contains typed members of sets", {"a": {1, 5}}, F.a.contains("5"), False),
    ("contains a part of text", {"a": "xyz"}, F.a.contains("y"), True),
    ("contains the empty text", {"a": "xyz"}, F.a.contains(""), True),
    ("contains is false for maps", {"a": {"x": 1}}, F.a.contains("x"), False),
    ("contains is false for numbers", {"a": 15}, F.a.contains("5"), False),
    ("contains a part of binary", {"a": b"xyz"}, F.a.contains(b"y"), True),
    ("an index is no name", {"a": {"0": 1}}, F.a[0].exists(), False),
    ("a name is no index", {"a": [1]}, F.a["0"].exists(), False),
    ("an index reads a list", {"a": [1, 2]}, F.a[1] == 2, True),
    ("past the end is missing", {"a": [1]}, F.a[1].exists(), False),
    ("past the end differs", {"a": [1]}, F.a[1] != 1, True),
    ("map equality ignores order", {"a": {"x": 1, "y": 2}}, F.a == {"y": 2, "x": 1}, True),
    ("map equality counts names", {"a": {"x": 1, "y": 2}}, F.a == {"x": 1}, False),
    ("list equality counts order", {"a": [1, 2]}, F.a == [2, 1], False),
    ("list equality", {"a": [1, [2]]}, F.a == [1, [2]], True),
    ("set equality ignores order", {"a": {"x", "y"}}, F.a == {"y", "x"}, True),
    ("nested set equality", {"a": [{"s": {1, 2}}]}, F.a == [{"s": {2, 1}}], True),
    ("a set is no list", {"a": {1}}, F.a == [1], False),
    ("a list is no set", {"a": [1]}, F.a == {1}, False),
    ("sets of another type differ", {"a": {1}}, F.a == {"1"}, False),
    ("an operator-like map is plain", {"a": {"$ref": "x", "$id": 1}}, F.a == {"$id": 1, "$ref": "x"}, True),
)
_TEXT: Cases = (
    ("prefix", {"a": "abc"}, F.a.begins_with("ab"), True),
    ("empty prefix of text", {"a": "abc"}, F.a.begins_with(""), True),
    ("empty prefix of a number", {"a": 1}, F.a.begins_with(""), False),
    ("empty prefix of missing", {}, F.a.begins_with(""), False),
    ("wildcards are literal", {"a": "abc"}, F.a.begins_with("a%"), False),
    ("underscore is literal", {"a": "abc"}, F.a.begins_with("a_c"), False),
    ("pattern characters", {"a": "a.*[b"}, F.a.begins_with("a.*["), True),
    ("stars are literal in contains", {"a": "abc"}, F.a.contains("*"), False),
    ("case counts in prefixes", {"a": "ABC"}, F.a.begins_with("ab"), False),
    ("case counts in parts", {"a": "ABC"}, F.a.contains("b"), False),
    ("last code point", {"a": "\U0010ffff\U0010ffffx"}, F.a.begins_with("\U0010ffff"), True),
    ("prefix before the surrogates", {"a": "\ud7ffx"}, F.a.begins_with("\ud7ff"), True),
    ("binary prefix", {"a": b"\xff\xff\x01"}, F.a.begins_with(b"\xff"), True),
    ("text prefix of binary", {"a": b"ab"}, F.a.begins_with("a"), False),
    ("NUL in the middle", {"a": "a\0b"}, F.a.begins_with("a\0"), True),
    ("NUL ends nothing", {"a": "a\0b"}, F.a == "a", False),
    ("an operator-like string is plain", {"a": "$b", "b": 1}, F.a == "$b", True),
    ("composed is not decomposed", {"a": "\u00e9"}, F.a == "e\u0301", False),
)
_SIZE: Cases = (
    ("size in UTF-16 units", {"a": "\u00e9\U0001f600"}, F.a.size() == 3, True),
    ("size of text with NUL", {"a": "a\0b"}, F.a.size() == 3, True),
    ("size of binary", {"a": b"a\0b"}, F.a.size() == 3, True),
    ("size of a list", {"a": [1, [2, 3]]}, F.a.size() == 2, True),
    ("size of a map", {"a": {"x": 1, "y": 2}}, F.a.size() == 2, True),
    ("size of a set", {"a": {1, 2, 3}}, F.a.size() == 3, True),
    ("size of an empty list", {"a": []}, F.a.size() == 0, True),
    ("a number has no size", {"a": 5}, F.a.size() > 0, False),
    ("a number's size differs", {"a": 5}, F.a.size() != 1, True),
    ("missing has no size", {}, F.a.size() >= 0, False),
    ("size against an attribute", {"a": "ab", "b": 2}, F.a.size() == F.b, True),
)
_LOGIC: Cases = (
    ("and of nothing", {}, all_of([]), True),
    ("or of nothing", {}, any_of([]), False),
    ("not always", {}, ~ALWAYS, False),
    ("and with never", {"a": 1}, (F.a == 1) & NEVER, False),
    ("or with never", {"a": 1}, (F.a == 1) | NEVER, True),
    ("in of nothing", {"a": 1}, F.a.in_([]), False),
    ("not in of nothing", {"a": 1}, ~F.a.in_([]), True),
    ("in of many", {"a": 150}, F.a.in_(list(range(200))), True),
    ("in of many misses", {"a": 200}, F.a.in_(list(range(200))), False),
    ("in is typed", {"a": True}, F.a.in_(list(range(200))), False),
    ("itself equals itself when present", {"a": None}, F.a == F.a, True),  # noqa: PLR0124  # has a meaning here
    ("itself does not equal itself when missing", {}, F.a == F.a, False),  # noqa: PLR0124  # as above
    ("itself differs from itself when missing", {}, F.a != F.a, True),  # noqa: PLR0124  # as above
    ("twice negated", {"a": 1}, ~~(F.a == 1), True),
    ("repeated condition", {"a": 1}, (F.a == 1) & (F.a == 1) & ((F.a == 1) | (F.a == 1)), True),
    ("negated conjunction", {"a": 1}, ~((F.a == 1) & (F.b == 2)), True),
    ("not binds the whole", {"a": 1, "b": 2}, ~((F.a == 1) | (F.b == 3)), False),
)
_NAMES: Cases = (
    ("a dot is part of a name", {"a.b": 1}, F["a.b"] == 1, True),
    ("a dot is no path", {"a": {"b": 1}}, F["a.b"] == 1, False),
    ("a path is no dotted name", {"a.b": 1}, F.a.b == 1, False),
    ("dollar names", {"$set": 1}, F["$set"] == 1, True),
    ("nested dollar names", {"a": {"$x": {"b.c": 1}}}, F.a["$x"]["b.c"] == 1, True),
    (
        "reserved words",
        {"size": 1, "status": 2, "name": 3},
        (F["size"] == 1) & (F.status == 2) & (F["name"] == 3),
        True,
    ),
    ("number-like names", {"42": 1}, F["42"] == 1, True),
    ("quotes in names", {"a'b\"c": 1}, F["a'b\"c"] == 1, True),
    ("brackets in names", {"a[0]": 1}, F["a[0]"] == 1, True),
    ("percent names", {"%24": 1}, F["%24"] == 1, True),
)


def cases(rows: Cases) -> pytest.MarkDecorator:
    """A test parameter for each row."""
    values = [pytest.param(attributes, condition, holds, id=name) for name, attributes, condition, holds in rows]
    return pytest.mark.parametrize(("attributes", "condition", "holds"), values)


def check_meaning(table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
    """As a filter of a scan and of a query, and for itself as well as negated."""
    table.put({"id": "item", **attributes})
    assert table.scan().where(condition).count() == holds
    assert table.query(id="item").where(condition).count() == holds
    assert table.scan().where(~condition).count() == (not holds)


class Meaning(Suite):
    """A table of truths, read from the store's own answers."""

    @rule("NUL-1", "NUL-2", "NUL-3", "NUL-6")
    @requires(Capability.FILTER)
    @cases(_MISSING)
    def test_missing_and_null(
        self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool
    ) -> None:
        """Null is a value, missing is none."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUL-4", "NUL-5", "NUL-8", "STR-1", "BIN-1", "NUM-4")
    @requires(Capability.FILTER)
    @cases(_ORDER)
    def test_order(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Only values of one orderable type have an order."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUM-8", "NUM-9", "BIN-2")
    @requires(Capability.FILTER)
    @cases(_TYPES)
    def test_types(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Values of two types are never equal."""
        check_meaning(table, attributes, condition, holds)

    @rule("COL-1", "COL-2", "COL-3", "COL-4", "COL-5", "COL-8", "COL-9", "COL-12", "COL-13")
    @requires(Capability.FILTER)
    @cases(_CONTAINERS)
    def test_lists_maps_and_sets(
        self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool
    ) -> None:
        """Comparisons take containers whole; contains looks inside."""
        check_meaning(table, attributes, condition, holds)

    @rule("STR-2", "STR-5", "STR-8", "STR-9", "BIN-4", "COL-13", "KEY-2")
    @requires(Capability.FILTER)
    @cases(_TEXT)
    def test_text_and_binary(
        self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool
    ) -> None:
        """Prefixes and parts are literal."""
        check_meaning(table, attributes, condition, holds)

    @rule("STR-6")
    @requires(Capability.FILTER)
    @cases(_SIZE)
    def test_size(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Text counts UTF-16 code units."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUL-5", "NUL-6", "NUL-7", "NUL-9", "NUL-10")
    @requires(Capability.FILTER)
    @cases(_LOGIC)
    def test_logic(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Two values, with the empty cases."""
        check_meaning(table, attributes, condition, holds)

    @rule("PTH-1", "PTH-2", "PTH-5")
    @requires(Capability.FILTER)
    @cases(_NAMES)
    def test_names(self, table: BoundTable, attributes: dict[str, Any], condition: Condition, holds: bool) -> None:
        """Names are literal."""
        check_meaning(table, attributes, condition, holds)

    @rule("NUL-4", "NUL-9", "COL-3", "PTH-3", "PTH-4", "PTH-9", "NUM-5")
    @pytest.mark.parametrize(
        "build",
        [
            lambda: F.a < None, lambda: F.a >= True, lambda: F.a < [1], lambda: F.a < {"x": 1}, lambda: F.a > {1},
            lambda: F.a.between(None, 1), lambda: F.a.begins_with(1), lambda: F.a < F.a, lambda: F.a.between(F.a, 1),  # noqa: PLR0124
            lambda: F.a[-1] == 1, lambda: F[""] == 1, lambda: F["a\0"] == 1, lambda: F.a == float("nan"),
            lambda: F.a.in_([float("nan")]), lambda: F.a.size() == "x", lambda: F.a.in_("text"), lambda: deep_field(33) == 1,
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
        for write in (
            lambda: table.put({"id": "a", "x": 2}, when=F.x == 2),
            lambda: table.update(id="a", set={"x": 2}, when=F.x == 2),
            lambda: table.update(id="a", set={"x": 2}, when=F.x == 2, upsert=True),
            lambda: table.delete(id="a", when=F.x == 2),
            lambda: table.pop(id="a", when=F.x == 2),
        ):
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
        for write in (
            lambda: table.put({"id": "a", "x": 1}, when=when),
            lambda: table.update(id="a", set={"x": 1}, when=when, upsert=True),
        ):
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
