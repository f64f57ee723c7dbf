"""Queries and scans: what the service is asked, how often, and that pages of any size give the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus import BoundTable, F, Index
from isthmus.errors import InvalidArgument, InvalidCursor
from isthmus.evaluate import matches
from isthmus.expressions import Condition, any_of
from isthmus.operations import Context, Query, Scan
from isthmus.results import Page
from isthmus.values import Item
from plugins.dynamodb.tests.stored import NOW, Store, open_store

BY_GROUP = Index("by-group", "g", ("r", int), projection=("n",))
COUNT = 40


@pytest.fixture(scope="module")
def store(dynamodb_url: str) -> Iterator[Store]:
    """A database on DynamoDB Local, with tables that no test changes."""
    with open_store(dynamodb_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled(store: Store) -> BoundTable:
    """One partition of a table with expiry and an index in which many items have one sort key."""
    table = store.database.table("filled", partition_key="p", sort_key="s", indexes=[BY_GROUP], ttl="gone").ensure()
    table.put_many(numbered()).raise_for_failures()
    table.update(p="x", s="039", set={"gone": NOW + 1})
    store.client.update_item(
        TableName=f"{store.prefix}filled", Key={"p": {"S": "x"}, "s": {"S": "expired"}},
        UpdateExpression="SET gone = :now, g = :g, r = :r, n = :r",
        ExpressionAttributeValues={":now": {"N": str(NOW)}, ":g": {"S": "g"}, ":r": {"N": "2"}},
    )  # fmt: skip
    return table


@pytest.fixture(scope="module")
def large(store: Store) -> BoundTable:
    """Five megabytes in one partition."""
    table = store.database.table("large", partition_key="p", sort_key=("s", int)).ensure()
    table.put_many([{"p": "x", "s": n, "text": "t" * 250_000} for n in range(20)]).raise_for_failures()
    return table


@pytest.fixture
def asked(store: Store, filled: BoundTable) -> list[Any]:
    """The requests of this test alone, and none about tables."""
    list(filled.query(p="nobody"))
    filled.query(g="nobody", index="by-group").count()
    store.recorder.sent.clear()
    return store.recorder.sent


def numbered() -> list[Item]:
    """Items with the number ``n``, ten of each rank ``r``."""
    return [{"p": "x", "s": f"{n:03}", "n": n, "g": "g", "r": n // 10} for n in range(COUNT)]


def numbers(items: Any) -> list[Any]:
    """The numbers of items."""
    return [item["n"] for item in items]


def walk(selection: Any, size: int) -> list[Item]:
    """All items by pages; each cursor leads to an item."""
    found: list[Item] = []
    page = selection.page(size=size)
    while page.cursor is not None:
        found += page.items
        page = selection.page(size=size, cursor=page.cursor)
        assert page.items, "a cursor led to nothing"
    return [*found, *page.items]


def run(table: BoundTable, **query: Any) -> Page:
    """The page of a query operation, past what a selection would change."""
    result = table.database.execute(Query(Context(), table.schema, **query))
    assert isinstance(result, Page)
    return result


CONDITIONS: dict[str, Condition] = {
    "plain": F.n > 11,
    "key": (F.s != "005") & (F.n < 30),
    "index key": (F.r >= 1) & F.g.exists(),
    "either": (F.s == "003") | (F.n == 20) | (F.r == 3),
    "long": F.n.in_(range(10, 35)) & any_of(F["name" * 60 + str(n)].exists() | (F.n >= n) for n in range(9, 40)),
    "many operators": any_of(F.n == n for n in range(5, 150)) & (F.n != 9),
    "heavy": F.n.in_(range(3, 20)) & (F.text != "t" * 1_000_000),
}
"""Some are refused by the service in one place or another."""


class TestPages:
    """Pages, whatever their size."""

    @pytest.mark.parametrize("name", CONDITIONS)
    @pytest.mark.parametrize("source", ["table", "index", "scan"])
    def test_pages_of_any_size_give_the_whole(self, filled: BoundTable, source: str, name: str) -> None:
        """In both directions, through an index with ties, with every kind of filter, expired items left out."""
        condition = CONDITIONS[name]
        if source == "index" and name in ("long", "heavy"):
            condition = F.n.in_(range(10, 35)) & any_of((F.n >= n) & (F.n != "x" * 900) for n in range(5))
        right = sorted(n for n, item in enumerate(numbered()) if matches(condition, item))
        assert right

        @settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(size=st.integers(1, COUNT + 2), forward=st.booleans())
        def check(size: int, forward: bool) -> None:
            if source == "scan":
                assert sorted(numbers(walk(filled.scan().where(condition), size))) == right
                return
            queries = {"table": filled.query(p="x"), "index": filled.query(g="g", index="by-group")}
            query = queries[source].where(condition)
            found = walk(query if forward else query.descending(), size)
            assert sorted(numbers(found)) == right
            ranks = [n if source == "table" else n // 10 for n in numbers(found)]
            assert ranks == sorted(ranks, reverse=not forward)
            assert query.count() == len(right)

        check()

    def test_one_more_is_asked_than_is_wanted(self, filled: BoundTable, asked: list[Any]) -> None:
        """That tells whether the page is the last one, in the same request."""
        assert filled.query(p="x").page(size=7).cursor is not None
        assert [request.parameters["Limit"] for request in asked] == [8]

    def test_more_is_asked_where_many_have_expired(self, store: Store) -> None:
        """So that a backlog of the service's own deletion takes few requests."""
        table = store.database.table("expired", partition_key="p", sort_key="s", ttl="gone").ensure()
        rows = [{"p": {"S": "x"}, "s": {"S": f"{n:03}"}, "gone": {"N": str(NOW)}} for n in range(200)]
        store.put_raw("expired", *rows, {"p": {"S": "x"}, "s": {"S": "alive"}})
        store.recorder.sent.clear()
        assert [item["s"] for item in table.query(p="x").page(size=1).items] == ["alive"]
        assert [request.parameters["Limit"] for request in store.recorder.sent if request.action == "Query"] == [
            2, 8, 32, 128, 512,
        ]  # fmt: skip

    def test_a_filter_that_refuses_most_takes_few_requests(self, filled: BoundTable, asked: list[Any]) -> None:
        """More is examined each time."""
        assert numbers(filled.query(p="x").where(F.n == 39).page(size=1).items) == [39]
        assert len(asked) == 1

    def test_a_count_brings_no_items(self, filled: BoundTable, asked: list[Any]) -> None:
        """The service counts, also with a filter and expiry."""
        assert [filled.query(p="x").count(), filled.scan().where(F.n < 9).count()] == [COUNT, 9]
        assert [request.parameters["Select"] for request in asked] == ["COUNT", "COUNT"]

    def test_only_wanted_attributes_are_read(self, filled: BoundTable, asked: list[Any]) -> None:
        """With those that something is judged by here."""
        found = list(filled.query(p="x").where((F.s < "900") & ((F.s == "001") | (F.r == 3))).select("n").limit(2))
        assert found == [{"n": 1}, {"n": 30}]
        [request] = asked
        names = request.parameters["ExpressionAttributeNames"]
        read = [names[alias] for alias in request.parameters["ProjectionExpression"].split(", ")]
        assert sorted(read) == ["gone", "n", "p", "r", "s"]

    def test_candidates_are_counted_exactly(self, filled: BoundTable) -> None:
        """Each page looks at three, and the last one gives no cursor."""
        pages, start = [], None
        while True:
            page = run(filled, partition="x", condition=F.n >= 36, max_examined=10, start=start)
            pages.append(numbers(page.items))
            start = page.position
            if start is None:
                break
        assert pages == [[], [], [], [36, 37, 38, 39]]

    @pytest.mark.parametrize(("consistent", "sent"), [(True, [True]), (False, [False])])
    def test_reads_are_as_strong_as_asked(
        self, filled: BoundTable, asked: list[Any], consistent: bool, sent: list[bool]
    ) -> None:
        """Strong by default."""
        assert filled.query(p="x").consistent(consistent).first() is not None
        assert [request.parameters["ConsistentRead"] for request in asked] == sent

    def test_an_index_is_never_asked_for_a_strong_read(self, filled: BoundTable, asked: list[Any]) -> None:
        """The service would refuse."""
        assert filled.query(g="g", index="by-group").first() is not None
        assert ["ConsistentRead" in request.parameters for request in asked if request.action == "Query"] == [False]


