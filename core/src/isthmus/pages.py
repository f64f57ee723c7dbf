"""How candidates become one page: filter, look-ahead, guards and projection, shared by all backends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from attrs import define, field

from isthmus.evaluate import predicate, project
from isthmus.expressions import Condition
from isthmus.operations import Paged, Query, Scan
from isthmus.results import Page, Unreadable
from isthmus.schema import Index, Table
from isthmus.values import Item

Candidate = tuple[Item, int]
C = TypeVar("C")


def used_index(operation: Paged) -> Index | None:
    """The index that a query reads, if any."""
    name = operation.index if isinstance(operation, Query) else None
    return None if name is None else operation.table.index(name)


def position_names(table: Table, index: Index | None) -> tuple[str, ...]:
    """Names of the attributes that make a position: the table's key, and the index's where one is read."""
    names = table.key_names if index is None else (*(key.name for key in index.keys), *table.key_names)
    return tuple(dict.fromkeys(names))


def visible_names(table: Table, index: Index) -> frozenset[str] | None:
    """The attributes that an index holds, or ``None`` for all of them."""
    if index.projection == "all":
        return None
    chosen = () if index.projection == "keys" else index.projection
    return frozenset((*position_names(table, index), *chosen))


def take_page(candidates: Iterable[Candidate | Unreadable], operation: Paged) -> Page:
    """The page that begins with the first candidate; see ``PageBuilder``."""
    builder = PageBuilder(operation, operation.condition)
    builder.feed(candidates)
    return builder.page()


class Stand(dict[str, Any]):
    """The key of what can't be read, in its place among the candidates: it counts, and a page may end after it."""


class Sieve:
    """Takes what can't be read out of a page's candidates.

    One whose key can be read counts like an item. Of the others, one that stands between the last of a page and the
    first of the next belongs to the next page, which will meet it again.
    """

    def __init__(self) -> None:
        self.stood = 0
        self._passed: list[Unreadable] = []
        self._waiting: list[Unreadable] = []

    @classmethod
    def of(cls, operation: Paged) -> Sieve | None:
        """A sieve, where the operation asks for one."""
        return cls() if isinstance(operation, Scan) and operation.report_unreadable else None

    def through(self, candidates: Iterable[C | Unreadable], stand: Callable[[Stand, int], C]) -> Iterator[C]:
        """The candidates, with keys standing for what can't be read. One counts as taken when the next is asked for.

        :param stand: makes a candidate of a key and the number of bytes that were stored
        """
        for candidate in candidates:
            if not isinstance(candidate, Unreadable):
                yield candidate
            else:
                if candidate.key is not None:
                    yield stand(Stand(candidate.key), len(candidate.original or b""))
                    self.stood += 1
                self._waiting.append(candidate)
                if candidate.key is None:
                    continue
            self._passed += self._waiting
            self._waiting = []

    def items(self, taken: list[Item]) -> list[Item]:
        """What was taken, without what only stands for something else."""
        return [item for item in taken if type(item) is not Stand] if self.stood else taken

    def found(self, *, complete: bool) -> tuple[Unreadable, ...]:
        """What the page reports.

        :param complete: whether the page was full before the candidates ended
        """
        return tuple(self._passed if complete else self._passed + self._waiting)


@define
class PageBuilder:
    """Makes one page of candidates that come in portions.

    A position is given only when a further candidate exists, or, where a limit was reached, a further match (rule
    QRY-14).

    :param condition: what is left to judge here; the store may have applied the rest
    """

    operation: Paged
    condition: Condition | None
    found: list[Item] = field(factory=list, init=False)
    count: int = field(default=0, init=False)
    examined: int = field(default=0, init=False)
    size: int = field(default=0, init=False)
    _last: Item | None = field(default=None, init=False)
    _complete: bool = field(default=False, init=False)
    _sieve: Sieve | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._sieve = Sieve.of(self.operation)

    def feed(self, candidates: Iterable[Candidate | Unreadable]) -> bool:
        """Take candidates until the page is complete, and tell whether it is.

        :param candidates: visible items in reading order, after those before, each with its size in bytes; where the
            scan reports them, also what can't be read
        """
        return self._take(
            cast("Iterable[Candidate]", candidates)
            if self._sieve is None
            else self._sieve.through(candidates, _weighed)
        )

    def _take(self, candidates: Iterable[Candidate]) -> bool:
        # Local names, because this loop is where pages spend their time.
        operation, found, last = self.operation, self.found, self._last
        accepts = predicate(self.condition) if self.condition is not None else None
        count, examined, size = self.count, self.examined, self.size
        for item, weight in candidates:
            matched = accepts is None or accepts(item)
            if _exhausted(operation, examined, size) or (matched and count == operation.limit):
                self._complete = True
                break
            examined += 1
            if not matched:
                last = last if count == operation.limit else item
                continue
            last = item
            count += 1
            size += weight
            if operation.select == "items":
                found.append(item)
        self.count, self.examined, self.size, self._last = count, examined, size, last
        return self._complete

    def page(self) -> Page:
        """The page of what was taken."""
        names = position_names(self.operation.table, used_index(self.operation))
        position = {name: self._last[name] for name in names} if self._complete and self._last is not None else None
        cut = cutter(self.operation)
        found = self.found if self._sieve is None else self._sieve.items(self.found)
        items = [cut(item) for item in found] if cut else found
        if self._sieve is None:
            return Page(items, self.count, position, self.examined)
        unreadable = self._sieve.found(complete=self._complete)
        return Page(items, self.count - self._sieve.stood, position, self.examined, unreadable=unreadable)


def _weighed(stand: Stand, size: int) -> Candidate:
    return stand, size


def _exhausted(operation: Paged, examined: int, size: int) -> bool:
    return (operation.max_examined is not None and examined >= operation.max_examined) or (
        operation.max_bytes is not None and size >= operation.max_bytes
    )


def cutter(operation: Paged) -> Callable[[Item], Item] | None:
    """The function that reduces an item to what its index holds and the projection asks for, if anything is cut."""
    paths = operation.projection
    if paths is not None:
        return lambda item: project(item, paths)
    index = used_index(operation)
    names = None if index is None else visible_names(operation.table, index)
    if names is None:
        return None
    return lambda item: {name: value for name, value in item.items() if name in names}
