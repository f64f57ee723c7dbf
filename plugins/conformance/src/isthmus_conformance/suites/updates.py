"""Updates: what changes to an item mean."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import InvalidArgument, InvalidPath, InvalidValue, IsthmusError, ItemNotFound, OutOfRange
from isthmus.evaluate import apply_changes
from isthmus.expressions import Changes, Condition
from isthmus.values import Item
from isthmus_conformance.base import MakeTable, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_agree, assert_same
from isthmus_conformance.machines import ModelMachine, run_machine
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import ATTRIBUTES, attribute_values, keys
from isthmus_conformance.trees import changes, conditions
from isthmus_conformance.updating import arguments

# Name of the case, attributes before, arguments of update(), attributes after.
Cases = tuple[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]], ...]
# The same, with the error instead of the attributes after.
Failures = tuple[tuple[str, dict[str, Any], dict[str, Any], type[IsthmusError]], ...]

_SETTING: Cases = (
    ("set", {"a": 1}, {"set": {"a": [1], "b": None}}, {"a": [1], "b": None}),
    ("set replaces a map", {"a": {"x": 1}}, {"set": {"a": {"y": 2}}}, {"a": {"y": 2}}),
    ("set a nested name", {"a": {"x": 1}}, {"set": {F.a.y: 2}}, {"a": {"x": 1, "y": 2}}),
    ("set a dotted name", {"a": {"b": 1}}, {"set": {"a.b": 2}}, {"a": {"b": 1}, "a.b": 2}),
    ("set a list element", {"a": [1, 2]}, {"set": {F.a[0]: 9}}, {"a": [9, 2]}),
    ("set below a list element", {"a": [{"x": 1}]}, {"set": {F.a[0].x: 9}}, {"a": [{"x": 9}]}),
    ("set an operator-like string", {}, {"set": {"a": "$b"}, "add": {"b": 1}}, {"a": "$b", "b": 1}),
    ("swap reads the item as it was", {"a": 1, "b": 2}, {"copy": {"a": F.b, "b": F.a}}, {"a": 2, "b": 1}),
    ("copy and remove the source", {"a": 1}, {"copy": {"b": F.a}, "remove": "a"}, {"b": 1}),
    ("copy while the source changes", {"a": 1}, {"copy": {"b": F.a}, "add": {"a": 5}}, {"a": 6, "b": 1}),
    ("copy with a default", {}, {"copy": {"b": (F.a, 7)}}, {"b": 7}),
    ("copy of null", {"a": None}, {"copy": {"b": (F.a, 7)}}, {"a": None, "b": None}),
    ("set if absent", {"a": 1}, {"set_if_absent": {"a": 2, "b": 2}}, {"a": 1, "b": 2}),
    ("null is present", {"a": None}, {"set_if_absent": {"a": 2}}, {"a": None}),
    ("nothing at all", {"a": 1}, {}, {"a": 1}),
    ("the same value", {"a": 1}, {"set": {"a": 1}}, {"a": 1}),
)  # fmt: skip
_LISTS: Cases = (
    ("past the end appends", {"a": [1]}, {"set": {F.a[7]: 2}}, {"a": [1, 2]}),
    ("several past the end in index order", {"a": [1]}, {"set": {F.a[9]: 3, F.a[7]: 2}}, {"a": [1, 2, 3]}),
    ("remove shifts", {"a": [1, 2, 3]}, {"remove": [F.a[0]]}, {"a": [2, 3]}),
    ("removes refer to old positions", {"a": [1, 2, 3, 4]}, {"remove": [F.a[0], F.a[2]]}, {"a": [2, 4]}),
    ("remove past the end", {"a": [1]}, {"remove": [F.a[5]]}, {"a": [1]}),
    ("remove everything leaves a list", {"a": [1]}, {"remove": [F.a[0]]}, {"a": []}),
    ("set and remove in one list", {"a": [1, 2, 3]}, {"set": {F.a[2]: 9}, "remove": [F.a[0]]}, {"a": [2, 9]}),
    ("append", {"a": [1]}, {"append": {"a": [2, [3]]}}, {"a": [1, 2, [3]]}),
    ("prepend keeps its order", {"a": [3]}, {"prepend": {"a": [1, 2]}}, {"a": [1, 2, 3]}),
    ("append creates when asked", {}, {"append": {"a": [1]}, "create_lists": True}, {"a": [1]}),
    ("remove a missing attribute", {"b": 1}, {"remove": "a"}, {"b": 1}),
    ("remove below a missing parent", {"b": 1}, {"remove": [F.a.x.y]}, {"b": 1}),
    ("remove below another type", {"a": 1}, {"remove": [F.a.x]}, {"a": 1}),
    ("remove a name from a map", {"a": {"x": 1}}, {"remove": [F.a.x]}, {"a": {}}),
)  # fmt: skip
_ARITHMETIC: Cases = (
    ("add to missing", {}, {"add": {"a": 5}}, {"a": 5}),
    ("add a negative number", {"a": 5}, {"add": {"a": -7}}, {"a": -2}),
    ("add a fraction", {"a": 1}, {"add": {"a": Decimal("0.1")}}, {"a": Decimal("1.1")}),
    ("a fraction becomes integral", {"a": Decimal("1.5")}, {"add": {"a": Decimal("0.5")}}, {"a": 2}),
    ("floats mean their decimals", {"a": 0.1}, {"add": {"a": 0.2}}, {"a": Decimal("0.3")}),
    ("beyond 64 bits", {"a": 2**63 - 1}, {"add": {"a": 1}}, {"a": 2**63}),
    ("below 64 bits", {"a": -(2**63)}, {"add": {"a": -1}}, {"a": -(2**63) - 1}),
    ("34 digits", {"a": 10**33}, {"add": {"a": 1}}, {"a": 10**33 + 1}),
    ("add to a nested number", {"a": {"x": 1}}, {"add": {F.a.x: 1}}, {"a": {"x": 2}}),
    ("add to a missing nested number", {"a": {}}, {"add": {F.a.x: 1}}, {"a": {"x": 1}}),
    ("add members", {"a": {1}}, {"add": {"a": {1.0, 2}}}, {"a": {1, 2}}),
    ("add members to missing", {}, {"add": {"a": {"x"}}}, {"a": {"x"}}),
    ("take members", {"a": {1, 2}}, {"delete": {"a": {2, 3}}}, {"a": {1}}),
    ("an emptied set goes", {"a": {1}}, {"delete": {"a": {1}}}, {}),
    ("an emptied nested set goes", {"a": {"s": {"x"}}}, {"delete": {F.a.s: {"x"}}}, {"a": {}}),
    ("take members from missing", {"b": 1}, {"delete": {"a": {1}}}, {"b": 1}),
)  # fmt: skip
_FAILURES: Failures = (
    ("parent missing", {}, {"set": {F.a.x: 1}}, InvalidPath),
    ("parent is a number", {"a": 1}, {"set": {F.a.x: 1}}, InvalidPath),
    ("parent is null", {"a": None}, {"set": {F.a.x: 1}}, InvalidPath),
    ("name below a list", {"a": [1]}, {"set": {F.a.x: 1}}, InvalidPath),
    ("index below a map", {"a": {"0": 1}}, {"set": {F.a[0]: 1}}, InvalidPath),
    ("list missing", {}, {"set": {F.a[0]: 1}}, InvalidPath),
    ("copy from missing", {}, {"copy": {"a": F.b}}, InvalidPath),
    ("append to missing", {}, {"append": {"a": [1]}}, InvalidPath),
    ("append to a number", {"a": 1}, {"append": {"a": [1]}}, InvalidValue),
    ("append to null", {"a": None}, {"append": {"a": [1]}, "create_lists": True}, InvalidValue),
    ("add to a string", {"a": "1"}, {"add": {"a": 1}}, InvalidValue),
    ("add to null", {"a": None}, {"add": {"a": 1}}, InvalidValue),
    ("add to a boolean", {"a": True}, {"add": {"a": 1}}, InvalidValue),
    ("add members of another type", {"a": {1}}, {"add": {"a": {"x"}}}, InvalidValue),
    ("add a member to a list", {"a": [1]}, {"add": {"a": {2}}}, InvalidValue),
    ("take from a list", {"a": [1]}, {"delete": {"a": {1}}}, InvalidValue),
    ("sum too large", {"a": 9 * 10**125}, {"add": {"a": 9 * 10**125}}, OutOfRange),
    ("sum with too many digits", {"a": 10**40}, {"add": {"a": 1}}, OutOfRange),
    ("sum too small", {"a": Decimal("1.1E-129")}, {"add": {"a": Decimal("-1.01E-129")}}, OutOfRange),
    ("one of several fails", {"a": 1}, {"set": {"b": 1}, "add": {"a": 1, "c": 1}, "copy": {"d": F.zz}}, InvalidPath),
)  # fmt: skip
_REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("one path twice", {"set": {"a": 1}, "remove": "a"}),
    ("a path and one below it", {"set": {"a": 1, F.a.x: 2}}),
    ("name and index below one parent", {"set": {F.a.x: 1}, "remove": [F.a[0]]}),
    ("a reserved name", {"set": {"__x": 1}}),
    ("adding text", {"add": {"a": "x"}}),
    ("adding a boolean", {"add": {"a": True}}),
    ("taking a number", {"delete": {"a": 1}}),
    ("appending no list", {"append": {"a": 1}}),
    ("an empty name", {"set": {"": 1}}),
    ("a key", {"set": {"id": "b"}}),
    ("below a key", {"remove": [F.id.x]}),
)


def parameters(rows: tuple[tuple[Any, ...], ...]) -> list[Any]:
    """A test parameter for each row, named by its first member."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