class TestExplaining:
    """What a query would ask."""

    def test_the_request_is_shown_for_a_table_that_was_never_met(self, store: Store) -> None:
        """Nothing is sent for it."""
        before = len(store.recorder.sent)
        query = Query(Context(), store.database.table("unmet", partition_key="p").schema, partition="x")
        shown = store.database.explain_operation(query)
        assert (shown["action"], shown["parameters"]["TableName"]) == ("Query", f"{store.prefix}unmet")
        assert len(store.recorder.sent) == before


class TestLargePages:
    """More than the service gives at once."""

    def test_a_page_without_a_size_is_one_of_the_service(self, store: Store, large: BoundTable) -> None:
        """And leads on."""
        first = run(large, partition="x")
        assert 2 <= len(first.items) <= 6
        rest: list[Item] = []
        start = first.position
        while start is not None:
            page = run(large, partition="x", start=start)
            rest += page.items
            start = page.position
        assert [item["s"] for item in (*first.items, *rest)] == list(range(20))

    def test_a_page_of_bytes_ends_near_them(self, large: BoundTable) -> None:
        """Finely where little is asked, by the pages of the service else."""
        assert [len(run(large, partition="x", max_bytes=size).items) for size in (1, 500_000)] == [1, 2]
        assert 6 <= len(run(large, partition="x", max_bytes=2 << 20, limit=20).items) <= 10

    def test_a_whole_walk_and_a_count(self, large: BoundTable) -> None:
        """Nothing is lost between the pages."""
        query = large.query(p="x")
        assert [item["s"] for item in query.descending()] == list(range(19, -1, -1))
        assert query.count() == large.scan().count() == 20
        assert [item["s"] for item in query.where(F.text.size() > 5).page(size=20).items] == list(range(20))


