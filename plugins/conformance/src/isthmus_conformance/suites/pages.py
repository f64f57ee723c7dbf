"""Limits, pages, counts, projections and segments (rules QRY-1, QRY-2, QRY-10 to QRY-12, QRY-14, QRY-16)."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus import Capability, F
from isthmus.errors import InvalidArgument
from isthmus_conformance.base import MakeTable, Suite, requires
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import (
    load,
    multiset,
    numbered,
    numbers,
    walk,
)


class PageSuite(Suite):
    """Limits and pages."""

    @rule("QRY-1")
    def test_a_page_size_counts_returned_items(self, make_table: MakeTable) -> None:
        """A filter that accepts every tenth item does not shorten the pages."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(100, even=True))
        page = table.query(p="x").where(F.n.in_(range(0, 100, 10))).page(size=4)
        assert numbers(page.items) == [0, 10, 20, 30]

    @rule("QRY-1")
    def test_a_limit_counts_returned_items(self, make_table: MakeTable) -> None:
        """``limit`` gives that many matches, however many items are read for them."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(60))
        assert numbers(table.query(p="x").where(F.n >= 40).limit(7)) == list(range(40, 47))

    @rule("QRY-1")
    def test_a_limit_holds_across_pages(self, make_table: MakeTable) -> None:
        """Iterating by small pages ends exactly at the limit."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(30))
        pages = list(table.query(p="x").limit(10).pages(size=4))
        assert [numbers(page.items) for page in pages] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    @rule("QRY-1")
    def test_the_smallest_of_several_limits_counts(self, make_table: MakeTable) -> None:
        """A further limit never widens a selection."""
        query = load(make_table(partition_key="p", sort_key="s"), numbered(12)).query(p="x")
        assert [query.limit(3).limit(9).count(), query.limit(9).limit(3).count()] == [3, 3]

    @rule("QRY-1")
    def test_no_limit_gives_everything(self, make_table: MakeTable) -> None:
        """Without a limit all items come, whatever a page of the store holds."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(230, text="t" * 500))
        assert numbers(table.query(p="x")) == list(range(230))

    @rule("QRY-1")
    @pytest.mark.parametrize("size", [0, -1, True, 1.0, "1", None])
    def test_impossible_sizes_are_refused(self, make_table: MakeTable, size: Any) -> None:
        """Zero does not mean all, and a size is an integer."""
        table = make_table(partition_key="p", sort_key="s")
        with pytest.raises(InvalidArgument):
            table.query(p="x").page(size=size)
        with pytest.raises(InvalidArgument):
            table.query(p="x").limit(size)
        for selection in (table.query(p="x"), table.scan(), table.scan(segments=2)):
            with pytest.raises(InvalidArgument):
                next(iter(selection.pages(size=size)))

    @rule("QRY-2")
    def test_examine_at_most_gives_short_pages_that_lead_on(self, make_table: MakeTable) -> None:
        """Pages bounded by the items looked at may be empty, but their cursors lead through everything."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(25))
        selection = table.query(p="x").where(F.n > 17).examine_at_most(5)
        pages = [selection.page(size=10)]
        while pages[-1].cursor is not None and len(pages) < 50:
            pages.append(selection.page(size=10, cursor=pages[-1].cursor))
        assert [numbers(page.items) for page in pages] == [[], [], [], [18, 19], [20, 21, 22, 23, 24]]

    @rule("QRY-2")
    def test_pages_of_large_items_are_hidden(self, make_table: MakeTable) -> None:
        """More bytes than any store's page still come as one page of the size that was asked for."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(12, text="t" * 200_000))
        page = table.query(p="x").page(size=12)
        assert (numbers(page.items), page.cursor) == (list(range(12)), None)

    @rule("QRY-14")
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 12])
    def test_a_page_that_ends_at_the_end_has_no_cursor(self, make_table: MakeTable, size: int) -> None:
        """Twelve items by pages that divide them: every cursor leads to an item, and the last page has none."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(12))
        assert numbers(walk(table.query(p="x"), size)) == list(range(12))
        assert sorted(numbers(walk(table.scan(), size))) == list(range(12))

    @rule("QRY-14")
    def test_the_cursor_looks_ahead_for_a_match(self, make_table: MakeTable) -> None:
        """When only items that the filter refuses are left, the page is the last one."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(20))
        page = table.query(p="x").where(F.n < 3).page(size=3)
        assert (numbers(page.items), page.cursor) == ([0, 1, 2], None)

    @rule("QRY-1")
    def test_first_gives_the_first_match(self, make_table: MakeTable) -> None:
        """``first`` is the head of the order, or nothing."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(5))
        query = table.query(p="x")
        assert query.descending().first() == {"p": "x", "s": "004", "n": 4}
        assert query.where(F.n > 10).first() is None


