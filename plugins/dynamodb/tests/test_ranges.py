"""Ranges of the sort key: which conditions the service gets, and what is dropped after it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import Table
from isthmus.operations import Context, KeyRange, Query
from isthmus.ranges import within
from isthmus.results import Page
from plugins.dynamodb.tests.stored import Store, open_store

LONG = "k" * 1_024
SORT_KEYS: dict[str, list[Any]] = {
    "string": ["!", "a", "aa", "ab", "b", "é", "\U0001f600", LONG],
    "number": [-10, -1, 0, Decimal("0.5"), 1, 2, 10, 10**30],
    "binary": [b"\x00", b"a", b"a\xff", b"b", b"\xff", b"\xff\xff", b"c", b"d"],
}
BOUNDS: dict[str, list[Any]] = {
    "string": [*SORT_KEYS["string"], "", "a!", LONG + "x", "kk"],
    "number": [*SORT_KEYS["number"], Decimal("0.7"), -100],
    "binary": [*SORT_KEYS["binary"], b"", b"a\x00", b"d" * 1_025],
}


@pytest.fixture(scope="module")
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database on DynamoDB Local."""
    with open_store(dynamodb_url) as opened:
        yield opened


def run(store: Store, table: Table, **query: Any) -> Page:
    """The page of a query operation, past what a selection would change."""
    result = store.database.execute(Query(Context(), table, partition="x", **query))
    assert isinstance(result, Page)
    return result


@pytest.mark.parametrize("kind", SORT_KEYS)
def test_any_range_gives_what_is_within_it(store: Store, kind: str) -> None:
    """Also bounds that the service refuses: empty ones, and longer ones than any key."""
    table = store.database.table(f"range-{kind}", partition_key="p", sort_key=("s", kind)).ensure()
    table.put_many([{"p": "x", "s": key} for key in SORT_KEYS[kind]]).raise_for_failures()
    bound = st.none() | st.sampled_from(BOUNDS[kind])
    ranges = st.builds(KeyRange, bound, bound, st.booleans(), st.booleans())
    if kind != "number":
        ranges |= st.builds(KeyRange, prefix=bound)

    @settings(max_examples=60, deadline=None)
    @given(reach=ranges, forward=st.booleans())
    def check(reach: KeyRange, forward: bool) -> None:
        page = run(store, table.schema, range=reach, forward=forward)
        right = sorted((key for key in SORT_KEYS[kind] if within(reach, key)), reverse=not forward)
        assert [item["s"] for item in page.items] == right
        assert run(store, table.schema, range=reach, select="count").count == len(right)

    check()


@pytest.mark.parametrize(
    ("reach", "text"),
    [
        (KeyRange("a", "b"), "#0 = :0 AND #1 BETWEEN :1 AND :2"),
        (KeyRange("a", "b", high_inclusive=False), "#0 = :0 AND #1 BETWEEN :1 AND :2"),
        (KeyRange("a", "a"), "#0 = :0 AND #1 = :1"),
        (KeyRange("a", low_inclusive=False), "#0 = :0 AND #1 > :1"),
        (KeyRange(high="b"), "#0 = :0 AND #1 <= :1"),
        (KeyRange(prefix="a"), "#0 = :0 AND begins_with(#1, :1)"),
        (KeyRange(prefix=""), "#0 = :0"),
        (KeyRange(low=""), "#0 = :0"),
        (None, "#0 = :0"),
    ],
)
def test_each_key_has_one_condition(store: Store, reach: KeyRange | None, text: str) -> None:
    """The service takes no more."""
    query = Query(Context(), Table("unmet", "p", "s"), partition="x", range=reach)
    assert store.database.explain_operation(query)["parameters"]["KeyConditionExpression"] == text


@pytest.mark.parametrize(
    "reach",
    [KeyRange("b", "a"), KeyRange("a", "a", low_inclusive=False), KeyRange(high=""), KeyRange(prefix=LONG + "k")],
    ids=["low above high", "nothing between", "below the empty string", "longer than any key"],
)
def test_an_empty_range_asks_nothing(store: Store, reach: KeyRange) -> None:
    """Nothing can match, so there is nothing to show either."""
    before = len(store.recorder.sent)
    table = Table("unmet", "p", "s")
    assert run(store, table, range=reach) == Page()
    assert store.database.explain_operation(Query(Context(), table, partition="x", range=reach)) == {}
    assert len(store.recorder.sent) == before
