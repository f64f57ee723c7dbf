"""Cursors and writes between pages (rules QRY-13, QRY-14, QRY-15, QRY-17)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import strategies as st

from isthmus import Capability, F, Index
from isthmus.errors import InvalidCursor
from isthmus_conformance.base import MakeTable, OpenDatabase, Suite, requires
from isthmus_conformance.faults import FaultyBackend
from isthmus_conformance.properties import given
from isthmus_conformance.rules import rule
from isthmus_conformance.selection_model import (
    expected,
    load,
    multiset,
    numbered,
    numbers,
    pool_items,
    select,
    selections,
    walk,
)

GARBAGE = ("", "x", "====", "not a cursor", "é", "\0", "A" * 20, "A" * 200, "-_" * 40, "B" * 20_000)


def flipped(cursor: str, bit: int) -> str:
    """The cursor with one bit of its bytes changed."""
    data = bytearray(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    return urlsafe_b64encode(bytes(data)).rstrip(b"=").decode("ascii")


def bits_to_try(cursor: str) -> list[int]:
    """Every bit of the first and last bytes, and one bit of each byte between."""
    size = len(cursor) * 6 // 8
    edge = range(min(9, size))
    whole = [place * 8 + bit for place in (*edge, *(size - 1 - place for place in edge)) for bit in range(8)]
    return sorted({*whole, *(place * 8 + place % 8 for place in range(size))})


class CursorSuite(Suite):
    """What a cursor is bound to, and what it survives."""

    @rule("QRY-13", "QRY-14")
    @pytest.mark.parametrize("kind", ["string", "number", "binary"])
    def test_pages_equal_the_model(self, make_table: MakeTable, kind: str) -> None:
        """Any selection by pages of any size gives what the model gives, in its order."""
        items = pool_items(kind)
        table = load(make_table(partition_key="p", sort_key=("s", kind)), items)

        @given(wanted=selections(kind), size=st.integers(1, 9))
        def check(wanted: Any, size: int) -> None:
            found: list[Any] = walk(select(table, wanted), size)
            right: list[Any] = expected(items, wanted)
            if wanted.partition is None:
                found, right = multiset(found), multiset(right)
            assert found == right

        check()

    @rule("QRY-13")
    def test_a_cursor_survives_the_deletion_of_its_item(self, make_table: MakeTable) -> None:
        """The item that ended a page, and the one after it, may go: the next page begins behind them."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(9))
        page = table.query(p="x").page(size=3)
        table.delete_many([{"p": "x", "s": "002"}, {"p": "x", "s": "003"}]).raise_for_failures()
        assert numbers(table.query(p="x").page(size=3, cursor=page.cursor).items) == [4, 5, 6]

    @rule("QRY-13")
    def test_a_scan_cursor_survives_the_deletion_of_everything_read(self, make_table: MakeTable) -> None:
        """A scan that deletes what it has read reads everything once."""
        items = [{"p": f"p{n % 5}", "s": f"{n:03}"} for n in range(30)]
        table = load(make_table(partition_key="p", sort_key="s"), items)
        found, cursor = [], None
        while True:
            page = table.scan().page(size=4, cursor=cursor)
            found += page.items
            table.delete_many(page.items and [{"p": item["p"], "s": item["s"]} for item in page.items])
            cursor = page.cursor
            if cursor is None:
                break
        assert multiset(found) == multiset(items)

    @rule("QRY-13")
    def test_a_cursor_may_be_used_again(self, make_table: MakeTable) -> None:
        """Using a cursor does not consume it, and another page size may be asked with it."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(9))
        cursor = table.query(p="x").page(size=2).cursor
        pages = [table.query(p="x").page(size=size, cursor=cursor).items for size in (3, 3, 1)]
        assert [numbers(page) for page in pages] == [[2, 3, 4], [2, 3, 4], [2]]

    @rule("QRY-13")
    def test_a_cursor_works_on_another_handle(self, make_table: MakeTable, open_database: OpenDatabase) -> None:
        """A cursor is text, bound to data, query and kind of backend only: another database object takes it."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(9))
        cursor = table.query(p="x").page(size=4).cursor
        handle = type("Handle", (FaultyBackend,), {"name": table.database.backend_name})
        other = open_database(handle(table.database.backend)).table(table.schema)
        assert numbers(other.query(p="x").page(size=9, cursor=cursor).items) == [4, 5, 6, 7, 8]

    @rule("QRY-13")
    def test_a_cursor_of_another_backend_is_refused(self, make_table: MakeTable, open_database: OpenDatabase) -> None:
        """Its order is another one, so items would be left out, or come twice."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(9))
        cursor = table.query(p="x").page(size=4).cursor
        other = open_database(FaultyBackend(table.database.backend)).table(table.schema)
        with pytest.raises(InvalidCursor):
            other.query(p="x").page(size=9, cursor=cursor)

    @rule("QRY-13")
    def test_a_cursor_of_another_query_is_refused(self, make_table: MakeTable) -> None:
        """Partition, direction, range, filter, kind and table must be those that gave the cursor."""
        table = load(make_table(partition_key="p", sort_key="s"), [*numbered(9), {"p": "y", "s": "1", "n": 1}])
        twin = load(make_table(partition_key="p", sort_key="s"), numbered(9))
        query = table.query(p="x").where(F.n >= 1)
        cursor = query.page(size=3).cursor
        others = [
            table.query(p="x"), table.query(p="y").where(F.n >= 1), query.descending(), query.where(F.s > "001"),
            table.query(p="x").where(F.n >= 2), table.scan().where(F.n >= 1), twin.query(p="x").where(F.n >= 1),
        ]  # fmt: skip
        for other in others:
            with pytest.raises(InvalidCursor):
                other.page(size=3, cursor=cursor)

    @rule("QRY-13")
    @requires(Capability.SECONDARY_INDEX)
    def test_a_cursor_does_not_move_between_table_and_index(self, make_table: MakeTable) -> None:
        """A cursor of the table is refused by an index with the same keys, and the other way round."""
        index = Index("by_p", "p", ("n", int))
        table = load(make_table(partition_key="p", sort_key="s", indexes=[index]), numbered(6))
        selections = [table.query(p="x"), table.query(p="x", index="by_p")]
        cursors = [selection.page(size=2).cursor for selection in selections]
        for selection, cursor in zip(selections, reversed(cursors), strict=True):
            with pytest.raises(InvalidCursor):
                selection.page(size=2, cursor=cursor)

    @rule("QRY-13")
    @requires(Capability.PARALLEL_SCAN)
    def test_a_cursor_stays_in_its_segment(self, make_table: MakeTable) -> None:
        """Another segment, or another number of segments, is another query."""
        items = [{"p": f"p{n}", "s": "1"} for n in range(60)]
        table = load(make_table(partition_key="p", sort_key="s"), items)
        cursor = table.scan(segment=0, segments=2).page(size=1).cursor
        for segment, segments in ((1, 2), (0, 3), (0, 1)):
            with pytest.raises(InvalidCursor):
                table.scan(segment=segment, segments=segments).page(size=1, cursor=cursor)

    @rule("QRY-13")
    def test_one_changed_bit_is_refused(self, make_table: MakeTable) -> None:
        """Any flipped bit makes a cursor invalid, wherever it stands."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(5))
        cursor = table.query(p="x").page(size=2).cursor
        accepted = []
        for bit in bits_to_try(cursor):
            try:
                table.query(p="x").page(size=2, cursor=flipped(cursor, bit))
            except InvalidCursor:
                continue
            accepted.append(bit)
        assert accepted == []

    @rule("QRY-13")
    def test_truncated_and_extended_cursors_are_refused(self, make_table: MakeTable) -> None:
        """Only the whole text that was given out is accepted."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(5))
        cursor = table.query(p="x").page(size=2).cursor
        wrong = [cursor[:end] for end in range(len(cursor))] + [cursor + more for more in ("A", "=", "\n", " ", "AAAA")]
        for text in wrong:
            with pytest.raises(InvalidCursor):
                table.query(p="x").page(size=2, cursor=text)

    @rule("QRY-13")
    @pytest.mark.parametrize("cursor", [*GARBAGE, 5, b"bytes"])
    def test_garbage_is_refused(self, make_table: MakeTable, cursor: Any) -> None:
        """Anything that no page gave is an invalid cursor, and no other error."""
        with pytest.raises(InvalidCursor):
            make_table(partition_key="p", sort_key="s").query(p="x").page(size=2, cursor=cursor)

    @rule("NUL-8", "QRY-3")
    def test_empty_ranges_need_no_request(self, make_table: MakeTable, open_database: OpenDatabase) -> None:
        """Where no key can match, nothing is asked of the store."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(3))
        faulty = FaultyBackend(table.database.backend)
        query = open_database(faulty).table(table.schema).query(p="x")
        for condition in (F.s.between("b", "a"), (F.s > "b") & (F.s < "b"), (F.s == "a") & (F.s > "c")):
            empty = query.where(condition)
            assert [list(empty), empty.page(size=3).items, empty.count(), empty.first()] == [[], (), 0, None]
        assert faulty.attempts == []


