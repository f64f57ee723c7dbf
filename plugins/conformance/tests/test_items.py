"""Made-up items."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import Index, Limits, Table, connect
from isthmus.deviations import check_item
from isthmus_conformance.testing import ItemMaker

KINDS: list[Any] = ["string", "number", "binary"]
KEYS = st.sampled_from(KINDS)


@given(first=KEYS, second=KEYS | st.none(), third=KEYS, seed=st.integers(0, 2**32))
def test_made_up_items_are_as_declared(first: Any, second: Any, third: Any, seed: int) -> None:
    """Keys of all types, keys of indexes, expiry; no two with one key, and the same ones for the same seed."""
    index = Index("by_other", ("other", third))
    table = Table("things", ("p", first), None if second is None else ("s", second), [index], "expires")
    items = ItemMaker(table, seed, {"name": str, "price": Decimal}).many(20)
    assert [list(check_item(table, item, Limits())) for item in items] == [[]] * 20
    assert len({tuple(table.key_of(item).values()) for item in items}) == 20
    assert all(set(item) >= {"p", "other", "expires", "name", "price"} for item in items)
    assert items == ItemMaker(table, seed, {"name": str, "price": Decimal}).many(20)


def test_versions_are_left_to_isthmus() -> None:
    """Also where they are keys of an index; so every item can be put."""
    with connect("memory://") as database:
        indexes = [Index("by_time", "id", "created_at"), Index("by_version", "id", ("version", int))]
        table = database.table("things", partition_key="id", indexes=indexes, versioned=True, timestamps=True).ensure()
        items = ItemMaker(table.schema, 1).many(5)
        assert {*items[0]} == {"id"}
        table.put_many(items).raise_for_failures()
        assert table.scan().count() == 5


@pytest.mark.parametrize("kind", [str, int, Decimal, bytes, bool, list, dict, set])
def test_each_type_that_is_promised(kind: type) -> None:
    """A value of that type."""
    table = Table("things", "id")
    assert {type(item["x"]) for item in ItemMaker(table, 3, {"x": kind}).many(20)} == {kind}


def test_functions_values_and_fixed_attributes() -> None:
    """A function gets the randomness; a value is for all; what one call fixes is for its items."""
    maker = ItemMaker(Table("things", "id"), 3, {"n": lambda chance: chance.randint(5, 6), "kind": "user"})
    items = [*maker.many(20), maker.one(kind="guest", id="mine")]
    assert {item["n"] for item in items} == {5, 6}
    assert [item["kind"] for item in items] == ["user"] * 20 + ["guest"]
    assert items[-1]["id"] == "mine"


def test_a_type_that_nothing_is_made_of() -> None:
    """Says what there is."""
    with pytest.raises(ValueError, match="nothing makes a Random"):
        ItemMaker(Table("things", "id"), 3, {"x": random.Random}).one()
