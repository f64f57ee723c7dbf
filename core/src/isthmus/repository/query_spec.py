"""Queries and scans of entities before they run: everything but I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar

from attrs import evolve, field, frozen

from isthmus.errors import InvalidArgument, InvalidKey
from isthmus.expressions import Condition
from isthmus.expressions import Field as PathField
from isthmus.pages import visible_names
from isthmus.repository.layout import Pair, fields_of
from isthmus.repository.mapper import Mapper
from isthmus.repository.narrowing import Reach
from isthmus.repository.recorder import recorded
from isthmus.repository.shapes import ABSENT
from isthmus.repository.templates import FieldKey
from isthmus.schema import Index, Key, Table
from isthmus.values import Item

T = TypeVar("T")


def _entities(entities: Any) -> tuple[Any, ...]:
    return tuple(entities)


@frozen
class EntityPage(Generic[T]):
    """One page of entities.

    :param cursor: leads to the next page; ``None`` at the end
    :param examined: how many stored items were looked at
    """

    items: tuple[T, ...] = field(converter=_entities)
    cursor: str | None = None
    examined: int = 0

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@frozen(repr=False, eq=False)
class QuerySpec(Generic[T]):
    """A query or scan of entities.

    :param selection: the selection of the table that it refines
    """

    mapper: Mapper[T]
    selection: Any
    reach: Reach | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.mapper.name}: {self.narrowed!r}>"

    def where(self, condition: Callable[[T], bool] | Condition) -> Self:
        """Only entities for which the condition holds too.

        The function is called once, with a recorder: join comparisons with ``&`` and ``|``, negate with ``not_()``, and
        use the functions of :mod:`isthmus.repository` for the rest. A condition made of ``F`` names stored attributes.

        :raises InvalidArgument: a field is unknown, a constant is of the wrong type, or no condition comes out
        """
        tree = recorded(condition, self.mapper.name, self.mapper.layout.shape)
        reach = None if self.reach is None else self.reach.narrowed(tree)
        return evolve(self, selection=self.selection.where(tree), reach=reach)

    def limit(self, items: int) -> Self:
        """At most that many entities in all."""
        return evolve(self, selection=self.selection.limit(items))

    def descending(self) -> Self:
        """In descending order of the sort key.

        :raises InvalidArgument: a scan has no order
        """
        return evolve(self, selection=self.selection.descending())

    def consistent(self, consistent: bool = True) -> Self:
        """Whether reads must see all writes that were acknowledged before."""
        return evolve(self, selection=self.selection.consistent(consistent))

    def examine_at_most(self, candidates: int) -> Self:
        """Give a short page with a cursor after looking at that many items."""
        return evolve(self, selection=self.selection.examine_at_most(candidates))

    @property
    def narrowed(self) -> Any:
        """The selection, with the range of sort keys that is known so far."""
        condition = None if self.reach is None else self.reach.condition()
        return self.selection if condition is None else self.selection.where(condition)


def query_parts(
    mapper: Mapper[Any], index: str | None, given: tuple[Any, ...], attributes: Mapping[str, Any]
) -> tuple[Item, Reach | None]:
    """The partition of a query, and where in it to look.

    Fields of the sort key may be given too, from the first one on.

    :raises InvalidKey: a field of the partition key is missing, or one is not part of the key
    """
    pair, keys = _keys(mapper, index)
    values = mapper.key_values(given, attributes, fields_of(pair))
    stored = mapper.stored_key(values, fields_of(pair), index)
    partition = pair[0].value(stored)
    if partition is ABSENT:
        wanted = " and ".join(repr(one.name) for one in pair[0].fields)
        raise InvalidKey(f"a query of {index or mapper.name} takes {wanted}; filter the rest with where()")
    where = {keys[0].name: partition}
    if pair[1] is None or len(keys) < 2:
        return where, None
    return where, _reach(mapper, pair, keys[1].name, stored)


def _keys(mapper: Mapper[Any], index: str | None) -> tuple[Pair, tuple[Key, ...]]:
    table: Table = mapper.table
    if index is None:
        return mapper.layout.keys, table.keys
    found: Index = table.index(index)
    if index not in mapper.layout.indexes:
        raise InvalidKey(f"{mapper.name} has no keys of index {index!r}: name the index in its model")
    held = visible_names(table, found)
    lacking = [one.name for one in mapper.fields.values() if held is not None and one.stored not in held]
    if lacking:
        raise InvalidArgument(
            f"index {index!r} does not hold field {lacking[0]!r} of {mapper.name}: widen its projection, or query the"
            " table for dictionaries"
        )
    return mapper.layout.indexes[index], found.keys


def _reach(mapper: Mapper[Any], pair: Pair, name: str, stored: Item) -> Reach:
    sort = pair[1]
    assert sort is not None
    if isinstance(sort, FieldKey):
        reach = Reach(name, sort)
        here = sort.value(stored)
        return reach if here is ABSENT else evolve(reach, bounds=(PathField((name,)) == here,))
    texts: list[str] = []
    for one in sort.fields:
        if stored.get(one.stored) is None:
            break
        texts.append(str(stored[one.stored]))
    left_out = [one.name for one in sort.fields[len(texts) + 1 :] if one.stored in stored]
    if left_out:
        raise InvalidKey(
            f"field {left_out[0]!r} of {mapper.name} comes after {sort.fields[len(texts)].name!r} in the key"
            f" {sort.text!r}: give that one too, or filter with where()"
        )
    return Reach(name, sort, sort.filled(texts), len(texts) == len(sort.fields), len(texts))
