"""Mutants whose indexes are wrong."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from isthmus import operations as op
from isthmus import results as res
from isthmus.evaluate import project
from isthmus.schema import Index
from isthmus.values import Item
from isthmus_conformance.mutants.base import Changing, Images, Judge, Paging
from isthmus_conformance.mutants.registry import mutant


class _Indexing(Paging):
    """Queries of an index go through ``entries``."""

    def entries(self, operation: op.Query, index: Index) -> res.Page:
        """Answer a query of an index."""
        return super().page(operation)

    def page(self, operation: op.Paged) -> res.Page:
        if isinstance(operation, op.Query) and operation.index is not None:
            return self.entries(operation, operation.table.index(operation.index))
        return super().page(operation)

    def items(self, operation: op.Query) -> tuple[Item, ...]:
        """All items of the table."""
        return self.whole(op.Scan(operation.context, operation.table))


@mutant("KEY-10")
class IndexHoldsEverything(_Indexing):
    """Items without an index's sort key are in the index."""

    def entries(self, operation: op.Query, index: Index) -> res.Page:
        page = super().entries(operation, index)
        if index.sort_key is None or page.position is not None or operation.range is not None:
            return page
        missing = [
            item for item in self.items(operation)
            if item.get(index.partition_key.name) == operation.partition and index.sort_key.name not in item
        ]  # fmt: skip
        return evolve(page, items=(*page.items, *missing), count=page.count + len(missing))


class _Stale(_Indexing, Changing):
    """Remembers every image that an index should have given up."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._images: list[tuple[str, Item]] = []

    def judge(self, action: op.Action, old: Item | None, usual: Judge) -> Images:
        before, after = usual(action)
        if old is not None and self.forgets(old, after):
            self._images.append((action.table.name, old))
        return before, after

    def forgets(self, old: Item, new: Item | None) -> bool:
        """Whether the entry of an old image stays."""
        raise NotImplementedError

    def entries(self, operation: op.Query, index: Index) -> res.Page:
        page = super().entries(operation, index)
        name, table = index.partition_key.name, operation.table.name
        stale = [item for home, item in self._images if home == table and item.get(name) == operation.partition]
        return evolve(page, items=(*page.items, *stale), count=page.count + len(stale))


@mutant("QRY-8", "QRY-17")
class UpdatedEntriesStay(_Stale):
    """An update that changes an item leaves the old entry in the index."""

    def forgets(self, old: Item, new: Item | None) -> bool:
        return new is not None and new != old


@mutant("QRY-8", "QRY-17")
class DeletedEntriesStay(_Stale):
    """A deleted item stays in the index."""

    def forgets(self, old: Item, new: Item | None) -> bool:
        return new is None


@mutant("QRY-8", "QRY-11")
class IndexProjectionIgnored(_Indexing):
    """An index gives the whole item, whatever it was declared to hold."""

    def entries(self, operation: op.Query, index: Index) -> res.Page:
        page = super().entries(operation, index)
        if operation.projection is not None:
            return page
        names = operation.table.key_names
        whole = {tuple(item[name] for name in names): item for item in self.items(operation)}
        return page.map_items(lambda item: whole[tuple(item[name] for name in names)])


@mutant("QRY-3")
class IndexIgnoresDirection(_Indexing):
    """An index is always read in ascending order."""

    def entries(self, operation: op.Query, index: Index) -> res.Page:
        return super().entries(evolve(operation, forward=True), index)


@mutant("QRY-4", "QRY-15")
class EqualIndexKeysLost(_Indexing):
    """A cursor in an index skips the items whose index keys equal those of its item."""

    def entries(self, operation: op.Query, index: Index) -> res.Page:
        page = super().entries(operation, index)
        if operation.start is None or operation.select == "count" or operation.projection is not None:
            return page
        keys = [(key.name,) for key in index.keys]
        before = project(operation.start, keys)
        kept = [item for item in page.items if project(item, keys) != before]
        return evolve(page, items=kept, count=len(kept))
