"""The classes that are stored in one database: each is understood once, and they must not be in each other's way."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from itertools import chain
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

from attrs import evolve

from isthmus.capabilities import Capability
from isthmus.errors import InvalidArgument
from isthmus.pipeline import Pipeline
from isthmus.repository.field_types import FieldTypes
from isthmus.repository.mapper import Mapper
from isthmus.repository.model import Model, model_of
from isthmus.repository.snapshots import Snapshots, WaitingSnapshots

_MAKING = RLock()


class Registry:
    """The mappers of an opened database.

    :param unique_indexes: whether the store has some for a table of that name
    """

    def __init__(self, types: FieldTypes, unique_indexes: Callable[[str], bool] = lambda _table: False) -> None:
        self._types = types
        self._unique_indexes = unique_indexes
        self._snapshots = Snapshots()
        self._waiting: WeakKeyDictionary[object, Snapshots] = WeakKeyDictionary()
        self._mappers: dict[type, list[Mapper[Any]]] = {}
        self._lock = RLock()

    def mapper_in(self, unit: object, kind: type[Any], model: Model | None) -> Mapper[Any]:
        """The mapper of a class inside a unit of work, whose snapshots end with it: they tell of writes that wait."""
        mapper = copy(self.mapper(kind, model))
        mapper.snapshots = self._waiting.setdefault(unit, WaitingSnapshots(self._snapshots))
        return mapper

    def mapper(self, kind: type[Any], model: Model | None) -> Mapper[Any]:
        """The mapper of a class.

        :raises InvalidArgument: the class can't be stored, or not beside the others
        """
        declared = model_of(kind, model)
        known = self._known(kind, declared)
        if known is not None:
            return known
        with self._lock:  # another thread may have come first
            return self._known(kind, declared) or self._added(kind, declared)

    def _known(self, kind: type[Any], model: Model) -> Mapper[Any] | None:
        return next((one for one in self._mappers.get(kind, ()) if one.model is model or one.model == model), None)

    def _added(self, kind: type[Any], model: Model) -> Mapper[Any]:
        indexes = self._unique_indexes(model.table_name)
        mapper = Mapper(kind, model, self._types, self._snapshots, unique_indexes=indexes)
        for other in chain.from_iterable(self._mappers.values()):
            if other.table.name == mapper.table.name:
                _check_beside(mapper, other)
                mapper.beside = other.beside
        if mapper not in mapper.beside:
            mapper.beside.append(mapper)
        self._mappers.setdefault(kind, []).append(mapper)
        return mapper


def _check_beside(new: Mapper[Any], known: Mapper[Any]) -> None:
    differences = evolve(new.table, unique=()).differences(known.table)
    if differences:
        raise InvalidArgument(
            f"{new.name} and {known.name} declare table {new.table.name!r} differently: {'; '.join(differences)}."
            " Give one Table object to both models"
        )
    if new.kind is known.kind or new.model.discriminator is None:
        return
    one, other = ((mapper.model.discriminator_attribute, mapper.model.discriminator) for mapper in (new, known))
    if one == other:
        raise InvalidArgument(
            f"{new.name} and {known.name} have the same discriminator {new.model.discriminator!r} in table"
            f" {new.table.name!r}: choose another one"
        )


def registry_of(pipeline: Pipeline) -> Registry:
    """The registry of an opened database, made when the first repository is."""
    if pipeline.registry is None:
        with _MAKING:
            if pipeline.registry is None:  # another thread may have come first
                pipeline.registry = Registry(FieldTypes(pipeline.converter), partial(_keeps_unique, pipeline))
    found: Registry = pipeline.registry
    return found


def _keeps_unique(pipeline: Pipeline, table: str) -> bool:
    return pipeline.capabilities.supports(Capability.UNIQUE_INDEX) and pipeline.backend.keeps_unique(table)
