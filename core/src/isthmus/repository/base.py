"""What the sync and the async repository share: everything but I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

from attrs import evolve

from isthmus import operations as op
from isthmus.arguments import members
from isthmus.errors import InvalidArgument, ItemNotFound, SeveralFound
from isthmus.expressions import Condition
from isthmus.repository.assignments import assignments
from isthmus.repository.batching import Batches
from isthmus.repository.deadlines import Steps
from isthmus.repository.guards import Guards, guard_table
from isthmus.repository.mapper import Mapper
from isthmus.repository.model import Model
from isthmus.repository.rebuilding import Rebuilding
from isthmus.repository.recorder import recorded
from isthmus.repository.unique_indexes import UniqueIndexes
from isthmus.repository.writing import Writes
from isthmus.requests import Requests, not_found
from isthmus.schema import Table, Unique
from isthmus.values import Item

T = TypeVar("T")
R = TypeVar("R")
KeyValue = str | int | Decimal | bytes | date | UUID | Enum


class RepositoryBase(Generic[T]):
    """The entities of one class.

    :param requests: makes the operations of a table for the caller
    :param counted: whether versions count with each write
    """

    def __init__(self, mapper: Mapper[T], requests: Callable[[Table], Requests], backend: str, counted: bool) -> None:
        self._mapper = mapper
        self._requests = requests(mapper.table)
        self._backend = backend
        indexed = mapper.layout.unique if mapper.model.unique else ()
        self._guard_table = guard_table(mapper.table) if mapper.model.unique and not indexed else None
        self._guards = Guards(mapper, requests(guard_table(mapper.table))) if mapper.model.unique else None
        guards = None if indexed else self._guards
        names = dict(zip(indexed, mapper.model.unique, strict=True)) if indexed else {}
        self._indexes = UniqueIndexes(names, mapper.name, self._requests) if indexed else None
        self._waits = not counted
        self._writes = Writes(mapper, self._requests, guards, counted)
        self._batches = Batches(mapper, self._requests, self._writes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._mapper.name} in {self._mapper.table.name!r}>"

    @property
    def kind(self) -> type[T]:
        """The class of the entities."""
        return self._mapper.kind

    @property
    def model(self) -> Model:
        """How the class is stored."""
        return self._mapper.model

    @property
    def schema(self) -> Table:
        """The declaration of the table that the entities are in."""
        return self._mapper.table

    def to_item(self, entity: T) -> Item:
        """The item that an entity is stored as."""
        return self._mapper.item(entity)

    def from_item(self, item: Mapping[str, Any]) -> T:
        """The entity of an item, which need not be stored: ``save`` writes all its fields.

        :raises InvalidStoredValue: the item does not fit the class
        """
        entity = self._mapper.entity(dict(item))
        self._mapper.snapshots.drop(entity)
        return entity

    def _in_full(self, plan: Steps[R]) -> Steps[R]:
        """A plan with what unique indexes want."""
        if self._indexes is None:
            return plan
        if self._waits:
            plan = self._indexes.checked(plan, self._mapper.snapshots.claims)
        return self._indexes.named(plan)

    def _keeping(self, timeout: float | None, drop: tuple[Unique, ...] = ()) -> Steps[None]:
        """Have the table keep its unique constraints."""
        yield op.KeepUnique(self._requests.context(timeout), self._mapper.table, drop)

    def _rebuilding(self) -> Rebuilding:
        """A run over the items that are there.

        :raises InvalidArgument: the class has no unique constraint
        """
        if self._guards is None:
            raise InvalidArgument(f"{self._mapper.name} has no unique constraint: declare unique= in its model")
        return Rebuilding(self._mapper, self._requests, self._guards, self._writes)

    def _no_longer(self, stored: Table) -> tuple[Unique, ...]:
        """Stored constraints of this class that its model has no more."""
        model = self._mapper.model
        own = None if model.discriminator is None else (model.discriminator_attribute, model.discriminator)
        return tuple(one for one in stored.unique if one.only == own and one not in self._mapper.table.unique)

    def _bare_table(self) -> Table:
        """The table without its unique constraints, which may be added to one that is there."""
        return evolve(self._mapper.table, unique=()) if self._indexes is not None else self._mapper.table

    def _get(
        self, key: tuple[Any, ...], attributes: Mapping[str, Any], consistent: bool, timeout: float | None
    ) -> op.Get:
        return self._requests.get(self._mapper.key(key, attributes), {}, None, consistent, timeout)

    def _found(self, operation: op.Get, item: Item | None) -> T:
        if item is None or not self._mapper.is_mine(item):
            raise self._missing(operation)
        return self._mapper.entity(item)

    def _perhaps(self, item: Item | None) -> T | None:
        return None if item is None or not self._mapper.is_mine(item) else self._mapper.entity(item)

    def _missing(self, operation: op.Get) -> ItemNotFound:
        return not_found(operation, self._backend)

    def _condition(self, when: Callable[[T], bool] | Condition | None) -> Condition | None:
        return None if when is None else recorded(when, self._mapper.name, self._mapper.layout.shape)

    def _entity(self, entity: T) -> T:
        if not isinstance(entity, self._mapper.kind):
            raise InvalidArgument(
                f"a repository of {self._mapper.name} takes {self._mapper.name} objects, not {type(entity).__name__}"
            )
        return entity

    def _many(self, keys: Iterable[Any], consistent: bool, timeout: float | None) -> tuple[op.GetMany, list[int]]:
        return self._requests.get_many(self._keys(keys), None, consistent, timeout)

    def _keys(self, keys: Iterable[Any]) -> list[Item]:
        return [self._mapper.key(key if isinstance(key, tuple) else (key,), {}) for key in members(keys, "keys")]

    def _entities(self, entities: Iterable[T]) -> list[T]:
        return [self._entity(entity) for entity in members(entities, "entities")]

    def _updating(
        self,
        key: tuple[Any, ...],
        attributes: Mapping[str, Any],
        wanted: tuple[Any, Any, Any],
        when: Callable[[T], bool] | Condition | None,
        expected_version: int | None,
        timeout: float | None,
    ) -> Steps[T]:
        change = assignments(self._mapper, *wanted)
        for one in self._mapper.layout.key_fields:
            if one.stored in change.touched:
                raise InvalidArgument(
                    f"field {one.name!r} is part of the key of {self._mapper.name}: create the new entity, delete the"
                    " old one"
                )
        return self._writes.update(
            self._mapper.key(key, attributes), change, self._condition(when), expected_version, timeout
        )


def only(found: list[T], name: str) -> T:
    """The one entity among at most two.

    :raises ItemNotFound: there is none
    :raises SeveralFound: there are more
    """
    if not found:
        raise ItemNotFound(f"the query finds no {name}: use first() where that is expected")
    if len(found) > 1:
        raise SeveralFound(f"the query finds more than one {name}: narrow it, or use first()")
    return found[0]
