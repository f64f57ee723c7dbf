"""Selections of an async database: the same names as ``selection.py``, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve, field, frozen

from isthmus import operations as op
from isthmus import results as res
from isthmus import selection_spec as sel
from isthmus.expressions import Target
from isthmus.values import Item

if TYPE_CHECKING:
    from isthmus.async_database import AsyncDatabase


@frozen
class AsyncSelection(sel.SelectionSpec):
    """A query or scan. Iterate over it, or take pages, the first item, or a count."""

    database: AsyncDatabase = field(kw_only=True)
    parallel: bool = field(default=False, kw_only=True)

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self, *, size: int = sel.ITERATION_ITEMS) -> AsyncIterator[res.Page]:
        """Pages of at most ``size`` items; one deadline covers all of them."""
        if self.matches_nothing:
            return
        if self.parallel:
            async for page in self._parallel_pages(size):
                yield page
            return
        context = self.requests.context(self.timeout)
        start, left = None, self.at_most
        while True:
            page = await self._run(self.next_page(context, start, left, size))
            left = None if left is None else left - len(page.items)
            yield page
            if page.position is None or left == 0:
                return
            start = page.position

    async def _run(self, operation: op.Operation) -> res.Page:
        return cast("res.Page", await self.database.execute(operation))

    def _whole(self) -> AsyncSelection:
        """The same selection read in one piece, which is what a position can be given in."""
        return (
            evolve(self, base=evolve(cast("op.Scan", self.base), segments=1), parallel=False) if self.parallel else self
        )

    def _segment(self, number: int) -> AsyncSelection:
        return evolve(self, base=evolve(cast("op.Scan", self.base), segment=number), parallel=False, at_most=None)

    async def _parallel_pages(self, size: int) -> AsyncIterator[res.Page]:
        """Pages of all segments as they come, one in flight for each segment."""
        left = self.at_most
        flying: dict[asyncio.Task[res.Page | None], AsyncIterator[res.Page]] = {}
        try:
            for number in range(cast("op.Scan", self.base).segments):
                stream = self._segment(number).pages(size=size)
                flying[asyncio.ensure_future(_next(stream))] = stream
            while flying and left != 0:
                ready, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                for task in ready:
                    stream, page = flying.pop(task), task.result()
                    if page is None or left == 0:
                        continue
                    flying[asyncio.ensure_future(_next(stream))] = stream
                    page = page if left is None else evolve(page, items=page.items[:left])
                    left = None if left is None else left - len(page.items)
                    yield page
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def page(self, *, size: int, cursor: str | None = None) -> res.Page:
        """One page of at most ``size`` items; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged or belongs to another query
        """
        operation = self._whole().first_page(size, cursor)
        return res.Page() if self.matches_nothing else sel.with_cursor(operation, await self._run(operation))

    def explain(self) -> dict[str, Any]:
        """How this selection will be read: the key range, what is left to filter, and the backend's native request."""
        operation = self.operation()
        return {**self.plan(operation), "native": self.database.backend.explain(operation)}

    async def first(self) -> Item | None:
        """The first item, or ``None``."""
        async for item in self.limit(1):
            return item
        return None

    async def count(self) -> int:
        """How many items match, counted by reading (rule QRY-10)."""
        if self.at_most is not None:
            return len([None async for _item in self])
        return 0 if self.matches_nothing else await self._count(self._whole())

    async def _count(self, whole: AsyncSelection) -> int:
        context = self.requests.context(self.timeout)
        page = await self._run(whole.next_count(context, None))
        total = page.count
        while page.position is not None:
            page = await self._run(whole.next_count(context, page.position))
            total += page.count
        return total

    async def sorted_by(self, attribute: Target, *, descending: bool = False, bound: int = 10_000) -> list[Item]:
        """All items sorted in memory by any attribute; those without it come last (rule QRY-3).

        :param bound: refuse to sort more items than this
        """
        sort = sel.InMemorySort(attribute, descending, bound)
        async for item in self:
            sort.add(item)
        return sort.sorted()


async def _next(stream: AsyncIterator[res.Page]) -> res.Page | None:
    return await anext(stream, None)
