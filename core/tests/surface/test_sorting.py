"""Sorting in memory needs the attribute to be read."""

from __future__ import annotations

from typing import Any

import pytest

import isthmus
from isthmus import F, Index
from isthmus.errors import InvalidArgument

ITEMS: list[dict[str, Any]] = [
    {"id": "1", "g": "x", "n": 2, "m": {"a": 1, "b": 2}, "l": [3, 1]},
    {"id": "2", "g": "x", "n": 1, "m": {"a": 2, "b": 1}, "l": [3, 0]},
]


def things(database: isthmus.Database) -> isthmus.BoundTable:
    """A table with an index that holds no more than keys."""
    index = Index("by_g", "g", projection="keys")
    table = database.table("things", partition_key="id", indexes=[index]).ensure()
    table.put_many(ITEMS).raise_for_failures()
    return table


@pytest.mark.parametrize(
    ("chosen", "by"),
    [((F.id,), "n"), ((F.m.a,), F.m.b), ((F.m.a,), "m"), ((F.l[1],), F.l[1]), ((F.id, F.l[0]), F.l[1])],
)
def test_an_attribute_outside_of_the_projection_is_refused(chosen: tuple[Any, ...], by: Any) -> None:
    """Without the attribute every item would seem to lack it."""
    with isthmus.connect("memory://") as database, pytest.raises(InvalidArgument, match="not read"):
        things(database).scan().select(*chosen).sorted_by(by)


@pytest.mark.parametrize(("chosen", "by"), [((F.n,), "n"), ((F.m,), F.m.b), ((F.m.b,), F.m.b), ((F.l,), F.l[1])])
def test_an_attribute_of_the_projection_sorts(chosen: tuple[Any, ...], by: Any) -> None:
    """A part that is read, as a whole or within what is read, is sorted by."""
    with isthmus.connect("memory://") as database:
        table = things(database)
        found = table.scan().select(*chosen).sorted_by(by)
        assert found == [table.get(id=key, select=chosen) for key in ("2", "1")]


def test_an_attribute_that_the_index_does_not_hold_is_refused() -> None:
    """The same of an index that holds a part of each item."""
    with isthmus.connect("memory://") as database:
        query = things(database).query(index="by_g", g="x")
        assert [item["id"] for item in query.sorted_by("id", descending=True)] == ["2", "1"]
        with pytest.raises(InvalidArgument, match="does not hold 'n'"):
            query.sorted_by("n")