class TestRefusals:
    """What can't be asked."""

    @pytest.mark.parametrize(
        "start", [{"p": "y", "s": "001"}, {"p": "x"}, {"p": "x", "s": 1}, {"p": "x", "s": "001", "n": 1}]
    )
    def test_a_foreign_start_is_an_invalid_cursor(self, filled: BoundTable, start: Item) -> None:
        """Of another partition, with a part missing, of another type, with too much."""
        with pytest.raises(InvalidCursor):
            run(filled, partition="x", start=start)

    def test_a_start_of_another_segment_is_an_invalid_cursor(self, filled: BoundTable) -> None:
        """One of two segments does not hold it."""
        refused = 0
        for segment in (0, 1):
            scan = Scan(Context(), filled.schema, start={"p": "x", "s": "001"}, segment=segment, segments=2)
            try:
                filled.database.execute(scan)
            except InvalidCursor:
                refused += 1
        assert refused == 1

    @pytest.mark.parametrize(("part", "value"), [("condition", F.text == "t"), ("projection", (("text",),))])
    def test_what_an_index_does_not_hold_is_refused(self, filled: BoundTable, part: str, value: Any) -> None:
        """By the name of the attribute, before it is asked."""
        with pytest.raises(InvalidArgument, match="'text'"):
            run(filled, index="by-group", partition="g", consistent=False, **{part: value})