class UpdateMachine(ModelMachine):
    """Updates of several items against the evaluator."""

    @step(
        id=keys("string", few=True), rest=st.dictionaries(st.sampled_from(ATTRIBUTES), attribute_values(), max_size=5)
    )
    def put(self, id: str, rest: Item) -> None:
        """Set the scene."""
        self.model.put({**rest, "id": id})
        self.table.put({**rest, "id": id})

    @step(id=keys("string", few=True), change=changes(), upsert=st.booleans())
    def update(self, id: str, change: Changes, upsert: bool) -> None:
        """Change an item; the image after it."""
        self.agree(
            lambda: self.model.update({"id": id}, change, upsert=upsert)[1],
            lambda: self.table.update(id=id, upsert=upsert, returning="new", **arguments(change)),
        )

    @step(id=keys("string", few=True), change=changes(), when=conditions())
    def update_when(self, id: str, change: Changes, when: Condition) -> None:
        """Change an item, perhaps; the image before it."""
        self.agree(
            lambda: self.model.update({"id": id}, change, when)[0],
            lambda: self.table.update(id=id, when=when, returning="old", **arguments(change)),
        )

    @step(id=keys("string", few=True))
    def delete(self, id: str) -> None:
        """Remove an item."""
        self.agree(lambda: self.model.delete({"id": id}), lambda: self.table.delete(id=id))


