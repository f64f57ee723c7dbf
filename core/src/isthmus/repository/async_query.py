"""Queries of an async repository: the same names as ``query.py``, to be awaited."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from attrs import frozen

from isthmus import selection_spec as sel
from isthmus.async_selection import AsyncSelection
from isthmus.repository.base import only
from isthmus.repository.query_spec import EntityPage, QuerySpec

T = TypeVar("T")


@frozen(repr=False, eq=False)
class AsyncQuery(QuerySpec[T]):
    """A query or scan of entities. Iterate over it, or take pages, the first one, all, or a count."""

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for entity in page:
                    yield entity

    async def all(self) -> list[T]:
        """All entities."""
        return [entity async for entity in self]

    async def first(self) -> T | None:
        """The first entity, or ``None``."""
        item = await self.narrowed.first()
        return None if item is None else self.mapper.entity(item)

    async def one(self) -> T:
        """The only entity.

        :raises ItemNotFound: there is none
        :raises SeveralFound: there are more
        """
        return only(await self.limit(2).all(), self.mapper.name)

    async def count(self) -> int:
        """How many entities match, counted by reading."""
        found: int = await self.narrowed.count()
        return found

    async def page(self, *, size: int, cursor: str | None = None) -> EntityPage[T]:
        """One page of at most ``size`` entities; its ``cursor`` leads to the next one, ``None`` means the end.

        :raises InvalidCursor: the cursor is damaged, or belongs to another query or backend
        """
        page = await self.narrowed.page(size=size, cursor=cursor)
        return EntityPage(map(self.mapper.entity, page.items), page.cursor, page.examined)

    async def pages(self, *, size: int = sel.ITERATION_ITEMS) -> AsyncGenerator[EntityPage[T], None]:
        """Pages of at most ``size`` entities; one deadline covers all of them."""
        async with aclosing(self.narrowed.pages(size=size)) as pages:
            async for page in pages:
                yield EntityPage(map(self.mapper.entity, page.items), page.cursor, page.examined)

    def as_dicts(self) -> AsyncSelection:
        """The same as items: dictionaries by stored names, whatever their shape."""
        found: AsyncSelection = self.narrowed
        return found

    async def explain(self) -> dict[str, Any]:
        """How this query will be read; see ``Selection.explain``."""
        found: dict[str, Any] = await self.narrowed.explain()
        return found
