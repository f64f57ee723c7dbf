"""Values: what may be written, and that it comes back as it was."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import ConditionFailed, InvalidArgument, InvalidValue
from isthmus.values import Item
from isthmus_conformance.base import Suite, requires, stored_items
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import names, numbers, values
from isthmus_conformance.suites.foreign import ForeignTypes
from isthmus_conformance.suites.samples import NORMALISED, REFUSED


class RefusedValues(Suite):
    """What is no portable value is refused before anything is written."""

    @rule(
        "NUM-1",
        "NUM-2",
        "NUM-5",
        "NUM-9",
        "NUM-12",
        "STR-3",
        "COL-6",
        "COL-11",
        "PTH-3",
        "PTH-4",
        "BIN-5",
        "TYP-1",
        "TYP-2",
    )
    @pytest.mark.parametrize("value", [value for _name, value in REFUSED], ids=[name for name, _value in REFUSED])
    def test_what_is_not_portable_is_refused_and_nothing_is_written(
        self, database: Database, table: BoundTable, value: Any
    ) -> None:
        """InvalidValue, at the top and deep inside, and the table stays empty."""
        for item in ({"id": "a", "value": value}, {"id": "a", "value": [{"x": value}]}):
            with pytest.raises(InvalidValue):
                table.put(item)
        assert stored_items(database, table) == []

    @rule("PTH-3", "PTH-4", "PTH-7", "STR-3", "COL-11")
    @pytest.mark.parametrize("name", ["", "a\0b", "__x", "__", "\ud800", 1, None, b"a"], ids=repr)
    def test_names_that_are_not_allowed_are_refused_at_the_top(
        self, database: Database, table: BoundTable, name: Any
    ) -> None:
        """InvalidValue, and the table stays empty."""
        with pytest.raises(InvalidValue):
            table.put({"id": "a", name: 1})
        assert stored_items(database, table) == []

    @rule("PTH-7")
    def test_reserved_names_are_plain_inside_of_maps(self, table: BoundTable) -> None:
        """Only attributes of the item itself are reserved."""
        item = {"id": "a", "map": {"__x": 1, "__rev": 2}}
        table.put(item)
        assert_same(item, table.get(id="a"))

    @rule("NUM-5", "STR-3", "COL-6")
    @pytest.mark.parametrize("value", [float("nan"), "\ud800", set()], ids=["nan", "surrogate", "empty set"])
    def test_updates_refuse_the_same_values(self, table: BoundTable, value: Any) -> None:
        """An update with a value that is not portable changes nothing."""
        table.put({"id": "a", "x": 1})
        with pytest.raises(InvalidArgument):
            table.update(id="a", set={"x": value})
        assert_same({"id": "a", "x": 1}, table.get(id="a"))

    @rule("TYP-1", "BIN-5")
    def test_the_converter_writes_times_as_text_in_the_order_of_time(
        self, database: Database, table: BoundTable
    ) -> None:
        """UTC, fixed width; a time without a zone is refused, a UUID is text."""
        moments = [
            datetime(5, 1, 1, tzinfo=UTC),
            datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=3))),
            datetime(2027, 1, 1, tzinfo=UTC),
            datetime(2027, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        ]
        texts = [database.converter.unstructure(moment) for moment in moments]
        assert sorted(texts) == texts
        assert {len(text) for text in texts} == {27}
        table.put({"id": "a", "at": texts[1], "uuid": database.converter.unstructure(uuid.UUID(int=1))})
        assert database.converter.structure(table.get(id="a")["at"], datetime) == moments[1]
        assert table.get(id="a")["uuid"] == str(uuid.UUID(int=1))
        with pytest.raises(InvalidValue):
            database.converter.unstructure(datetime(2027, 1, 1))  # noqa: DTZ001  # that it has no zone is the point


class RoundTrips(Suite):
    """What was written comes back, in its canonical form."""

    @rule("NUL-1", "STR-4", "BIN-3", "COL-9")
    @pytest.mark.parametrize("value", [None, "", b"", [], {}, False, 0], ids=repr)
    def test_empty_values_come_back_as_written(self, table: BoundTable, value: Any) -> None:
        """Null and empty values are values of their own."""
        table.put({"id": "a", "value": value})
        assert_same({"id": "a", "value": value}, table.get(id="a"))

    @rule("NUM-4", "NUM-6", "NUM-7", "NUM-8", "COL-10", "BIN-2")
    @pytest.mark.parametrize(
        ("given", "expected"), [case[1:] for case in NORMALISED], ids=[case[0] for case in NORMALISED]
    )
    def test_look_alikes_come_back_in_canonical_form(self, table: BoundTable, given: Any, expected: Any) -> None:
        """On put, on update and inside of lists alike."""
        table.put({"id": "a", "value": given, "list": [given]})
        table.update(id="a", set={"other": given})
        assert_same({"id": "a", "value": expected, "list": [expected], "other": expected}, table.get(id="a"))

    @rule(
        "NUM-1",
        "NUM-2",
        "NUM-3",
        "NUM-8",
        "STR-1",
        "STR-2",
        "STR-5",
        "STR-9",
        "BIN-2",
        "COL-8",
        "COL-12",
        "PTH-2",
        "KEY-9",
    )
    @given(attributes=st.dictionaries(names(), values(), max_size=4))
    def test_any_item_comes_back_as_written(self, database: Database, table: BoundTable, attributes: Item) -> None:
        """Through get, through a scan, and beneath all layers."""
        item = {**attributes, "id": "a"}
        table.put(item)
        assert_same(item, table.get(id="a"))
        assert_same([item], list(table.scan()))
        assert_same([item], stored_items(database, table))

    @rule("COL-8", "COL-12", "PTH-2", "KEY-9")
    @pytest.mark.parametrize(
        "value",
        [
            {"$ref": "x", "$id": 1}, {"$date": 0}, {"$numberDecimal": "1"}, {"%SS": ["a"]}, {"S": "a"}, {"N": "1"},
            {"NULL": True}, {"__type": "x"}, [{"$oid": "x"}], frozenset({"a", "b"}), [frozenset({1, 2})],
        ],
    )  # fmt: skip
    def test_what_looks_like_an_encoding_comes_back_as_written(self, table: BoundTable, value: Any) -> None:
        """Maps that mean something to a store or a codec are plain maps, and sets stay sets."""
        table.put({"id": "a", "value": value})
        assert_same(value, table.get(id="a")["value"])
        assert_same([value], [item["value"] for item in table.scan()])

    @rule("NUM-1")
    @requires(Capability.WIDE_NUMBERS)
    @pytest.mark.parametrize("number", [int("9" * 38), -int("9" * 38), Decimal("1." + "0" * 36 + "1")], ids=str)
    def test_wide_numbers_keep_38_digits(self, table: BoundTable, number: Any) -> None:
        """Nothing is rounded."""
        table.put({"id": "a", "value": number})
        assert_same(number, table.get(id="a")["value"])

    @rule("NUM-1", "NUM-7", "NUM-8")
    @given(number=numbers())
    def test_a_number_is_found_by_its_value(self, table: BoundTable, number: Any) -> None:
        """Whatever its digits, a number equals itself in a filter and nothing next to it."""
        table.put({"id": "a", "value": number})
        assert table.scan().where(F.value == number).count() == 1
        assert table.scan().where(F.value != number).count() == 0

    @rule("NUM-9", "NUM-8")
    def test_true_one_and_one_point_zero_stay_what_they_are(self, table: BoundTable) -> None:
        """A boolean comes back as a boolean, both forms of a number as one int."""
        table.put({"id": "a", "values": [True, 1, 1.0, Decimal(1), False, 0]})
        assert_same([True, 1, 1, 1, False, 0], table.get(id="a")["values"])

    @rule("STR-2", "STR-5")
    def test_composed_and_decomposed_text_differ(self, table: BoundTable) -> None:
        """As values, as names and as keys; NUL is a character like others."""
        composed, decomposed = "\u00e9\0", "e\u0301\0"
        table.put({"id": composed, "value": composed, "\u00e9": 1})
        table.put({"id": decomposed, "value": decomposed, "e\u0301": 1})
        assert_same({"id": composed, "value": composed, "\u00e9": 1}, table.get(id=composed))
        assert_same([decomposed], [item["id"] for item in table.scan().where(F.value == decomposed)])
        assert_same([composed], [item["id"] for item in table.scan().where(F["\u00e9"].exists())])

    @rule("PTH-1", "PTH-2", "PTH-5")
    @given(share=0.5, name=names().filter(lambda name: name != "id"))
    def test_any_name_works_in_filters_updates_and_projections(self, table: BoundTable, name: str) -> None:
        """No name means anything to a query language, at the top or inside of a map."""
        table.put({"id": "a", name: 1, "in": {name: "x"}} if name != "in" else {"id": "a", name: 1})
        if name != "in":
            assert table.scan().where(F["in"][name] == "x").count() == 1
            table.update(id="a", set={F["in"][name]: "y"})
            assert_same({"in": {name: "y"}}, table.get(id="a", select=[F["in"][name]]))
        table.update(id="a", add={F[name]: 1})
        assert table.scan().where(F[name] == 2).count() == 1
        assert_same({name: 2}, table.get(id="a", select=[name]))
        table.update(id="a", remove=[F[name]])
        assert name not in table.get(id="a")


class Isolation(Suite):
    """Items never share lists or maps with what is stored."""

    @rule("LYR-3")
    def test_changing_what_was_written_changes_nothing(self, table: BoundTable) -> None:
        """Through every call that takes values."""
        shared: list[Any] = [1]
        table.put({"id": "a", "x": shared})
        table.put_many([{"id": "b", "x": shared}])
        table.update(id="a", set={"y": shared})
        shared.append(2)
        assert_same({"id": "a", "x": [1], "y": [1]}, table.get(id="a"))
        assert_same({"id": "b", "x": [1]}, table.get(id="b"))

    @rule("LYR-3")
    def test_changing_what_was_read_changes_nothing(self, table: BoundTable) -> None:
        """Through every call that gives items, each against what it has just read."""
        original = {"id": "a", "x": {"y": [1]}}
        table.put(original)
        reads: tuple[Callable[[], Any], ...] = (
            lambda: table.get(id="a"),
            lambda: table.find(id="a"),
            lambda: next(iter(table.scan())),
            lambda: next(iter(table.query(id="a"))),
            lambda: table.get_many([{"id": "a"}]).items[0],
            lambda: table.put(original, returning="old"),
            lambda: table.update(id="a", set={"x": {"y": [1]}}, returning="old"),
            lambda: table.update(id="a", set={"x": {"y": [1]}}, returning="new"),
            lambda: _current(table),
        )
        for read in reads:
            item = read()
            item["x"]["y"].append(2)
            item["z"] = 1
            assert_same(original, table.get(id="a"))

    @rule("LYR-3", "BAT-2")
    def test_an_item_read_twice_in_a_batch_is_two_items(self, table: BoundTable) -> None:
        """Changing the answer at one place leaves the other."""
        table.put({"id": "a", "x": [1]})
        first, second = table.get_many([{"id": "a"}, {"id": "a"}]).items
        assert first is not None
        first["x"] = 2
        assert_same({"id": "a", "x": [1]}, second)

    @rule("LYR-3", "TXN-12")
    @requires(Capability.TRANSACT_GET)
    def test_an_item_read_twice_in_a_transaction_is_two_items(self, database: Database, table: BoundTable) -> None:
        """As in a batch."""
        table.put({"id": "a", "x": [1]})
        first, second = database.transact_get([table.actions.get(id="a"), table.actions.get(id="a")])
        assert first is not None
        first["x"] = 2
        assert_same({"id": "a", "x": [1]}, second)

    @rule("LYR-3")
    def test_a_mapping_is_not_changed_by_writing_it(self, table: BoundTable) -> None:
        """The caller's own objects stay as they are."""
        given: Mapping[str, Any] = {"id": "a", "x": (1, {"y": {2.0}})}
        table.put(given)
        assert given == {"id": "a", "x": (1, {"y": {2.0}})}


class ValuesSuite(RefusedValues, RoundTrips, Isolation, ForeignTypes):
    """Values: what may be written, and that it comes back as it was."""


def _current(table: BoundTable) -> Any:
    """The item that a failed condition tells."""
    with pytest.raises(ConditionFailed) as raised:
        table.delete(id="a", when=F.x == 1)
    return raised.value.current
