"""Mutants that cut pages, counts, projections and segments wrongly."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.evaluate import predicate
from isthmus.pages import position_names, used_index
from isthmus_conformance.mutants.base import Paging
from isthmus_conformance.mutants.registry import mutant


@mutant("QRY-1")
class LimitBeforeFilter(Paging):
    """A limit counts the items that are read, before the filter, as DynamoDB's does."""

    def page(self, operation: op.Paged) -> res.Page:
        if operation.limit is None or operation.condition is None:
            return super().page(operation)
        page = super().page(evolve(operation, condition=None))
        items = tuple(filter(predicate(operation.condition), page.items))
        return evolve(page, items=items, count=len(items))


@mutant("QRY-1")
class PageOfOneMore(Paging):
    """A page holds one item more than was asked for."""

    def page(self, operation: op.Paged) -> res.Page:
        more = operation if operation.limit is None else evolve(operation, limit=operation.limit + 1)
        return super().page(more)


@mutant("QRY-15", "QRY-14")
class CursorRepeats(Paging):
    """The page after a cursor begins with the last item of the page before."""

    def page(self, operation: op.Paged) -> res.Page:
        page = super().page(operation)
        if page.position is None or len(page.items) < 2 or operation.projection is not None:
            return page
        names = position_names(operation.table, used_index(operation))
        return evolve(page, position={name: page.items[-2][name] for name in names if name in page.items[-2]})


@mutant("QRY-15", "QRY-14")
class CursorSkips(Paging):
    """The page after a cursor begins one item too late."""

    def page(self, operation: op.Paged) -> res.Page:
        if operation.start is None or operation.select == "count":
            return super().page(operation)
        page = super().page(evolve(operation, limit=None if operation.limit is None else operation.limit + 1))
        return evolve(page, items=page.items[1:], count=max(0, page.count - 1))


@mutant("QRY-14")
class CursorAtTheEnd(Paging):
    """A full page always has a cursor, also where nothing follows."""

    def page(self, operation: op.Paged) -> res.Page:
        page = super().page(operation)
        if page.position is not None or not page.items or page.count != operation.limit or operation.projection:
            return page
        names = position_names(operation.table, used_index(operation))
        return evolve(page, position={name: page.items[-1][name] for name in names if name in page.items[-1]})


@mutant("QRY-13")
class CursorNeedsItsItem(Paging):
    """A cursor whose item was deleted starts from the beginning."""

    def page(self, operation: op.Paged) -> res.Page:
        if operation.start is None:
            return super().page(operation)
        found = self.execute(op.Get(operation.context, operation.table, operation.table.key_of(operation.start)))
        gone = isinstance(found, res.GetResult) and found.item is None
        return super().page(evolve(operation, start=None) if gone else operation)


@mutant("QRY-15")
class CursorIsAnOffset(Paging):
    """Pages are counted: an item that is inserted before the cursor repeats one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._offsets: dict[str, int] = {}

    def page(self, operation: op.Paged) -> res.Page:
        if operation.limit is None or operation.select == "count":
            return super().page(operation)
        begun = self._offsets.get(repr(operation.start), 0)
        page = super().page(evolve(operation, start=None, limit=begun + operation.limit))
        if page.position is not None:
            self._offsets[repr(page.position)] = len(page.items)
        return evolve(page, items=page.items[begun:], count=page.count - begun)


@mutant("QRY-10")
class CountBeforeFilter(Paging):
    """A count includes the items that the filter refuses."""

    def page(self, operation: op.Paged) -> res.Page:
        counting = operation.select == "count"
        return super().page(evolve(operation, condition=None) if counting else operation)


@mutant("QRY-6", "QRY-2")
class ScanEndsEarly(Paging):
    """A scan stops after 50 items and says that this was all."""

    def page(self, operation: op.Paged) -> res.Page:
        page = super().page(operation)
        if not isinstance(operation, op.Scan) or len(page.items) <= 50:
            return page
        return evolve(page, items=page.items[:50], count=50, position=None)


@mutant("QRY-16")
class SegmentsOverlap(Paging):
    """The first segment of a scan holds everything."""

    def page(self, operation: op.Paged) -> res.Page:
        if isinstance(operation, op.Scan) and operation.segment == 0:
            operation = evolve(operation, segments=1)
        return super().page(operation)


@mutant("QRY-11")
class ProjectionAddsKeys(Paging):
    """A projection includes the key though it was not asked for."""

    def execute(self, operation: op.Operation) -> res.Result:
        return super().execute(_with_keys(operation))


def _with_keys(operation: Any) -> Any:
    if getattr(operation, "projection", None) is None:
        return operation
    named = {path[0] for path in operation.projection}
    more = [(name,) for name in operation.table.key_names if name not in named]
    return evolve(operation, projection=(*operation.projection, *more))


@mutant("QRY-11")
class ProjectionOfWholeAttributes(Paging):
    """A projection of a part gives the whole attribute."""

    def execute(self, operation: op.Operation) -> res.Result:
        return super().execute(_widened(operation))


def _widened(operation: Any) -> Any:
    if getattr(operation, "projection", None) is None:
        return operation
    return evolve(operation, projection=tuple({path[:1]: None for path in operation.projection}))
