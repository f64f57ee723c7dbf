"""Mappers of DAL classes: dictionaries in place of entities, and entities that pass through a hook when read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Final, TypeVar

from isthmus.repository.codecs import ANY
from isthmus.repository.layout import Layout, fields_of
from isthmus.repository.mapper import Mapper
from isthmus.repository.model import Model
from isthmus.repository.shapes import Field, Shape
from isthmus.repository.snapshots import Snapshots
from isthmus.repository.templates import FieldKey
from isthmus.schema import Key, Table
from isthmus.values import Item

T = TypeVar("T")
_SOME: Final = object()


def loading(mapper: Mapper[T], loaded: Callable[[T], T]) -> Mapper[T]:
    """A mapper like another one, whose entities pass through a function when they are read."""
    found = copy(mapper)
    vars(found)["entity"] = lambda item: loaded(mapper.entity(item))
    return found


class ItemMapper(Mapper[Item]):
    """Items as they are, in a declared table: what a mapper is for classes, for dictionaries."""

    def __init__(self, table: Table) -> None:
        sort = None if table.sort_key is None else table.sort_key.name
        keys = _pair(table.partition_key, table.sort_key)
        self.kind = dict
        self.model = Model(table, table.partition_key.name, sort)
        self.table = table
        pairs = {index.name: _pair(index.partition_key, index.sort_key) for index in table.indexes}
        self.layout = Layout(Shape(dict, {}), table, keys, pairs, ())
        self.snapshots = Snapshots()
        self.fields = {one.name: one for pair in (keys, *pairs.values()) for one in fields_of(pair)}
        self._keys = tuple((part.field.name, part) for part in keys if part is not None)
        self.constants = {}
        self.owned = frozenset()

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    def item(self, entity: Item) -> Item:
        item = dict(entity)
        if self.table.version is not None and item.get(self.table.version) in (0, None):
            item.pop(self.table.version, None)
        return item

    def entity(self, item: Item) -> Item:
        return item

    def field(self, name: str) -> Field:
        """Any attribute: a table declares its keys only."""
        return _attribute(name)

    def key_values(
        self, given: tuple[Any, ...], attributes: Mapping[str, Any], fields: tuple[Field, ...]
    ) -> Mapping[str, Any]:
        if len(given) != 1 or not isinstance(given[0], Mapping):
            return super().key_values(given, attributes, fields)
        names = [one.name for one in fields]
        if not attributes and given[0].keys() >= set(names):
            return {name: given[0][name] for name in names}  # of a whole item, say
        return self._joined(given[0], attributes)


def _pair(partition: Key, sort: Key | None) -> tuple[FieldKey, FieldKey | None]:
    return _key(partition), None if sort is None else _key(sort)


def _key(key: Key) -> FieldKey:
    return FieldKey(_attribute(key.name), key.type)


def _attribute(name: str) -> Field:
    # With a default it may be removed; and as that is not None, a None is stored.
    return Field(name, name, name, ANY, default=_SOME)
