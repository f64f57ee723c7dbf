"""Limits: the largest thing that fits goes in, the next one is refused and changes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from isthmus import BoundTable, Capability, Database, F
from isthmus.errors import InvalidArgument, InvalidKey, InvalidPath, InvalidValue, ItemTooLarge, QueryTooComplex
from isthmus.expressions import any_of
from isthmus.operations import Action
from isthmus.values import item_size
from isthmus_conformance.base import MakeTable, Suite, fresh_name, requires, stored_items
from isthmus_conformance.comparing import assert_same
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.strategies import values
from isthmus_conformance.suites.conditions import deep_field
from isthmus_conformance.updating import field_of


def nested(containers: int, kind: type) -> Any:
    """That many lists or maps around a number."""
    value: Any = 1
    for _ in range(containers):
        value = [value] if kind is list else {"x": value}
    return value


def item_of(size: int, key: str = "a") -> dict[str, Any]:
    """An item of exactly that many bytes: 2 + 1 for the key, 1 for a name, the rest text."""
    item = {"id": key, "x": "y" * (size - 3 - len(key))}
    assert item_size(item) == size
    return item


class ItemLimits(Suite):
    """Sizes and depths of items."""

    @rule("SIZ-1")
    def test_the_largest_item_fits_and_one_byte_more_does_not(self, database: Database, table: BoundTable) -> None:
        """By put, create, batch and update alike."""
        most = database.limits.item_bytes
        largest, larger = item_of(most), item_of(most + 1)
        for refused in (
            lambda: table.put(larger),
            lambda: table.create(larger),
            lambda: table.put_many([{"id": "b"}, larger]),
            lambda: table.actions.put(larger),
        ):
            with pytest.raises(ItemTooLarge):
                refused()
        assert stored_items(database, table) == []
        table.put(largest)
        assert_same(largest, table.get(id="a"))

    @rule("SIZ-1", "SIZ-3")
    def test_sizes_count_utf_8_names_and_every_type(self, database: Database, table: BoundTable) -> None:
        """An item of all types at exactly the limit, by the formula written out."""
        parts = {"é": "\U0001f600", "b": b"abc", "n": -123, "d": Decimal("1.5"), "t": True, "z": None, "s": {"ab", "c"}}
        # Names 2+1+1+1+1+1+1; values 4, 3, 2 pairs + 1 + sign = 4, 1 + 1 + 1 = 3, 1, 1, 3.
        known = 8 + 4 + 3 + 4 + 3 + 1 + 1 + 3
        containers = {"l": [1, []], "m": {"k": {}}}
        # Names 1 + 1; lists 3 + (1 + 2) + (1 + 3), maps 3 + (1 + 1 + 3).
        known += 2 + 10 + 8
        rest = database.limits.item_bytes - known - len("id") - len("a") - len("x")
        item = {"id": "a", **parts, **containers, "x": "y" * rest}
        with pytest.raises(ItemTooLarge):
            table.put({**item, "x": "y" * (rest + 1)})
        table.put(item)
        assert table.scan().where(F.x.size() == rest).count() == 1

    @rule("SIZ-6", "SIZ-1")
    @requires(Capability.UPDATE)
    def test_an_update_is_judged_by_its_result(self, database: Database, table: BoundTable) -> None:
        """Exactly the limit passes, one byte more changes nothing."""
        most = database.limits.item_bytes
        table.put(item_of(most - 10))
        with pytest.raises(ItemTooLarge):
            table.update(id="a", set={"n": "1234567890"})
        assert item_size(table.get(id="a")) == most - 10
        table.update(id="a", set={"n": "123456789"})
        assert item_size(table.get(id="a")) == most
        with pytest.raises(ItemTooLarge):
            table.update(id="a", add={"o": 1})
        with pytest.raises(ItemTooLarge):
            table.update(id="a", copy={"o": F.n})
        assert item_size(table.get(id="a")) == most

    @rule("SIZ-2")
    @pytest.mark.parametrize("kind", [list, dict])
    def test_the_deepest_value_fits_and_one_level_more_does_not(
        self, database: Database, table: BoundTable, kind: type
    ) -> None:
        """By put and by update, also where the update only adds the last level."""
        most = database.limits.depth
        deepest, deeper = nested(most, kind), nested(most + 1, kind)
        with pytest.raises(InvalidValue):
            table.put({"id": "a", "x": deeper})
        table.put({"id": "a", "x": deepest, "short": nested(1, kind)})
        assert_same(deepest, table.get(id="a")["x"])
        with pytest.raises(InvalidArgument):
            table.update(id="a", set={"x": deeper})
        inside = F.short[0] if kind is list else F.short.x
        with pytest.raises(InvalidArgument):
            table.update(id="a", set={inside: deepest})
        with pytest.raises(InvalidArgument):
            table.update(id="a", copy={inside: F.x})
        assert_same({"id": "a", "x": deepest, "short": nested(1, kind)}, table.get(id="a"))

    @rule("PTH-9", "SIZ-2")
    def test_the_longest_path_reaches_the_deepest_value(self, table: BoundTable) -> None:
        """32 elements work in filters, updates and projections; 33 are refused."""
        table.put({"id": "a", "a": nested(31, dict)})
        longest = deep_field(32)
        assert table.scan().where(longest == 1).count() == 1
        table.update(id="a", add={longest: 1})
        assert table.scan().where(longest == 2).count() == 1
        assert_same({"a": table.get(id="a")["a"]}, table.get(id="a", select=[longest]))
        with pytest.raises(InvalidPath):
            field_of(("a", *["x"] * 32))

    @rule("PTH-6")
    @requires(Capability.UPDATE)
    @pytest.mark.parametrize("character", ["n", "é"])
    def test_the_longest_name_fits_and_one_byte_more_does_not(
        self, database: Database, table: BoundTable, character: str
    ) -> None:
        """At the top and inside of a map, counted in UTF-8."""
        most = database.limits.name_bytes
        longest = (character * most).encode()[:most].decode(errors="ignore")
        longest += "n" * (most - len(longest.encode()))
        table.put({"id": "a", longest: 1, "map": {longest: 1}})
        assert_same({"id": "a", longest: 1, "map": {longest: 1}}, table.get(id="a"))
        assert table.scan().where(F[longest] == 1).count() == 1
        for refused in ({longest + "n": 1}, {"map": {longest + "n": 1}}):
            with pytest.raises(InvalidValue):
                table.put({"id": "a", **refused})

    @rule("SIZ-3")
    @given(share=0.5, value=values())
    def test_any_value_fits_at_exactly_the_limit(self, database: Database, table: BoundTable, value: Any) -> None:
        """The size that the core computes is the one that counts."""
        base = item_size({"id": "a", "v": value, "x": ""})
        item = {"id": "a", "v": value, "x": "y" * (database.limits.item_bytes - base)}
        table.put(item)
        assert_same(value, table.get(id="a", select=["v"])["v"])
        with pytest.raises(ItemTooLarge):
            table.put({**item, "x": item["x"] + "y"})


class NumberLimits(Suite):
    """Digits and magnitudes."""

    @rule("NUM-1", "NUM-2")
    def test_digits_and_magnitudes_from_both_sides(self, database: Database, table: BoundTable) -> None:
        """What fits is exact, what does not is refused."""
        digits = database.limits.number_digits
        nines = int("9" * digits)
        fitting = [
            nines, -nines, nines * 10 ** (126 - digits), Decimal(f"0.{'9' * digits}"),
            Decimal("1E-130"), Decimal("-1E-130"),
            Decimal(f"{'9' * digits}E-130"), int(Decimal("9.99E125")),
        ]  # fmt: skip
        for number in fitting:
            table.put({"id": "a", "x": number})
            assert_same(number, table.get(id="a")["x"])
        for number in [
            nines * 10 + 9,
            Decimal(f"0.{'9' * (digits + 1)}"),
            10**126,
            Decimal("1E-131"),
            Decimal("9.9E-131"),
        ]:
            with pytest.raises(InvalidValue):
                table.put({"id": "a", "x": number})
        assert_same(fitting[-1], table.get(id="a")["x"])

    @rule("NUM-10", "NUM-1")
    @requires(Capability.UPDATE)
    def test_sums_from_both_sides(self, database: Database, table: BoundTable) -> None:
        """The largest sum fits; one digit more is OutOfRange and changes nothing."""
        nines = int("9" * database.limits.number_digits)
        table.put({"id": "a", "x": nines - 1})
        assert table.update(id="a", add={"x": 1}, returning="new") == {"id": "a", "x": nines}
        with pytest.raises(InvalidArgument):
            table.update(id="a", add={"x": 2})
        with pytest.raises(InvalidArgument):
            table.update(id="a", add={"x": Decimal("0.5")})
        assert_same(nines, table.get(id="a")["x"])


class KeyLimits(Suite):
    """Sizes of keys."""

    @rule("KEY-3")
    @pytest.mark.parametrize("character", ["k", "é"])
    def test_the_longest_string_keys_fit_and_one_byte_more_does_not(
        self, database: Database, sorted_table: BoundTable, character: str
    ) -> None:
        """Counted in UTF-8, in writes and in reads."""
        limits = database.limits
        width = len(character.encode())
        pk, sk = character * (limits.partition_key_bytes // width), character * (limits.sort_key_bytes // width)
        sorted_table.put({"pk": pk, "sk": sk})
        assert_same({"pk": pk, "sk": sk}, sorted_table.get(pk=pk, sk=sk))
        assert_same([sk], [item["sk"] for item in sorted_table.query(pk=pk)])
        for key in ({"pk": pk + "k", "sk": "a"}, {"pk": "a", "sk": sk + "k"}):
            with pytest.raises(InvalidKey):
                sorted_table.put(key)
            with pytest.raises(InvalidKey):
                sorted_table.find(key)

    @rule("KEY-3")
    @requires(Capability.BINARY_KEY)
    def test_the_longest_binary_keys_fit_and_one_byte_more_does_not(
        self, database: Database, make_table: MakeTable
    ) -> None:
        """In writes and in reads."""
        table = make_table(partition_key=("pk", bytes), sort_key=("sk", bytes))
        limits = database.limits
        pk, sk = b"\xff" * limits.partition_key_bytes, b"\xff" * limits.sort_key_bytes
        table.put({"pk": pk, "sk": sk})
        assert_same({"pk": pk, "sk": sk}, table.get(pk=pk, sk=sk))
        for key in ({"pk": pk + b"k", "sk": b"a"}, {"pk": b"a", "sk": sk + b"k"}):
            with pytest.raises(InvalidKey):
                table.put(key)

    @rule("PTH-6", "PTH-8")
    @requires(Capability.TABLE_MANAGEMENT)
    def test_the_longest_names_of_keys_and_tables_work(self, database: Database) -> None:
        """255 bytes for a key attribute, 120 characters for a table."""
        name, attribute = fresh_name().ljust(120, "_"), "é" * 127 + "k"
        table = database.table(name, partition_key=attribute).ensure()
        table.put({attribute: "a", "x": 1})
        assert_same({attribute: "a", "x": 1}, table.get({attribute: "a"}))
        assert name in database.tables.list()
        table.drop()


class RequestLimits(Suite):
    """Sizes of conditions and transactions."""

    @rule("SIZ-5", "NUL-6")
    @requires(Capability.FILTER)
    def test_the_longest_condition_works_and_one_operator_more_does_not(
        self, database: Database, table: BoundTable
    ) -> None:
        """300 operators: 150 comparisons, 149 disjunctions, one negation."""
        assert database.limits.condition_operators == 300
        table.put({"id": "a", "x": 149})
        longest = any_of([F.x == number for number in range(150)])
        assert table.scan().where(longest).count() == 1
        assert table.scan().where(~longest).count() == 0
        with pytest.raises(QueryTooComplex):
            any_of([F.x == number for number in range(151)])

    @rule("NUL-6")
    @requires(Capability.FILTER, Capability.CONDITIONAL_WRITE)
    def test_any_number_of_alternatives(self, table: BoundTable) -> None:
        """A thousand constants in a filter and in a condition."""
        table.put({"id": "a", "x": 999})
        assert table.scan().where(F.x.in_(range(1000))).count() == 1
        assert table.scan().where(~F.x.in_(range(999))).count() == 1
        table.put({"id": "a", "x": 1}, when=F.x.in_(range(1000)))
        assert table.get(id="a")["x"] == 1

    @rule("TXN-1", "TXN-2")
    @requires(Capability.TRANSACT_WRITE)
    def test_a_transaction_takes_100_actions_and_not_101(self, database: Database, table: BoundTable) -> None:
        """Nor none at all, nor one item twice."""
        most = database.limits.transaction_actions
        puts: list[Action] = [table.actions.put({"id": f"{number}"}) for number in range(most + 1)]
        twice: list[Action] = [puts[0], table.actions.check(id="0", when=F.id.exists())]
        for refused in (puts, [], [puts[0], puts[0]], twice):
            with pytest.raises(InvalidArgument):
                database.transact_write(refused)
        assert stored_items(database, table) == []
        database.transact_write(puts[:most])
        assert len(stored_items(database, table)) == most

    @rule("TXN-1", "TXN-12")
    @requires(Capability.TRANSACT_GET)
    def test_a_transactional_read_takes_100_items_and_not_101(self, database: Database, table: BoundTable) -> None:
        """An item asked for twice counts once; none at all is refused."""
        most = database.limits.transaction_actions
        table.put({"id": "1"})
        gets = [table.actions.get(id=f"{number}") for number in range(most + 1)]
        for refused in (gets, []):
            with pytest.raises(InvalidArgument):
                database.transact_get(refused)
        found = database.transact_get([*gets[:most], gets[1]])
        assert len(found) == most + 1
        assert_same([{"id": "1"}, {"id": "1"}], [found[1], found[-1]])

    @rule("SIZ-4", "TXN-1")
    @requires(Capability.TRANSACT_WRITE)
    def test_a_transaction_carries_4_mib_and_not_one_byte_more(self, database: Database, table: BoundTable) -> None:
        """Values count, deletes of large items don't."""
        most = database.limits.transaction_bytes
        sizes = [database.limits.item_bytes] * (most // database.limits.item_bytes)
        sizes.append(most - sum(sizes))
        assert len(sizes) < database.limits.transaction_actions
        fitting = [item_of(size, f"{number:03}") for number, size in enumerate(sizes)]
        larger = [*fitting[:-1], {**fitting[-1], "x": fitting[-1]["x"] + "y"}]
        with pytest.raises(InvalidArgument):
            database.transact_write([table.actions.put(item) for item in larger])
        assert stored_items(database, table) == []
        database.transact_write([table.actions.put(item) for item in fitting])
        assert len(stored_items(database, table)) == len(fitting)
        database.transact_write([table.actions.delete(id=item["id"]) for item in fitting])
        assert stored_items(database, table) == []


class LimitsSuite(ItemLimits, NumberLimits, KeyLimits, RequestLimits):
    """Limits: the largest thing that fits goes in, the next one is refused and changes nothing."""
