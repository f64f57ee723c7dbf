"""How candidates become one page: filter, look-ahead, guards and projection, shared by all embedded backends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from isthmus.evaluate import predicate, project
from isthmus.operations import Paged, Query
from isthmus.results import Page
from isthmus.schema import Index, Table
from isthmus.values import Item

Candidate = tuple[Item, int]


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


def take_page(candidates: Iterable[Candidate], operation: Paged) -> Page:
    """The page that begins with the first candidate.

    A position is given only when a further candidate exists, or, where a limit was reached, a further match (rule
    QRY-14).

    :param candidates: visible items in reading order, after ``operation.start``, each with its size in bytes
    """
    accepts = predicate(operation.condition) if operation.condition is not None else None
    names = position_names(operation.table, used_index(operation))
    found: list[Item] = []
    count = examined = size = 0
    last: Item | None = None
    for item, weight in candidates:
        if _exhausted(operation, examined, size):
            return _page(operation, found, count, _position(last, names), examined)
        matched = accepts is None or accepts(item)
        if matched and count == operation.limit:
            return _page(operation, found, count, _position(last, names), examined)
        examined += 1
        if not matched:
            last = last if count == operation.limit else item
            continue
        last = item
        count += 1
        size += weight
        if operation.select == "items":
            found.append(item)
    return _page(operation, found, count, None, examined)


def _exhausted(operation: Paged, examined: int, size: int) -> bool:
    return (operation.max_examined is not None and examined >= operation.max_examined) or (
        operation.max_bytes is not None and size >= operation.max_bytes
    )


def _position(item: Item | None, names: tuple[str, ...]) -> Item | None:
    return None if item is None else {name: item[name] for name in names}


def _page(operation: Paged, found: list[Item], count: int, position: Item | None, examined: int) -> Page:
    cut = cutter(operation)
    return Page([cut(item) for item in found] if cut else found, count, position, examined)


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