class Changing(Suite):
    """What each action does."""

    @rule("UPD-2", "UPD-3", "UPD-8", "UPD-12", "STR-9", "PTH-1")
    @requires(Capability.UPDATE, Capability.NESTED_UPDATE)
    @pytest.mark.parametrize(("before", "change", "after"), parameters(_SETTING))
    def test_setting_and_copying(
        self, table: BoundTable, before: dict[str, Any], change: dict[str, Any], after: dict[str, Any]
    ) -> None:
        """Every action reads the item as it was."""
        _check(table, before, change, after)

    @rule("UPD-4", "UPD-5", "UPD-6", "UPD-9")
    @requires(Capability.UPDATE, Capability.NESTED_UPDATE)
    @pytest.mark.parametrize(("before", "change", "after"), parameters(_LISTS))
    def test_lists_and_removals(
        self, table: BoundTable, before: dict[str, Any], change: dict[str, Any], after: dict[str, Any]
    ) -> None:
        """Positions are those of before; removing what is not there is nothing."""
        _check(table, before, change, after)

    @rule("UPD-7", "UPD-10", "COL-7", "COL-8", "NUM-3", "NUM-4", "NUM-10", "NUM-11")
    @requires(Capability.UPDATE, Capability.NESTED_UPDATE)
    @pytest.mark.parametrize(("before", "change", "after"), parameters(_ARITHMETIC))
    def test_numbers_and_sets(
        self, table: BoundTable, before: dict[str, Any], change: dict[str, Any], after: dict[str, Any]
    ) -> None:
        """Arithmetic is exact, sets are by value."""
        _check(table, before, change, after)

    @rule("UPD-2", "UPD-3", "UPD-7", "UPD-9", "NUM-10")
    @requires(Capability.UPDATE, Capability.NESTED_UPDATE)
    @pytest.mark.parametrize(("before", "change", "error"), parameters(_FAILURES))
    def test_a_change_that_cannot_be_made_changes_nothing(
        self, table: BoundTable, before: dict[str, Any], change: dict[str, Any], error: type[IsthmusError]
    ) -> None:
        """The error tells why."""
        table.put({"id": "a", "keep": 1, **before})
        with pytest.raises(error):
            table.update(id="a", **change)
        assert_same(_normal({"id": "a", "keep": 1, **before}), table.get(id="a"))

    @rule("UPD-11", "UPD-14", "PTH-9", "PTH-4", "PTH-7", "KEY-8")
    @pytest.mark.parametrize("change", parameters(_REFUSED))
    def test_changes_that_mean_nothing_are_refused(
        self, database: Database, table: BoundTable, change: dict[str, Any]
    ) -> None:
        """InvalidArgument, also for a missing item with upsert."""
        with pytest.raises(InvalidArgument):
            table.update(id="a", upsert=True, **change)
        assert stored_items(database, table) == []

    @rule("UPD-14")
    @requires(Capability.UPDATE)
    @pytest.mark.parametrize("name", ["version", "created_at", "updated_at"])
    def test_maintained_attributes_are_not_updated_by_hand(self, make_table: MakeTable, name: str) -> None:
        """InvalidArgument, and they keep counting."""
        table = make_table(versioned=True, timestamps=True)
        table.put({"id": "a"})
        with pytest.raises(InvalidArgument):
            table.update(id="a", set={name: 5})
        assert table.get(id="a")["version"] == 1


