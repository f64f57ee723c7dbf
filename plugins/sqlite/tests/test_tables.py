"""Tables: what is stored, and what happens when somebody else changes it."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import isthmus
from core.tests.values.strategies import binaries, numbers, texts
from isthmus import F, Index
from isthmus.errors import InvalidKey, SchemaMismatch, TableNotFound
from isthmus.operations import Context, KeyRange, Query, Scan
from isthmus.values import Item
from isthmus_sqlite.layout import Layout, expiry
from isthmus_sqlite.paging import plan
from plugins.sqlite.tests.helpers import open_counters, url


def test_a_table_dropped_by_another_connection_is_not_found(tmp_path: Path) -> None:
    """A database that used the table before sees that it is gone."""
    ours, table = open_counters(tmp_path / "file.db")
    theirs, _table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    theirs.tables.drop("counters")
    with pytest.raises(TableNotFound):
        table.find(id="a")
    with pytest.raises(TableNotFound):
        table.put({"id": "a"})
    ours.close()
    theirs.close()


def test_a_table_created_anew_with_other_keys_is_a_mismatch(tmp_path: Path) -> None:
    """A database that used the old table does not write into the new one."""
    ours, table = open_counters(tmp_path / "file.db")
    theirs, _table = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    theirs.tables.drop("counters")
    theirs.table("counters", partition_key=("id", int)).ensure()
    with pytest.raises(SchemaMismatch):
        table.put({"id": "a"})
    with pytest.raises(SchemaMismatch):
        table.find(id="a")
    ours.close()
    theirs.close()


def test_a_table_created_anew_is_used(tmp_path: Path) -> None:
    """A table with the same keys is found again, in a transaction too."""
    ours, table = open_counters(tmp_path / "file.db")
    theirs, other = open_counters(tmp_path / "file.db")
    table.put({"id": "a"})
    theirs.tables.drop("counters")
    other.ensure()
    ours.transact_write([table.actions.create({"id": "a", "n": 2})])
    found = other.find(id="a")
    ours.close()
    theirs.close()
    assert found == {"id": "a", "n": 2}


def test_names_differ_by_case() -> None:
    """SQL ignores case in names; tables and indexes do not."""
    with isthmus.connect("sqlite://") as database:
        indexes = [Index("by_n", "n"), Index("BY_N", "m")]
        first = database.table("Cities", partition_key="id", indexes=indexes).ensure()
        second = database.table("cities", partition_key="id").ensure()
        first.put({"id": "a"})
        found = (first.scan().count(), second.scan().count())
        names = database.tables.list()
    assert (found, list(names)) == ((1, 0), ["Cities", "cities"])


def test_two_indexes_hold_the_items_that_have_their_keys() -> None:
    """Each index has its own order, and lacks the items without its keys."""
    with isthmus.connect("sqlite://") as database:
        indexes = [Index("by_size", "kind", ("size", int)), Index("by_tag", "tag")]
        table = database.table("things", partition_key="id", indexes=indexes).ensure()
        table.put_many([
            {"id": "a", "kind": "x", "size": 10, "tag": "t"},
            {"id": "b", "kind": "x", "size": 9},
            {"id": "c", "kind": "x", "tag": "t"},
            {"id": "d", "kind": "x", "size": Decimal("9.5")},
        ])  # fmt: skip
        by_size = [item["id"] for item in table.query(kind="x", index="by_size")]
        by_tag = [item["id"] for item in table.query(tag="t", index="by_tag").descending()]
        large = [item["id"] for item in table.query(kind="x", index="by_size").where(F.size > 9)]
        table.update(id="a", remove="tag", set={"size": 1})
        moved = [item["id"] for item in table.query(kind="x", index="by_size")]
        left = [item["id"] for item in table.query(tag="t", index="by_tag")]
    assert (by_size, by_tag, large, moved, left) == (["b", "d", "a"], ["c", "a"], ["d", "a"], ["a", "b", "d"], ["c"])


def test_pages_of_an_index_with_equal_keys_hold_each_item_once() -> None:
    """Items with equal index keys are told apart by their own key, in both directions."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="id", indexes=[Index("by_n", "k", ("n", int))]).ensure()
        table.put_many([{"id": f"{number:02}", "k": "x", "n": number // 4} for number in range(16)])
        seen = {}
        for forward in (True, False):
            query = table.query(k="x", index="by_n")
            query = query if forward else query.descending()
            found, cursor = [], None
            while True:
                page = query.page(size=3, cursor=cursor)
                found += [item["id"] for item in page.items]
                cursor = page.cursor
                if cursor is None:
                    break
            seen[forward] = found
    expected = [f"{number:02}" for number in range(16)]
    assert seen == {True: expected, False: expected[::-1]}


def test_explaining_shows_the_statement_without_values() -> None:
    """The SQL text of a query, and whether SQL alone decides; constants are parameters."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="id", indexes=[Index("by_n", "k", ("n", int))]).ensure()
        query = table.query(k="secret", index="by_n").where(F.n > 3)
        exact = query.where(F.name == "secret").explain()["native"]
        inexact = query.where(F.name.contains("secret")).explain()["native"]
    assert (exact["evaluator"], inexact["evaluator"]) == (False, True)
    assert exact["sql"] == (
        'SELECT item FROM "things:1" INDEXED BY "things:1:index0:by_n"'
        " WHERE k1 = ? AND k2 > ? AND k1 IS NOT NULL AND k2 IS NOT NULL AND ((item -> ?) IS ?) ORDER BY k2, k0"
    )


@pytest.mark.parametrize("forward", [True, False])
def test_later_pages_of_a_range_begin_at_their_start(forward: bool) -> None:
    """SQLite searches from the position of the page before, not from the end of the whole range."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="p", sort_key=("s", int)).ensure()
        table.put_many([{"p": "a", "s": number} for number in range(2_000)])
        position: Item = {"p": "a", "s": 1_000}
        query = Query(
            Context(), table.schema, partition="a", range=KeyRange(10, 1_990), forward=forward, start=position, limit=2
        )
        page = database.execute(query)
        reading = plan(Layout(table.schema, 1), query, 0.0)
        steps = database.native().execute(f"EXPLAIN QUERY PLAN {reading.sql}", reading.params).fetchall()
    assert isinstance(page, isthmus.Page)
    assert [item["s"] for item in page.items] == ([1_001, 1_002] if forward else [999, 998])
    assert [step[3].partition("KEY ")[2] for step in steps] == ["(k0=? AND k1>? AND k1<?)"]
    assert reading.sql.count("k1") == 3


def test_a_declared_index_that_is_not_stored_is_a_mismatch() -> None:
    """A query of it is refused; the rest of the table works."""
    with isthmus.connect("sqlite://") as database:
        database.table("things", partition_key="id").ensure()
        table = database.table("things", partition_key="id", indexes=[Index("by_n", "n")])
        table.put({"id": "a", "n": "x"})
        with pytest.raises(SchemaMismatch, match="by_n"):
            list(table.query(n="x", index="by_n"))


def test_a_stored_index_guards_its_keys() -> None:
    """A declaration without the index can't put a value of the wrong type into it."""
    with isthmus.connect("sqlite://") as database:
        database.table("things", partition_key="id", indexes=[Index("by_n", ("n", int))]).ensure()
        table = database.table("things", partition_key="id")
        with pytest.raises(InvalidKey, match="index"):
            table.put({"id": "a", "n": "text"})


@pytest.mark.parametrize(
    ("kind", "values"),
    [("string", texts()), ("binary", binaries()), ("number", numbers())],
    ids=["string", "binary", "number"],
)
def test_sort_keys_come_in_the_order_of_the_contract(kind: str, values: st.SearchStrategy[Any]) -> None:
    """SQL's order of keys is Python's order of values, NUL and long numbers included, and ranges follow it."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="p", sort_key=("s", kind)).ensure()
        partitions = map(str, count())

        @settings(max_examples=60, suppress_health_check=list(HealthCheck))
        @given(st.sets(values.filter(lambda value: value not in ("", b"")), min_size=2, max_size=12))
        def check(keys: set[Any]) -> None:
            partition = next(partitions)
            table.put_many([{"p": partition, "s": key} for key in keys])
            expected = sorted(keys)
            bound = expected[len(expected) // 2]
            found = [item["s"] for item in table.query(p=partition)]
            below = [item["s"] for item in table.query(p=partition).where(F.s < bound)]
            assert (found, below) == (expected, [key for key in expected if key < bound])

        check()


def test_each_item_is_in_one_segment() -> None:
    """The segments of a scan are disjoint and complete, also for keys that join to the same text."""
    with isthmus.connect("sqlite://") as database:
        table = database.table("things", partition_key="p", sort_key="s").ensure()
        keys = {("a", "bc"), ("ab", "c"), *((str(number), "x") for number in range(200))}
        table.put_many([{"p": p, "s": s} for p, s in keys])
        parts = [[(item["p"], item["s"]) for item in table.scan(segment=n, segments=3)] for n in range(3)]
    assert sorted(key for part in parts for key in part) == sorted(keys)
    assert min(map(len, parts)) > 20


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_expired_items_are_gone_on_every_path() -> None:
    """What has expired is not read, counted, found by an index, or in the way of a create."""
    clock = Clock()
    with isthmus.connect("sqlite://", clock=clock) as database:
        table = database.table("things", partition_key="id", ttl="until", indexes=[Index("by_k", "k")]).ensure()
        table.put({"id": "a", "k": "x", "until": 1_010})
        before = (table.scan().count(), table.delete(id="b"))
        clock.now = 1_010.0
        after = (
            table.find(id="a"),
            table.scan().count(),
            list(table.query(k="x", index="by_k")),
            list(table.get_many([{"id": "a"}])),
        )
        table.create({"id": "a", "n": 2})
        created = table.get(id="a")
    assert (before[0], after, created) == (1, (None, 0, [], [None]), {"id": "a", "n": 2})


def test_expired_items_are_removed_now_and_then() -> None:
    """Writes remove expired items, so that they don't fill the file."""
    clock = Clock()
    with isthmus.connect("sqlite://", clock=clock) as database:
        table = database.table("things", partition_key="id", ttl="until").ensure()
        table.put_many([{"id": str(number), "until": 1_010} for number in range(100)])
        clock.now = 2_000.0
        for number in range(100):
            table.put({"id": f"new{number}"})
        left = database.native().execute('SELECT count(*) FROM "things:1"').fetchone()[0]
    assert left == 100


@given(numbers(), st.floats(min_value=0, max_value=1e12))
def test_the_expiry_column_compares_exactly(value: Any, now: float) -> None:
    """Comparing the column with a float gives the same answer as comparing the number."""
    column = expiry(value)
    assert column is not None
    assert (column <= now) == (value <= now)


def test_a_page_without_a_limit_is_bounded(tmp_path: Path) -> None:
    """A page whose size is left to the backend ends after some megabytes, with a position."""
    with isthmus.connect(url(tmp_path / "big.db", "?synchronous=off")) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": str(number), "text": "x" * 300_000} for number in range(40)])
        page = database.execute(Scan(Context(), table.schema))
        total = len(list(table.scan()))
    assert isinstance(page, isthmus.Page)
    assert (0 < page.count < 40, page.position is not None, total) == (True, True, 40)
