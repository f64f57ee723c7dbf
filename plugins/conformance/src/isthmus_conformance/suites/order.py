"""Order, ranges and filters of queries and scans (rules QRY-3, QRY-5 to QRY-7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from isthmus import Capability, F
from isthmus.errors import InvalidArgument, InvalidKey, InvalidValue, QueryTooComplex
from isthmus_conformance.base import MakeTable, Suite, requires
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import (
    KEY_POOLS,
    Wanted,
    expected,
    filters,
    load,
    multiset,
    numbered,
    numbers,
    pool_items,
    ranges,
    select,
)


class OrderSuite(Suite):
    """Order and ranges."""

    @rule("QRY-3", "QRY-5", "STR-1", "BIN-1")
    @pytest.mark.parametrize("kind", ["string", "number", "binary"])
    @pytest.mark.parametrize("forward", [True, False])
    def test_sort_keys_order_as_in_python(self, make_table: MakeTable, kind: str, forward: bool) -> None:
        """Strings by code point, numbers by value, bytes unsigned from the left; both directions."""
        table = load(make_table(partition_key="p", sort_key=("s", kind)), pool_items(kind))
        found = [item["s"] for item in select(table, Wanted("x", None, forward))]
        assert found == sorted(KEY_POOLS[kind], reverse=not forward)

    @rule("QRY-3", "QRY-7", "STR-8", "NUL-8", "KEY-2")
    @pytest.mark.parametrize("kind", ["string", "number", "binary"])
    def test_ranges_equal_the_model(self, make_table: MakeTable, kind: str) -> None:
        """Comparisons, between, prefixes and their combinations on a sort key give what Python's order gives."""
        items = pool_items(kind)
        table = load(make_table(partition_key="p", sort_key=("s", kind)), items)

        @given(condition=ranges(kind), more=st.none() | ranges(kind) | filters(), forward=st.booleans())
        def check(condition: Any, more: Any, forward: bool) -> None:
            wanted = Wanted("x", condition if more is None else condition & more, forward)
            assert list(select(table, wanted)) == expected(items, wanted)

        check()

    @rule("STR-8", "QRY-3")
    @pytest.mark.parametrize("prefix", ["_", "%", "a_", "a%", "[a]", "^a", "*"])
    def test_prefixes_of_sort_keys_are_literal(self, make_table: MakeTable, prefix: str) -> None:
        """A character that is a wildcard somewhere stands for itself."""
        keys = [prefix, f"{prefix}b", "a", "ab", "abc", "b", "bab"]
        table = load(make_table(partition_key="p", sort_key="s"), [{"p": "x", "s": key} for key in keys])
        assert [item["s"] for item in table.query(p="x").where(F.s.begins_with(prefix))] == [prefix, f"{prefix}b"]

    @rule("QRY-3")
    def test_an_equality_on_the_sort_key_may_be_given_with_the_partition(self, make_table: MakeTable) -> None:
        """``query(p=…, s=…)`` gives the one item."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(5))
        assert numbers(table.query(p="x", s="003")) == [3]

    @rule("QRY-3")
    def test_a_query_stays_in_its_partition(self, make_table: MakeTable) -> None:
        """Partitions that are near each other in any encoding don't mix."""
        partitions = ["x", "x\0", "xx", "X", "x|", "x#1"]
        table = make_table(partition_key="p", sort_key="s")
        load(table, [{"p": partition, "s": str(n)} for partition in partitions for n in range(3)])
        found = {partition: [item["p"] for item in table.query(p=partition)] for partition in partitions}
        assert found == {partition: [partition] * 3 for partition in partitions}

    @rule("QRY-7")
    def test_filters_on_key_attributes_are_allowed(self, make_table: MakeTable) -> None:
        """Conditions on both keys may stand anywhere in a filter, below ``not`` and ``or`` too."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(6))
        query = table.query(p="x").where((F.s == "001") | (F.s.in_(["004"])) | (F.p != "x"))
        assert numbers(query.where(~(F.s > "900"))) == [1, 4]

    @rule("QRY-6")
    def test_a_scan_gives_every_item_once(self, make_table: MakeTable) -> None:
        """All partitions, no promised order."""
        items = [{"p": f"p{n % 7}", "s": f"{n:03}", "n": n} for n in range(80)]
        table = load(make_table(partition_key="p", sort_key="s"), items)
        assert multiset(table.scan()) == multiset(items)

    @rule("QRY-3")
    def test_a_scan_has_no_order_to_reverse(self, make_table: MakeTable) -> None:
        """``descending`` is refused for scans."""
        with pytest.raises(InvalidArgument):
            make_table(partition_key="p", sort_key="s").scan().descending()

    @rule("QRY-3")
    def test_unknown_or_missing_key_attributes_are_refused(self, make_table: MakeTable) -> None:
        """A query names the partition, at most the sort key, and nothing else."""
        table = make_table(partition_key="p", sort_key="s")
        for attributes in ({}, {"s": "a"}, {"p": "x", "n": 1}, {"p": 5}, {"p": ""}):
            with pytest.raises(InvalidKey):
                table.query(**attributes)

    @rule("QRY-3")
    def test_sorting_by_another_attribute_is_bounded(self, make_table: MakeTable) -> None:
        """``sorted_by`` sorts in memory, items without the attribute last, and refuses more than its bound."""
        table = make_table(partition_key="p", sort_key="s")
        load(table, [{"p": "x", "s": str(n), "rank": rank} for n, rank in enumerate([3, 1, Decimal("2.5")])])
        table.put({"p": "x", "s": "9"})
        found = [item["s"] for item in table.query(p="x").sorted_by("rank", descending=True, bound=4)]
        assert found == ["0", "2", "1", "9"]
        with pytest.raises(QueryTooComplex):
            table.query(p="x").sorted_by("rank", bound=3)

    @rule("QRY-3")
    @requires(Capability.PROJECTION)
    def test_sorting_by_what_is_not_read_is_refused(self, make_table: MakeTable) -> None:
        """An attribute outside of the projection can't order the items."""
        table = make_table(partition_key="p", sort_key="s")
        table.put({"p": "x", "s": "1", "rank": 1, "m": {"a": 1, "b": 2}})
        for chosen, by in (("s", "rank"), (F.m.a, F.m.b), (F.m.a, "m")):
            with pytest.raises(InvalidArgument):
                table.query(p="x").select(chosen).sorted_by(by)
        assert table.query(p="x").select("s", "rank").sorted_by("rank") == [{"s": "1", "rank": 1}]

    @rule("QRY-3")
    def test_sorting_values_without_an_order_is_refused(self, make_table: MakeTable) -> None:
        """Numbers and strings have no order among each other."""
        table = make_table(partition_key="p", sort_key="s")
        load(table, [{"p": "x", "s": "1", "rank": 1}, {"p": "x", "s": "2", "rank": "1"}])
        with pytest.raises(InvalidValue):
            table.query(p="x").sorted_by("rank")