class MovingDataSuite(Suite):
    """Writes while pages are read."""

    @rule("QRY-15")
    @pytest.mark.parametrize("forward", [True, False])
    def test_writes_between_the_pages_of_a_query(self, make_table: MakeTable, forward: bool) -> None:
        """Inserts and deletes around the position neither skip nor repeat what stays as it was."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(40))
        selection = table.query(p="x") if forward else table.query(p="x").descending()
        found, cursor, turn = [], None, 0
        while True:
            page = selection.page(size=6, cursor=cursor)
            found += [item["s"] for item in page.items]
            cursor, turn = page.cursor, turn + 1
            if cursor is None:
                break
            table.put({"p": "x", "s": f"{turn:03}+", "n": -1})
            table.put({"p": "x", "s": f"{40 - turn:03}+", "n": -1})
            table.delete(p="x", s=found[-1])
        assert len(found) == len(set(found))
        assert [key for key in found if "+" not in key] == sorted((f"{n:03}" for n in range(40)), reverse=not forward)
        assert found == sorted(found, reverse=not forward)

    @rule("QRY-15")
    def test_writes_between_the_pages_of_a_scan(self, make_table: MakeTable) -> None:
        """An item that is not changed during a scan comes exactly once."""
        items = [{"p": f"p{n % 9}", "s": f"{n:03}", "n": n} for n in range(60)]
        table = load(make_table(partition_key="p", sort_key="s"), items)
        found: list[tuple[str, str]] = []
        for turn, page in enumerate(table.scan().pages(size=7)):
            found += [(item["p"], item["s"]) for item in page.items]
            table.put({"p": f"new{turn}", "s": "1"})
            table.update(p="p0", s="000", set={"n": turn})
        kept = [key for key in found if not key[0].startswith("new")]
        assert sorted(kept) == sorted((item["p"], item["s"]) for item in items)
        assert len(found) == len(set(found))

    @rule("QRY-17")
    def test_an_item_comes_once_whatever_conditions_it_meets(self, make_table: MakeTable) -> None:
        """Alternatives that overlap give each item once."""
        table = load(make_table(partition_key="p", sort_key="s"), numbered(10))
        overlapping = (F.n > 2) | (F.s > "001") | F.n.in_([5, 6]) | (F.s == "005")
        assert numbers(table.query(p="x").where(overlapping)) == list(range(2, 10))
        assert sorted(numbers(table.scan().where(overlapping))) == list(range(2, 10))
