"""Selections of a sync database. ``async_selection.py`` has the same names."""

from __future__ import annotations

from collections.abc import Iterator
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
    from isthmus.database import Database


@frozen(repr=False)
class Selection(sel.SelectionSpec):
    """A query or scan. Iterate over it, or take pages, the first item, or a count."""

    database: Database = field(kw_only=True)

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.items

    def pages(self, *, size: int = sel.ITERATION_ITEMS) -> Iterator[res.Page]:
        """Pages of at most ``size`` items; one deadline covers all of them.

        :raises InvalidArgument: the size is not positive
        """
        positive(size, "size")
        return self._pages(size, self.requests.context(self.timeout))

    def _pages(self, size: int, context: Context) -> Iterator[res.Page]:
        if self.matches_nothing:
            return
        if self.parallel:
            yield from self._parallel_pages(size, context)
            return
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

    def _parallel_pages(self, size: int, context: Context) -> Iterator[res.Page]:
        """Pages of all segments as they come, one in flight for each segment that was begun."""
        from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # no other read needs threads

        left = self.at_most
        streams = (segment._pages(size, context) for segment in self.in_segments())  # noqa: SLF001  # its own class
        flying: dict[Future[res.Page | None], Iterator[res.Page]] = {}
        with ThreadPoolExecutor(self.segments_at_once, "isthmus-scan") as pool:
            try:
                while left != 0:
                    begun = islice(streams, self.segments_at_once - len(flying))
                    flying.update((pool.submit(next, stream, None), stream) for stream in begun)
                    if not flying:
                        return
                    for future in wait(flying, return_when=FIRST_COMPLETED).done:
                        stream, page = flying.pop(future), future.result()
                        if page is None or left == 0:
                            continue
                        page, left = sel.cut(page, left)
                        if left != 0:
                            flying[pool.submit(next, stream, None)] = stream
                        yield page
            finally:
                pool.shutdown(cancel_futures=True)

    def page(self, *, size: int, cursor: str | None = None) -> res.Page:
        """One page of at most ``size`` items; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged, or belongs to another query or backend
        """
        backend = self.database.backend_name
        operation = self.whole().first_page(size, cursor, backend)
        return res.Page() if self.matches_nothing else sel.with_cursor(operation, self._run(operation), backend)

    def explain(self) -> dict[str, Any]:
        """How this selection will be read: the key range, what is left to filter, and the backend's native request."""
        operation = self.operation()
        return {**self.plan(operation), "native": self.database.explain_operation(operation)}

    def first(self) -> Item | None:
        """The first item, or ``None``."""
        return next(iter(self.limit(1)), None)

    def count(self) -> int:
        """How many items match, counted by reading (rule QRY-10)."""
        if self.at_most is not None:
            return sum(1 for _item in self)
        return 0 if self.matches_nothing else self._count(self.whole())

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
        :raises InvalidArgument: the attribute is not read
        :raises QueryTooComplex: there are more items than ``bound``
        """
        sort = self.in_memory_sort(attribute, descending, bound)
        for item in self:
            sort.add(item)
        return sort.sorted()
