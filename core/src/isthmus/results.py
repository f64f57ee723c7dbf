"""Results: what backends answer. A result is never ``None``; a missing item is ``GetResult(item=None)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Self

from attrs import evolve, field, frozen

from isthmus.errors import InvalidStoredValue, IsthmusError
from isthmus.operations.base import Revision
from isthmus.schema import Table
from isthmus.values import Item

MapItem = Callable[[Item], Item]


def _items(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(items)


def _answers(items: Iterable[Item | None]) -> tuple[Item | None, ...]:
    return tuple(items)


def _revisions(revisions: Iterable[Revision | None]) -> tuple[Revision | None, ...]:
    return tuple(revisions)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


@frozen
class Result:
    """Base of all results."""

    def map_items(self, function: MapItem) -> Self:
        """A copy in which each carried item went through ``function``."""
        return self


@frozen
class GetResult(Result):
    """The item, or ``None`` when no visible item has the key; its revision if that was asked for."""

    item: Item | None = None
    revision: Revision | None = None

    def map_items(self, function: MapItem) -> Self:
        return self if self.item is None else evolve(self, item=function(self.item))


@frozen
class WriteResult(Result):
    """A write that was applied, with the image that ``returning`` asked for."""

    item: Item | None = None

    def map_items(self, function: MapItem) -> Self:
        return self if self.item is None else evolve(self, item=function(self.item))


@frozen
class DeleteResult(WriteResult):
    """A delete, which also tells whether there was a visible item (rule CND-4)."""

    existed: bool = False


@frozen
class Unreadable:
    """A stored item that is no item: what is wrong with it, and which one it is.

    :param key: its key attributes, where these can be read
    :param name: what the store calls it, for people
    :param original: what was read of it, hidden fields included, as the store has it; ``None`` where that can't be told
    :param form: what these bytes are: ``"bson"`` (one document), ``"dynamodb-json"`` (one object of named attribute
        values, as in the service's protocol), ``"isthmus-json"`` (the text of ``isthmus.values.dumps``), or a name of
        another backend's own; empty without them
    """

    error: InvalidStoredValue
    key: Item | None = None
    name: str | None = None
    original: bytes | None = field(default=None, repr=False)
    form: str = ""


@frozen
class Page(Result):
    """One page of a query or scan.

    :param count: number of matching items; equal to ``len(items)`` unless only the count was selected
    :param position: key attributes after which the next page starts, or ``None`` at the end (rule QRY-14)
    :param examined: number of candidates that were looked at
    :param unreadable: stored items that could not be read, where the scan asked to go on past them
    """

    items: tuple[Item, ...] = field(default=(), converter=_items)
    count: int = 0
    position: Item | None = None
    examined: int = 0
    cursor: str | None = None
    unreadable: tuple[Unreadable, ...] = ()

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, items=tuple(function(item) for item in self.items))


@frozen
class Failure:
    """One member of a batch that failed: its place in the request, and why."""

    position: int
    error: IsthmusError


def _failures(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    return tuple(failures)


@frozen
class ManyResult(Result):
    """What batches share: every failure, in request order."""

    failures: tuple[Failure, ...] = field(default=(), converter=_failures, kw_only=True)

    def raise_for_failures(self) -> Self:
        """Return the result itself when all members succeeded.

        :raises IsthmusError: the first failure's error
        """
        if self.failures:
            raise self.failures[0].error
        return self


@frozen
class GetManyResult(ManyResult):
    """Items in request order, ``None`` for missing ones; a failed member is listed, never taken for missing."""

    items: tuple[Item | None, ...] = field(default=(), converter=_answers)

    def __iter__(self) -> Iterator[Item | None]:
        return iter(self.items)

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, items=tuple(None if item is None else function(item) for item in self.items))


@frozen
class WriteManyResult(ManyResult):
    """How many members of a batch were written."""

    written: int = 0


@frozen
class TransactWriteResult(Result):
    """A transaction that was applied; ``replayed`` when its token had been used for the same content before."""

    replayed: bool = False


@frozen
class TransactGetResult(Result):
    """Items in request order, ``None`` for missing ones.

    :param revisions: where any was asked for, as many as items, with ``None`` for those that were not
    """

    items: tuple[Item | None, ...] = field(default=(), converter=_answers)
    revisions: tuple[Revision | None, ...] = field(default=(), converter=_revisions)

    def __iter__(self) -> Iterator[Item | None]:
        return iter(self.items)

    def map_items(self, function: MapItem) -> Self:
        return evolve(self, items=tuple(None if item is None else function(item) for item in self.items))


Outcome = Literal["applied", "not_applied", "unknown"]


@frozen
class ResolveResult(Result):
    """What became of a write: ``unknown`` where a later writer took the place of its trace."""

    outcome: Outcome


@frozen
class TableResult(Result):
    """A table's stored definition."""

    table: Table


@frozen
class TablesResult(Result):
    """The names of all tables, in order."""

    names: tuple[str, ...] = field(default=(), converter=_names)


@frozen
class DropResult(Result):
    """A table that is gone."""
