"""Queries of a sync repository. ``async_query.py`` has the same names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from attrs import frozen

from isthmus import selection_spec as sel
from isthmus.repository.base import only
from isthmus.repository.query_spec import EntityPage, QuerySpec
from isthmus.selection import Selection

T = TypeVar("T")


@frozen(repr=False, eq=False)
class Query(QuerySpec[T]):
    """A query or scan of entities. Iterate over it, or take pages, the first one, all, or a count."""

    def __iter__(self) -> Iterator[T]:
        entity = self.mapper.entity
        for item in self.narrowed:
            yield entity(item)

    def all(self) -> list[T]:
        """All entities."""
        return list(self)

    def first(self) -> T | None:
        """The first entity, or ``None``."""
        item = self.narrowed.first()
        return None if item is None else self.mapper.entity(item)

    def one(self) -> T:
        """The only entity.

        :raises ItemNotFound: there is none
        :raises SeveralFound: there are more
        """
        return only(list(self.limit(2)), self.mapper.name)

    def count(self) -> int:
        """How many entities match, counted by reading."""
        found: int = self.narrowed.count()
        return found

    def page(self, *, size: int, cursor: str | None = None) -> EntityPage[T]:
        """One page of at most ``size`` entities; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged, or belongs to another query or backend
        """
        page = self.narrowed.page(size=size, cursor=cursor)
        return EntityPage(map(self.mapper.entity, page.items), page.cursor, page.examined)

    def pages(self, *, size: int = sel.ITERATION_ITEMS) -> Iterator[EntityPage[T]]:
        """Pages of at most ``size`` entities; one deadline covers all of them."""
        for page in self.narrowed.pages(size=size):
            yield EntityPage(map(self.mapper.entity, page.items), page.cursor, page.examined)

    def as_dicts(self) -> Selection:
        """The same as items: dictionaries by stored names, whatever their shape."""
        found: Selection = self.narrowed
        return found

    def explain(self) -> dict[str, Any]:
        """How this query will be read; see ``Selection.explain``."""
        found: dict[str, Any] = self.narrowed.explain()
        return found
