"""What ``save`` leaves alone, and what it takes for stored (rule REP-7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

import pytest
from attrs import define, field

import isthmus
from isthmus import Database, Model


@define
class Card:
    """Paid at once."""

    number: str


@define
class Cash:
    """Paid later."""

    by: str


@define
class Line:
    """Part of a basket."""

    sku: str
    count: int = 1
    parts: list[Line] = field(factory=list)


@define
class Basket:
    """With classes in all places."""

    __isthmus__: ClassVar[Model] = Model("baskets", "id")

    id: str
    note: str | None = None
    first: Line | None = None
    lines: list[Line] = field(factory=list)
    named: dict[str, Line] = field(factory=dict)
    payment: Card | Cash | None = None
    mark: UUID | None = None


STORED: dict[str, Any] = {
    "id": "1",
    "first": {"sku": "a", "more": 1, "parts": [{"sku": "b", "more": 2}]},
    "lines": [{"sku": "a", "count": 1, "more": 3}, {"sku": "b", "count": 1, "more": 4}],
    "named": {"x": {"sku": "a", "more": 5}},
    "payment": {"number": "7", "_type": "Card", "more": 6},
    "mark": "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
}


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty one."""
    with isthmus.connect("memory://") as opened:
        yield opened


def stored(database: Database) -> Any:
    """The item as it is stored."""
    return database.repository(Basket).table.get(id="1")


@pytest.fixture
def basket(database: Database) -> Basket:
    """Written by a program that knows more."""
    baskets = database.repository(Basket).ensure()
    baskets.table.put(STORED)
    return baskets.get("1")


def test_nested_attributes_that_nobody_knows_stay(database: Database, basket: Basket) -> None:
    """A field that did not change is not sent, whatever else and in whatever form it holds it."""
    basket.note = "new"
    database.repository(Basket).save(basket)
    assert stored(database) == {**STORED, "note": "new"}


def test_changes_inside_keep_what_lies_beside_them(database: Database, basket: Basket) -> None:
    """In maps, and in members of lists that were moved or changed in their place."""
    assert basket.first is not None
    assert isinstance(basket.payment, Card)
    basket.first.parts[0].count = 9
    basket.named["x"].count = 9
    basket.named["y"] = Line("y")
    basket.payment.number = "8"
    basket.lines.insert(0, Line("c"))
    baskets = database.repository(Basket)
    baskets.save(basket)
    basket.lines[1].count = 9
    baskets.save(basket)
    found = stored(database)
    assert found["first"]["more"] == 1
    assert found["first"]["parts"] == [{"sku": "b", "more": 2, "count": 9, "parts": []}]
    assert found["named"]["x"] == {"sku": "a", "more": 5, "count": 9, "parts": []}
    assert found["payment"] == {"number": "8", "_type": "Card", "more": 6}
    assert [one.get("more") for one in found["lines"]] == [None, 3, 4]
    assert baskets.get("1") == basket


def test_another_class_takes_nothing_over(database: Database, basket: Basket) -> None:
    """Of a union's member that is gone."""
    basket.payment = Cash("Ann")
    database.repository(Basket).save(basket)
    assert stored(database)["payment"] == {"by": "Ann", "_type": "Cash"}