class ReadSuite(Suite):
    """Counts, projections, segments, consistency."""

    @rule("QRY-10")
    def test_counts_equal_what_is_read(self, make_table: MakeTable) -> None:
        """A count is made by reading, with the same conditions and limits."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(35))
        query = table.query(p="x")
        counts = [query.count(), query.where(F.n < 9).count(), query.limit(4).count(), table.scan().count()]
        assert counts == [35, 9, 4, 35]

    @rule("QRY-10")
    def test_a_count_of_nothing_is_zero(self, make_table: MakeTable) -> None:
        """Unknown partitions and empty tables count zero."""
        table = make_table(partition_key="p", sort_key="s")
        assert [table.query(p="nobody").count(), table.scan().count()] == [0, 0]

    @rule("QRY-11")
    @requires(Capability.PROJECTION)
    def test_projections_keep_shape_and_leave_out_what_is_missing(self, make_table: MakeTable) -> None:
        """Keys come only if asked for; nested parts keep their place; list elements come in list order."""
        table = make_table(partition_key="p", sort_key="s")
        table.put({"p": "x", "s": "1", "m": {"a": 1, "b": {"c": 2}}, "l": [10, 20, 30], "a.b": 4})
        query = table.query(p="x")
        assert list(query.select("zz")) == [{}]
        assert list(query.select("s")) == [{"s": "1"}]
        assert list(query.select(F.m.b.c, F.l[2], F.l[0], F["a.b"], F.m.zz)) == [
            {"m": {"b": {"c": 2}}, "l": [10, 30], "a.b": 4}
        ]

    @rule("QRY-11")
    @requires(Capability.PROJECTION)
    def test_a_projection_does_not_hide_what_a_filter_needs(self, make_table: MakeTable) -> None:
        """Filters see the whole item, also under a projection and on each page of it."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(20, big="b"))
        found = walk(table.query(p="x").where(F.n >= 15).select("s"), 2)
        assert found == [{"s": f"{n:03}"} for n in range(15, 20)]

    @rule("QRY-11")
    @requires(Capability.PROJECTION)
    def test_overlapping_projections_are_refused(self, make_table: MakeTable) -> None:
        """The same part asked for twice is a mistake."""
        table = make_table(partition_key="p", sort_key="s")
        for paths in ((F.m, F.m.a), ("n", "n")):
            with pytest.raises(InvalidArgument):
                table.query(p="x").select(*paths)

    @rule("QRY-12")
    @requires(Capability.STRONG_READ)
    def test_reads_see_the_write_before_them(self, make_table: MakeTable) -> None:
        """By default a read by the primary key, a query and a scan see every acknowledged write."""
        table = make_table(partition_key="p", sort_key="s")
        for n in range(20):
            item = {"p": "x", "s": "1", "n": n}
            table.put(item)
            assert [table.get(p="x", s="1"), *table.query(p="x"), *table.scan()] == [item] * 3

    @rule("QRY-16")
    @requires(Capability.PARALLEL_SCAN)
    @pytest.mark.parametrize("segments", [1, 2, 3, 7])
    def test_segments_partition_the_items(self, make_table: MakeTable, segments: int) -> None:
        """Each item is in exactly one segment, also by pages, and a parallel scan gives all of them."""
        items = [{"p": f"p{n % 11}", "s": f"{n:03}"} for n in range(90)]
        table = load(make_table(partition_key="p", sort_key="s"), items)
        parts = [walk(table.scan(segment=number, segments=segments), 13) for number in range(segments)]
        assert multiset(item for part in parts for item in part) == multiset(items)
        assert multiset(table.scan(segments=segments)) == multiset(items)
        assert table.scan(segments=segments).count() == 90

    @rule("QRY-16")
    @requires(Capability.PARALLEL_SCAN)
    def test_a_limit_holds_over_all_segments(self, make_table: MakeTable) -> None:
        """A parallel scan ends at its limit, with different items."""
        items = [{"p": f"p{n}", "s": "1"} for n in range(40)]
        table = load(make_table(partition_key="p", sort_key="s"), items)
        found = [item["p"] for item in table.scan(segments=4).limit(9)]
        assert len(set(found)) == len(found) == 9
        pages = list(table.scan(segments=4).limit(9).pages(size=4))
        assert sum(page.count for page in pages) == 9
        assert [page.count for page in pages] == [len(page.items) for page in pages]

    @rule("QRY-16")
    @pytest.mark.parametrize(("segment", "segments"), [(0, 0), (2, 2), (-1, 2), (True, 2), (0, 1.0)])
    def test_impossible_segments_are_refused(self, make_table: MakeTable, segment: Any, segments: Any) -> None:
        """A segment is one of 0 to segments - 1."""
        with pytest.raises(InvalidArgument):
            make_table(partition_key="p", sort_key="s").scan(segment=segment, segments=segments)