class Upserting(Suite):
    """Updates of missing items, and images."""

    @rule("UPD-1")
    @requires(Capability.UPDATE)
    @pytest.mark.parametrize("change", [{}, {"set": {"x": 1}}, {"remove": "x"}, {"add": {"x": 1}}], ids=repr)
    def test_an_update_of_a_missing_item_is_an_error(
        self, database: Database, table: BoundTable, change: dict[str, Any]
    ) -> None:
        """ItemNotFound, and nothing is created."""
        with pytest.raises(ItemNotFound):
            table.update(id="a", **change)
        assert stored_items(database, table) == []

    @rule("UPD-1", "UPD-7", "UPD-10")
    @requires(Capability.UPSERT)
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({}, {"id": "a"}),
            ({"set": {"x": 1}}, {"id": "a", "x": 1}),
            ({"add": {"x": 1, "y": {"s"}}}, {"id": "a", "x": 1, "y": {"s"}}),
            ({"set": {"x": 1}, "remove": "y"}, {"id": "a", "x": 1}),
            ({"set_if_absent": {"x": 1}}, {"id": "a", "x": 1}),
            ({"remove": "x"}, None),
            ({"remove": ["x", "y"]}, None),
            ({"delete": {"x": {1}}}, None),
        ],
        ids=repr,
    )
    def test_upsert_creates_unless_it_only_removes(
        self, table: BoundTable, change: dict[str, Any], expected: dict[str, Any] | None
    ) -> None:
        """The key becomes part of the new item."""
        table.update(id="a", upsert=True, **change)
        assert_same(_normal(expected), table.find(id="a"))

    @rule("UPD-1", "UPD-7")
    @requires(Capability.UPSERT)
    @pytest.mark.parametrize("declared", [{"versioned": True}, {"timestamps": True}], ids=repr)
    @pytest.mark.parametrize("change", [{"remove": "x"}, {"remove": F.x.y}, {"delete": {"x": {1}}}], ids=repr)
    def test_upsert_that_only_removes_creates_no_managed_item(
        self, make_table: MakeTable, declared: dict[str, Any], change: dict[str, Any]
    ) -> None:
        """What Isthmus adds to the changes does not count."""
        table = make_table(**declared)
        table.update(id="a", upsert=True, **change)
        assert table.find(id="a") is None
        table.update(id="a", upsert=True, set={"z": 1}, **change)
        assert table.get(id="a")["z"] == 1

    @rule("UPD-13")
    @requires(Capability.RETURN_OLD, Capability.RETURN_NEW)
    def test_images_are_whole_items(self, table: BoundTable) -> None:
        """Before, after, or none."""
        first, second = {"id": "a", "x": 1, "y": [1]}, {"id": "a", "x": 2, "y": [1]}
        assert table.put(first, returning="old") is None
        assert table.put(first) is None
        assert_same(first, table.update(id="a", set={"x": 2}, returning="old"))
        assert_same(second, table.put(second, returning="old"))
        assert_same(first, table.update(id="a", set={"x": 1}, returning="new"))
        assert table.update(id="a", set={"x": 1}) is None
        assert_same(first, table.pop(id="a"))

    @rule("UPD-13", "LYR-3")
    @requires(Capability.RETURN_NEW)
    @pytest.mark.parametrize("condition", [None, F.z.not_exists()], ids=["plain", "conditional"])
    def test_new_items_may_be_given_back(self, table: BoundTable, condition: Condition | None) -> None:
        """A create and a put give what they wrote, as a copy; a create has no image before it."""
        item: dict[str, Any] = {"id": "a", "list": [1, Decimal("1.5")]}
        writes: list[Callable[[], Any]] = [
            lambda: table.create(item, returning="new"),
            lambda: table.put(item, when=condition, returning="new"),
        ]
        for write in writes:
            image = write()
            assert_same(item, image)
            image["list"].append("changed")
            assert_same(item, table.get(id="a"))
        assert table.create({"id": "b"}) is None
        with pytest.raises(InvalidArgument):
            table.create({"id": "c"}, returning="old")

    @rule("UPD-13")
    @requires(Capability.RETURN_NEW)
    def test_given_back_items_show_what_was_added(self, make_table: MakeTable) -> None:
        """The version and the timestamps of a write are known without reading."""
        table = make_table(versioned=True, timestamps=True)
        created = table.create({"id": "a"}, returning="new")
        assert_same(table.get(id="a"), created)
        replaced = table.put({**table.get(id="a"), "n": 1}, returning="new")
        assert_same(table.get(id="a"), replaced)
        assert [item and item["version"] for item in (created, replaced)] == [1, 2]

    @rule("UPD-13")
    @pytest.mark.parametrize("returning", ["both", "NEW", 1, True])
    def test_other_images_are_refused(self, table: BoundTable, returning: Any) -> None:
        """InvalidArgument, and nothing is written."""
        calls: list[Callable[[], Any]] = [
            lambda: table.update(id="a", upsert=True, returning=returning),
            lambda: table.put({"id": "a"}, returning=returning),
            lambda: table.create({"id": "a"}, returning=returning),
        ]
        for call in calls:
            with pytest.raises(InvalidArgument):
                call()
        assert table.find(id="a") is None


