"""How much a parallel scan reads, and what is left of it when its reader stops early."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, TypeVar

import pytest

import isthmus
from isthmus import operations as op
from isthmus.errors import DeadlineExceeded
from isthmus.memory import MemoryBackend
from isthmus.results import Result

SEGMENTS = 64


class Counting(MemoryBackend):
    """Counts the scans that it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.scans = 0

    def execute(self, operation: op.Operation) -> Result:
        self.scans += isinstance(operation, op.Scan)
        return super().execute(operation)


class Slow(Counting):
    """Answers on the event loop, a moment later, and counts what it is answering."""

    def __init__(self) -> None:
        super().__init__()
        self.underway = 0

    async def aexecute(self, operation: op.Operation) -> Result:
        self.underway += 1
        try:
            await asyncio.sleep(0.02 if isinstance(operation, op.Scan) and operation.segment else 0)
            return self.execute(operation)
        finally:
            self.underway -= 1


AnyBackend = TypeVar("AnyBackend", bound=Counting)


def filled(backend: AnyBackend, items: int = 400) -> AnyBackend:
    """The backend, with a table of that many items."""
    with isthmus.connect(backend) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put_many([{"id": f"{n}"} for n in range(items)]).raise_for_failures()
    return backend


def scan(database: Any, segments: int = SEGMENTS) -> Any:
    """A parallel scan of the table."""
    return database.table("things", partition_key="id").scan(segments=segments)


def test_the_first_item_takes_one_scan() -> None:
    """All segments have items, so the first one that is read has the answer."""
    backend = filled(Counting())
    with isthmus.connect(backend) as database:
        assert scan(database).first() is not None
    assert backend.scans == 1


def test_the_first_item_takes_one_scan_on_a_loop() -> None:
    """The same in the async database."""
    backend = filled(Counting())

    async def read() -> Any:
        async with isthmus.aconnect(backend) as database:
            return await scan(database).first()

    assert asyncio.run(read()) is not None
    assert backend.scans == 1


def test_empty_segments_are_passed_over() -> None:
    """A limit that is not reached ends with the last segment."""
    backend = filled(Counting(), items=1)
    with isthmus.connect(backend) as database:
        assert list(scan(database).limit(3)) == [{"id": "0"}]
    assert backend.scans == SEGMENTS


def test_a_limit_bounds_the_segments_that_are_begun() -> None:
    """Not more segments are read at the same time than items are wanted."""
    backend = filled(Counting())
    with isthmus.connect(backend) as database:
        assert len(list(scan(database).limit(3))) == 3
    assert backend.scans in range(1, 7)


def test_a_reader_that_stops_ends_the_scan() -> None:
    """After a break at most what was begun is read."""
    backend = filled(Counting())
    with isthmus.connect(backend) as database:
        pages = scan(database).pages(size=1)
        assert len(next(pages).items) == 1
        pages.close()
    assert backend.scans in range(1, 34)  # 32 at once, and the next page of the one that was given


@pytest.mark.parametrize("limit", [1, 5, 30, 1_000])
def test_the_count_of_a_cut_page_is_that_of_its_items(limit: int) -> None:
    """Where the limit cuts a page, its count is cut too."""
    with isthmus.connect(filled(Counting())) as database:
        pages = list(scan(database, 3).limit(limit).pages(size=7))
    assert pages
    assert [page.count for page in pages] == [len(page.items) for page in pages]
    assert sum(page.count for page in pages) == min(limit, 400)


def test_one_deadline_covers_all_segments() -> None:
    """A segment that is begun late has no more time than the others."""
    backend = filled(Slow())

    async def read() -> Any:
        async with isthmus.aconnect(backend) as database:
            # One segment after the other, because one item is wanted and none matches.
            nothing = isthmus.F.id == "none"
            found = database.table("things", partition_key="id").scan(segments=SEGMENTS, timeout=0.2)
            return await found.where(nothing).first()

    with pytest.raises(DeadlineExceeded):
        asyncio.run(read())


async def _left_over(use: Any) -> int:
    backend = filled(Slow())
    async with isthmus.aconnect(backend) as database:
        await use(scan(database, 8))
        await asyncio.sleep(0)
        return backend.underway


async def _first(selection: Any) -> None:
    assert await selection.first() is not None


async def _break(selection: Any) -> None:
    items = aiter(selection)
    await anext(items)
    await items.aclose()


async def _count(selection: Any) -> None:
    assert await selection.limit(3).count() == 3


@pytest.mark.parametrize("use", [_first, _break, _count])
def test_nothing_is_left_underway(use: Any) -> None:
    """When the reader has what it wants, no task of the scan is still running."""
    assert asyncio.run(_left_over(use)) == 0


def test_no_generator_is_left_to_the_garbage_collector() -> None:
    """The streams of the segments have ended, too, when a reader stops: the loop need not close them later."""
    left: list[Any] = []

    async def read() -> None:
        async with isthmus.aconnect(filled(Slow())) as database:
            sys.set_asyncgen_hooks(finalizer=left.append)
            pages = scan(database, 8).pages(size=1)
            assert len((await anext(pages)).items) == 1
            await pages.aclose()

    asyncio.run(read())
    assert left == []


class Stubborn(Counting):
    """Never answers a scan of its second segment, and goes on with it when it is cancelled for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = asyncio.Event()

    async def aexecute(self, operation: op.Operation) -> Result:
        if isinstance(operation, op.Scan) and operation.segment:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
                await asyncio.Event().wait()
        return self.execute(operation)


def test_a_reader_that_is_cancelled_while_it_stops_ends_all_streams() -> None:
    """Those, too, that had a page ready while another segment's scan was still ending."""
    begun: list[Any] = []

    async def read() -> None:
        backend = filled(Stubborn())
        async with isthmus.aconnect(backend) as database:
            sys.set_asyncgen_hooks(firstiter=begun.append)
            pages = scan(database, 2).pages(size=1)
            assert len((await anext(pages)).items) == 1
            closing = asyncio.create_task(pages.aclose())
            await backend.cancelled.wait()
            closing.cancel()
            await asyncio.wait([closing])
            assert closing.cancelled()

    asyncio.run(read())
    assert len(begun) == 4  # all pages, those of both segments together, and those of each
    assert {generator.ag_frame for generator in begun} == {None}
