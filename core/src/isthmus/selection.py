"""Selections of a sync database. ``async_selection.py`` has the same names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve, field, frozen

from isthmus import operations as op
from isthmus import results as res
from isthmus import selection_spec as sel
from isthmus.expressions import Target
from isthmus.values import Item

if TYPE_CHECKING:
    from isthmus.database import Database


@frozen
class Selection(sel.SelectionSpec):
    """A query or scan. Iterate over it, or take pages, the first item, or a count."""

    database: Database = field(kw_only=True)
    parallel: bool = field(default=False, kw_only=True)

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.items

    def pages(self, *, size: int = sel.ITERATION_ITEMS) -> Iterator[res.Page]:
        """Pages of at most ``size`` items; one deadline covers all of them."""
        if self.matches_nothing:
            return
        if self.parallel:
            yield from self._parallel_pages(size)
            return
        context = self.requests.context(self.timeout)
        start, left = None, self.at_most
        while True:
            page = self._run(self.next_page(context, start, left, size))
            left = None if left is None else left - len(page.items)
            yield page
            if page.position is None or left == 0:
                return
            start = page.position

    def _run(self, operation: op.Operation) -> res.Page:
        return cast("res.Page", self.database.execute(operation))

    def _whole(self) -> Selection:
        """The same selection read in one piece, which is what a position can be given in."""
        return (
            evolve(self, base=evolve(cast("op.Scan", self.base), segments=1), parallel=False) if self.parallel else self
        )

    def _segment(self, number: int) -> Selection:
        return evolve(self, base=evolve(cast("op.Scan", self.base), segment=number), parallel=False, at_most=None)

    def _parallel_pages(self, size: int) -> Iterator[res.Page]:
        """Pages of all segments as they come, one in flight for each segment."""
        from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # no other read needs threads

        count = cast("op.Scan", self.base).segments
        left = self.at_most
        with ThreadPoolExecutor(min(count, 32), "isthmus-scan") as pool:
            streams = [self._segment(number).pages(size=size) for number in range(count)]
            flying: dict[Future[res.Page | None], Iterator[res.Page]] = {}
            try:
                flying.update((pool.submit(next, stream, None), stream) for stream in streams)
                while flying and left != 0:
                    ready, _ = wait(flying, return_when=FIRST_COMPLETED)
                    for future in ready:
                        stream, page = flying.pop(future), future.result()
                        if page is None or left == 0:
                            continue
                        flying[pool.submit(next, stream, None)] = stream
                        page = page if left is None else evolve(page, items=page.items[:left])
                        left = None if left is None else left - len(page.items)
                        yield page
            finally:
                pool.shutdown(cancel_futures=True)

    def page(self, *, size: int, cursor: str | None = None) -> res.Page:
        """One page of at most ``size`` items; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged or belongs to another query
        """
        operation = self._whole().first_page(size, cursor)
        return res.Page() if self.matches_nothing else sel.with_cursor(operation, self._run(operation))

    def explain(self) -> dict[str, Any]:
        """How this selection will be read: the key range, what is left to filter, and the backend's native request."""
        operation = self.operation()
        return {**self.plan(operation), "native": self.database.backend.explain(operation)}

    def first(self) -> Item | None:
        """The first item, or ``None``."""
        return next(iter(self.limit(1)), None)

    def count(self) -> int:
        """How many items match, counted by reading (rule QRY-10)."""
        if self.at_most is not None:
            return sum(1 for _item in self)
        return 0 if self.matches_nothing else self._count(self._whole())

    def _count(self, whole: Selection) -> int:
        context = self.requests.context(self.timeout)
        page = self._run(whole.next_count(context, None))
        total = page.count
        while page.position is not None:
            page = self._run(whole.next_count(context, page.position))
            total += page.count
        return total

    def sorted_by(self, attribute: Target, *, descending: bool = False, bound: int = 10_000) -> list[Item]:
        """All items sorted in memory by any attribute; those without it come last (rule QRY-3).

        :param bound: refuse to sort more items than this
        """
        sort = sel.InMemorySort(attribute, descending, bound)
        for item in self:
            sort.add(item)
        return sort.sorted()
