"""Keys: their types, their identity and their order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule as step

from isthmus import BoundTable, Capability, Database, F, Index
from isthmus.errors import InvalidArgument, InvalidKey
from isthmus.schema import KeyType
from isthmus.values import Item
from isthmus_conformance.base import MakeTable, Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same, typed
from isthmus_conformance.machines import ModelMachine, run_machine
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import attribute_values, keys

_PARTITIONS = itertools.count()
_NEVER_KEYS: tuple[Any, ...] = (
    True, False, None, float("nan"), Decimal("Infinity"), [], {}, {"a"}, ("a",), object(), "\ud800", "a\udfff",
)  # fmt: skip
_SAMPLES: dict[str, Any] = {"string": "a", "number": 1, "binary": b"a"}


_CALLS: dict[str, Callable[[Database, BoundTable, dict[str, Any]], object]] = {
    "find": lambda _d, table, key: table.find(key),
    "get": lambda _d, table, key: table.get(key),
    "get_many": lambda _d, table, key: table.get_many([key]),
    "transact_get": lambda d, table, key: d.transact_get([table.actions.get(key)]),
    "create": lambda _d, table, key: table.create(key),
    "put": lambda _d, table, key: table.put(key),
    "put_many": lambda _d, table, key: table.put_many([key]),
    "update": lambda _d, table, key: table.update(key, set={"x": 1}),
    "delete": lambda _d, table, key: table.delete(key),
    "delete_many": lambda _d, table, key: table.delete_many([key]),
    "transact_create": lambda d, table, key: d.transact_write([table.actions.create(key)]),
    "transact_put": lambda d, table, key: d.transact_write([table.actions.put(key)]),
    "transact_update": lambda d, table, key: d.transact_write([table.actions.update(key, set={"x": 1})]),
    "transact_delete": lambda d, table, key: d.transact_write([table.actions.delete(key)]),
    "transact_check": lambda d, table, key: d.transact_write([table.actions.check(key, when=F.x.exists())]),
}


class KeyMachine(ModelMachine):
    """Items under few, nasty keys, against a dictionary."""

    @step(pk=keys("string", few=True), sk=keys("string", few=True), value=attribute_values())
    def put(self, pk: str, sk: str, value: Any) -> None:
        """Write in place of whatever is there."""
        item = {"pk": pk, "sk": sk, "value": value}
        self.agree(lambda: self.model.put(item), lambda: self.table.put(item, returning="old"))

    @step(pk=keys("string", few=True), sk=keys("string", few=True))
    def create(self, pk: str, sk: str) -> None:
        """Write only where nothing is."""
        item: Item = {"pk": pk, "sk": sk, "created": True}
        self.agree(lambda: self.model.create(item), lambda: self.table.create(item))

    @step(pk=keys("string", few=True), sk=keys("string", few=True))
    def get(self, pk: str, sk: str) -> None:
        """Read one."""
        key = {"pk": pk, "sk": sk}
        self.agree(lambda: self.model.get(key), lambda: self.table.get(key))

    @step(pk=keys("string", few=True), sk=keys("string", few=True))
    def delete(self, pk: str, sk: str) -> None:
        """Remove one."""
        key = {"pk": pk, "sk": sk}
        self.agree(lambda: self.model.delete(key), lambda: self.table.delete(key))

    @step(pk=keys("string", few=True), forward=st.booleans())
    def query(self, pk: str, forward: bool) -> None:
        """Read one partition, in order."""
        found = self.table.query(pk=pk) if forward else self.table.query(pk=pk).descending()
        held = [item for item in self.model.items if item["pk"] == pk]
        expected = sorted(held, key=lambda item: str(item["sk"]), reverse=not forward)
        assert_same(expected, list(found))


class KeysSuite(Suite):
    """Keys: their types, their identity and their order."""

    @rule("KEY-1", "KEY-6", "STR-3")
    @pytest.mark.parametrize("kind", ["string", "number", "binary"])
    @pytest.mark.parametrize("value", _NEVER_KEYS, ids=[type(value).__name__ for value in _NEVER_KEYS])
    def test_some_values_are_never_keys(self, database: Database, kind: str, value: Any) -> None:
        """InvalidKey from every call, whatever the declared type; nothing is sent."""
        table = database.table("never-created", partition_key=("id", kind))
        assert _refusals(database, table, {"id": value}) == dict.fromkeys(_CALLS, InvalidKey)

    @rule("KEY-1", "STR-3")
    def test_some_values_are_never_sort_keys(self, database: Database) -> None:
        """Also where the rest of the item is fine, or wrong in another way."""
        table = database.table("never-created", partition_key="pk", sort_key="sk")
        for value in _NEVER_KEYS:
            found = _refusals(database, table, {"pk": "a", "sk": value})
            assert (type(value), found) == (type(value), dict.fromkeys(_CALLS, InvalidKey))
        with pytest.raises(InvalidKey):
            table.put({"pk": "a", "sk": "\ud800", "x": object()})

    @rule("KEY-5")
    @pytest.mark.parametrize(("kind", "other"), list(itertools.permutations(_SAMPLES, 2)))
    def test_the_type_of_a_key_is_fixed(self, database: Database, kind: str, other: str) -> None:
        """A value of another type is InvalidKey in reads and writes."""
        table = database.table("never-created", partition_key="pk", sort_key=("sk", kind))
        with pytest.raises(InvalidKey):
            table.get(pk="a", sk=_SAMPLES[other])
        with pytest.raises(InvalidKey):
            table.put({"pk": "a", "sk": _SAMPLES[other]})

    @rule("KEY-2")
    @pytest.mark.parametrize(("kind", "empty"), [("string", ""), ("binary", b"")])
    def test_empty_keys_are_refused(self, database: Database, kind: str, empty: Any) -> None:
        """As partition key and as sort key."""
        first = database.table("never-created", partition_key=("id", kind))
        second = database.table("never-created", partition_key="pk", sort_key=("sk", kind))
        with pytest.raises(InvalidKey):
            first.put({"id": empty})
        with pytest.raises(InvalidKey):
            second.find(pk="a", sk=empty)

    @rule("KEY-5")
    @pytest.mark.parametrize(
        "key", [{}, {"pk": "a"}, {"pk": "a", "sk": "b", "x": 1}, {"pk": "a", "other": "b"}], ids=repr
    )
    def test_a_key_has_exactly_its_attributes(self, sorted_table: BoundTable, key: dict[str, Any]) -> None:
        """Missing and unknown attributes are InvalidKey."""
        with pytest.raises(InvalidKey):
            sorted_table.get(key)

    @rule("KEY-5")
    def test_an_item_without_its_key_is_refused(self, database: Database, sorted_table: BoundTable) -> None:
        """InvalidKey, and nothing is written."""
        with pytest.raises(InvalidKey):
            sorted_table.put({"pk": "a", "x": 1})
        assert stored_items(database, sorted_table) == []

    @rule("KEY-4")
    @requires(Capability.NUMBER_KEY)
    def test_numbers_of_equal_value_are_one_key(self, make_table: MakeTable) -> None:
        """1, 1.0 and 1e0 name one item; the key comes back as an int."""
        table = make_table(partition_key=("id", int))
        for number, key in enumerate((1, 1.0, Decimal("1.00"), Decimal("1E0"))):
            table.put({"id": key, "number": number})
        assert_same([{"id": 1, "number": 3}], list(table.scan()))
        assert_same({"id": 1, "number": 3}, table.get(id=Decimal("1.0")))

    @rule("KEY-7", "KEY-9")
    def test_both_attributes_name_an_item(self, sorted_table: BoundTable) -> None:
        """Either alone may repeat, and order of the pair counts."""
        items = [
            {"pk": "a", "sk": "b"},
            {"pk": "b", "sk": "a"},
            {"pk": "a", "sk": "a"},
            {"pk": "ab", "sk": "c"},
            {"pk": "a", "sk": "bc"},
        ]
        sorted_table.put_many(items).raise_for_failures()
        for item in items:
            assert_same(item, sorted_table.get(item))
        assert sorted_table.find(pk="b", sk="b") is None

    @rule("KEY-7", "PTH-5")
    def test_key_attributes_may_be_named_like_options(self, make_table: MakeTable) -> None:
        """A mapping names the key where keyword arguments can't."""
        table = make_table(partition_key="index", sort_key="timeout")
        item = {"index": "a", "timeout": "b", "when": 1}
        table.put(item)
        assert_same(item, table.get({"index": "a", "timeout": "b"}))
        assert_same([item], list(table.query({"index": "a"})))
        assert table.delete({"index": "a", "timeout": "b"}) is True

    @rule("KEY-8", "UPD-14")
    @pytest.mark.parametrize(
        "change", [{"set": {"pk": "x"}}, {"remove": "sk"}, {"add": {"pk": 1}}, {"set_if_absent": {"sk": "x"}}], ids=repr
    )
    def test_key_attributes_do_not_change(self, sorted_table: BoundTable, change: dict[str, Any]) -> None:
        """InvalidArgument, and the item stays."""
        sorted_table.put({"pk": "a", "sk": "b"})
        with pytest.raises(InvalidArgument):
            sorted_table.update(pk="a", sk="b", **change)
        assert_same([{"pk": "a", "sk": "b"}], list(sorted_table.scan()))

    @rule("KEY-10")
    @requires(Capability.SECONDARY_INDEX)
    @pytest.mark.parametrize("wrong", ["text", True, None, [1], b"1"], ids=repr)
    def test_index_keys_of_a_wrong_type_are_refused(self, make_table: MakeTable, wrong: Any) -> None:
        """By put and by update; the item stays as it was."""
        table = make_table(indexes=[Index("by-rank", "group", ("rank", int))])
        table.put({"id": "a", "group": "g", "rank": 1})
        writes: list[Callable[[], Any]] = [
            lambda: table.put({"id": "a", "group": "g", "rank": wrong}),
            lambda: table.update(id="a", set={"rank": wrong}),
        ]
        for write in writes:
            with pytest.raises(InvalidKey):
                write()
        assert_same([{"id": "a", "group": "g", "rank": 1}], list(table.query(index="by-rank", group="g")))

    @rule("KEY-10", "KEY-2")
    @requires(Capability.SECONDARY_INDEX)
    def test_empty_index_keys_are_refused(self, make_table: MakeTable) -> None:
        """By put and by update."""
        table = make_table(indexes=[Index("by-group", "group")])
        table.put({"id": "a", "group": "g"})
        with pytest.raises(InvalidKey):
            table.put({"id": "a", "group": ""})
        with pytest.raises(InvalidKey):
            table.update(id="a", set={"group": ""})
        assert_same({"id": "a", "group": "g"}, table.get(id="a"))

    @rule("STR-1", "STR-2", "STR-5", "QRY-3", "QRY-5")
    @requires(Capability.ORDERED_QUERY)
    @given(found=st.lists(keys("string"), min_size=2, max_size=12, unique=True))
    def test_string_keys_are_ordered_by_code_point(self, sorted_by_kind: Any, found: list[Any]) -> None:
        """Both directions equal Python's order."""
        _check_order(sorted_by_kind("string"), found)

    @rule("KEY-4", "NUM-2", "QRY-3")
    @requires(Capability.ORDERED_QUERY, Capability.NUMBER_KEY)
    @given(found=st.lists(keys("number"), min_size=2, max_size=12, unique=True))
    def test_number_keys_are_ordered_by_value(self, sorted_by_kind: Any, found: list[Any]) -> None:
        """Integral, fractional, negative, tiny and huge."""
        _check_order(sorted_by_kind("number"), found)

    @rule("BIN-1", "QRY-3")
    @requires(Capability.ORDERED_QUERY, Capability.BINARY_KEY)
    @given(found=st.lists(keys("binary"), min_size=2, max_size=12, unique=True))
    def test_binary_keys_are_ordered_by_unsigned_bytes(self, sorted_by_kind: Any, found: list[Any]) -> None:
        """Never by length first."""
        _check_order(sorted_by_kind("binary"), found)

    @pytest.fixture
    def sorted_by_kind(self, make_table: MakeTable) -> Any:
        """A table whose sort key has a type, made once for each test."""
        made: dict[str, BoundTable] = {}

        def table(kind: KeyType) -> BoundTable:
            if kind not in made:
                made[kind] = make_table(partition_key="pk", sort_key=("sk", kind))
            return made[kind]

        return table

    @rule("KEY-7", "CND-3", "STR-1")
    @requires(Capability.CONDITIONAL_WRITE, Capability.RETURN_OLD, Capability.REVERSE_QUERY)
    def test_any_history_of_keys_equals_a_dictionary(self, database: Database, sorted_table: BoundTable) -> None:
        """Puts, creates, reads, deletes and queries of nasty keys."""
        run_machine(lambda: KeyMachine(database, sorted_table))


def _refusals(database: Database, table: BoundTable, key: dict[str, Any]) -> dict[str, type[Exception] | None]:
    """The error that each call gives for a key, or for an item that is nothing but its key."""
    return {name: _error(partial(call, database, table, key)) for name, call in _CALLS.items()}


def _error(call: Callable[[], object]) -> type[Exception] | None:
    try:
        call()
    except Exception as error:
        return type(error)
    return None


def _check_order(table: BoundTable, found: list[Any]) -> None:
    partition = f"p{next(_PARTITIONS)}"
    table.put_many([{"pk": partition, "sk": key} for key in found]).raise_for_failures()
    expected = sorted(found)
    assert typed(expected) == typed([item["sk"] for item in table.query(pk=partition)])
    assert typed(expected[::-1]) == typed([item["sk"] for item in table.query(pk=partition).descending()])
