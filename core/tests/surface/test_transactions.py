"""Several reads of one item in a transaction."""

from __future__ import annotations

from typing import Any, cast

from isthmus import Table
from isthmus.capabilities import Limits
from isthmus.operations import Context, Get
from isthmus.transactions import spread_reads, transact_get

TABLE = Table("things", "id")
FIRST, SECOND = {"id": "a"}, {"id": "b"}


def reading(key: dict[str, str], *names: str) -> Get:
    """A read of these attributes, or of the whole item."""
    return Get(Context(), TABLE, {**key}, tuple((name,) for name in names) or None)


def test_the_same_parts_are_asked_for_once() -> None:
    """Equal reads of one item are one."""
    operation, places = transact_get([reading(FIRST, "n"), reading(FIRST, "n")], Limits(), Context())
    assert (operation.gets, places) == ((reading(FIRST, "n"),), [(0, None), (0, None)])


def test_different_parts_ask_for_the_whole_item() -> None:
    """One request for the item, from which each place gets its part; other items are not affected."""
    gets = [reading(FIRST, "n"), reading(SECOND, "n"), reading(FIRST, "m"), reading(FIRST)]
    operation, places = transact_get(gets, Limits(), Context())
    assert operation.gets == (reading(FIRST), reading(SECOND, "n"))
    assert spread_reads([{"id": "a", "n": 1, "m": [2]}, {"n": 3}], places) == [
        {"n": 1}, {"n": 3}, {"m": [2]}, {"id": "a", "n": 1, "m": [2]},
    ]  # fmt: skip


def test_answers_of_one_item_share_nothing() -> None:
    """A caller who changes one answer does not change another."""
    _operation, places = transact_get([reading(FIRST, "m"), reading(FIRST)], Limits(), Context())
    part, whole = spread_reads([{"id": "a", "m": [2]}], places)
    cast("Any", part)["m"].append(3)
    assert whole == {"id": "a", "m": [2]}