class UpdateProperties(Suite):
    """Generated updates against the evaluator."""

    @rule("UPD-2", "UPD-3", "UPD-4", "UPD-5", "UPD-6", "UPD-7", "UPD-8", "UPD-9", "UPD-10", "COL-4", "COL-7", "NUM-11")
    @requires(Capability.UPDATE, Capability.NESTED_UPDATE, Capability.RETURN_NEW)
    @given(rest=st.dictionaries(st.sampled_from(ATTRIBUTES), attribute_values(), max_size=5), change=changes())
    def test_any_update_agrees_with_the_evaluator(self, table: BoundTable, rest: Item, change: Changes) -> None:
        """The same item, or the same class of error and nothing changed."""
        item: Item = {**rest, "id": "a"}
        table.put(item)
        outcome = assert_agree(
            lambda: apply_changes(change, item), lambda: table.update(id="a", returning="new", **arguments(change))
        )
        assert_same(outcome if isinstance(outcome, dict) else item, table.get(id="a"))

    @rule("UPD-1", "UPD-12", "UPD-13", "CND-1", "CND-2")
    @requires(Capability.UPSERT, Capability.NESTED_UPDATE, Capability.CONDITIONAL_WRITE, Capability.RETURN_NEW)
    def test_any_history_of_updates_equals_the_model(self, database: Database, table: BoundTable) -> None:
        """Updates with and without conditions and upsert, over several items."""
        run_machine(lambda: UpdateMachine(database, table))


class UpdatesSuite(Changing, Upserting, UpdateProperties):
    """Updates: what changes to an item mean."""


def _check(table: BoundTable, before: dict[str, Any], change: dict[str, Any], after: dict[str, Any]) -> None:
    table.put({"id": "a", "keep": 1, **before})
    expected = _normal({"id": "a", "keep": 1, **after})
    assert_same(expected, table.update(id="a", returning="new", **change))
    assert_same(expected, table.get(id="a"))


def _normal(value: Any) -> Any:
    """Sets as they come back, and floats as decimals."""
    if isinstance(value, dict):
        return {name: _normal(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_normal(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return frozenset(map(_normal, value))
    return Decimal(repr(value)) if isinstance(value, float) else value
