"""Selections of an async database: the same names as ``selection.py``, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from attrs import field, frozen

from isthmus import operations as op
from isthmus import results as res
from isthmus import selection_spec as sel
from isthmus.arguments import positive
from isthmus.expressions import Target
from isthmus.operations import Context
from isthmus.values import Item

if TYPE_CHECKING:
    from isthmus.async_database import AsyncDatabase


@frozen(repr=False)
class AsyncSelection(sel.SelectionSpec):
    """A query or scan. Iterate over it, or take pages, the first item, or a count.

    Reads of an ``async for`` that is left early end a moment later; within ``contextlib.aclosing(selection.pages())``
    they have ended when the block has.
    """

    database: AsyncDatabase = field(kw_only=True)

    async def __aiter__(self) -> AsyncGenerator[Item, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    def pages(self, *, size: int = sel.ITERATION_ITEMS) -> AsyncGenerator[res.Page, None]:
        """Pages of at most ``size`` items; one deadline covers all of them.

        :raises InvalidArgument: the size is not positive
        """
        positive(size, "size")
        return self._pages(size, self.requests.context(self.timeout))

    async def _pages(self, size: int, context: Context) -> AsyncGenerator[res.Page, None]:
        if self.matches_nothing:
            return
        if self.parallel:
            async with aclosing(self._parallel_pages(size, context)) as pages:
                async for page in pages:
                    yield page
            return
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

    async def _parallel_pages(self, size: int, context: Context) -> AsyncGenerator[res.Page, None]:
        """Pages of all segments as they come, one in flight for each segment that was begun."""
        left = self.at_most
        streams = (segment._pages(size, context) for segment in self.in_segments())  # noqa: SLF001  # its own class
        flying: dict[asyncio.Task[res.Page | None], AsyncGenerator[res.Page, None]] = {}
        begun: list[AsyncGenerator[res.Page, None]] = []
        try:
            while left != 0:
                fresh = list(islice(streams, self.segments_at_once - len(flying)))
                begun += fresh
                flying.update((asyncio.ensure_future(_next(stream)), stream) for stream in fresh)
                if not flying:
                    return
                for task in (await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED))[0]:
                    stream, page = flying.pop(task), task.result()
                    if page is None or left == 0:
                        continue
                    page, left = sel.cut(page, left)
                    if left != 0:
                        flying[asyncio.ensure_future(_next(stream))] = stream
                    yield page
        finally:
            for task in flying:
                task.cancel()
            async with AsyncExitStack() as closing:
                for stream in begun:
                    closing.push_async_callback(stream.aclose)
                # It waits for all of them, also when it is cancelled itself.
                await asyncio.gather(*flying, return_exceptions=True)

    async def page(self, *, size: int, cursor: str | None = None) -> res.Page:
        """One page of at most ``size`` items; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged, or belongs to another query or backend
        """
        backend = self.database.backend_name
        operation = self.whole().first_page(size, cursor, backend)
        return res.Page() if self.matches_nothing else sel.with_cursor(operation, await self._run(operation), backend)

    async def explain(self) -> dict[str, Any]:
        """How this selection will be read: the key range, what is left to filter, and the backend's native request."""
        operation = self.operation()
        return {**self.plan(operation), "native": await self.database.explain_operation(operation)}

    async def first(self) -> Item | None:
        """The first item, or ``None``."""
        async with aclosing(aiter(self.limit(1))) as items:
            return await anext(items, None)

    async def count(self) -> int:
        """How many items match, counted by reading (rule QRY-10)."""
        if self.at_most is not None:
            return len([None async for _item in self])
        return 0 if self.matches_nothing else await self._count(self.whole())

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
        :raises InvalidArgument: the attribute is not read
        :raises QueryTooComplex: there are more items than ``bound``
        """
        sort = self.in_memory_sort(attribute, descending, bound)
        async for item in self:
            sort.add(item)
        return sort.sorted()


async def _next(stream: AsyncIterator[res.Page]) -> res.Page | None:
    return await anext(stream, None)
