"""What the sync and the async DAL class share: what they declare, and their hooks; everything but I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast

from isthmus.arguments import members
from isthmus.dal.declaration import Declaration, aliases, check_hooks, declared_by, kind_of
from isthmus.dal.hooks import DalHooks
from isthmus.dal.mappers import ItemMapper, loading
from isthmus.database_base import DatabaseBase
from isthmus.errors import InvalidArgument
from isthmus.repository.mapper import Mapper
from isthmus.repository.model import Model
from isthmus.repository.registry import registry_of
from isthmus.schema import Table

T = TypeVar("T")


class DalBase(DalHooks[T]):
    """What a DAL class declares, and what its hooks make of entities."""

    model: ClassVar[Model | None] = None
    """How the class of the records is stored, where it doesn't say so itself by ``__isthmus__``."""
    table: ClassVar[Table | None] = None
    """Where dictionaries are, in a DAL class without a class of records."""
    former_names: ClassVar[Mapping[str, str]] = {}
    """Names that a code base called methods by before, with the names of the methods; such calls warn."""

    _kind: ClassVar[type[Any] | None] = None
    _declaration: ClassVar[Declaration | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._kind = kind_of(cls, DalBase)
        cls._declaration = declared_by(cls, cls._kind)
        check_hooks(cls)
        for former, method in aliases(cls):
            setattr(cls, former, method)

    @classmethod
    def declaration(cls) -> Declaration:
        """What the records are, and where.

        :raises InvalidArgument: the class doesn't say
        """
        if cls._declaration is None:
            raise InvalidArgument(
                f"{cls.__name__} doesn't say what it stores: derive it from DalBaseClass[Order], say, or give it"
                " table = Table(…)"
            )
        return cls._declaration

    def _mapper_in(self, database: DatabaseBase) -> Mapper[T]:
        """What is between records and items, hooks included."""
        mapper = self._plain_mapper_in(database)
        return loading(mapper, lambda entity: self._loaded(mapper, entity))

    def _plain_mapper_in(self, database: DatabaseBase) -> Mapper[T]:
        found = self.declaration()
        if found.table is not None:
            return cast("Mapper[T]", ItemMapper(found.table))
        registry = registry_of(database._pipeline)  # noqa: SLF001  # the core's own
        if database.writes_wait:
            return registry.mapper_in(database, found.kind, found.model)
        return registry.mapper(found.kind, found.model)

    # ---- hooks ----

    def _ready(self, mapper: Mapper[T], entity: T) -> T:
        """The entity that is written in place of the one that is given."""
        self._check_kind(mapper, entity)
        given = _copied(entity)
        ready = self.before_save(given)
        self._check_returned(mapper, "before_save", ready)
        checked: object = self.validate(ready)  # type: ignore[func-returns-value]  # whether it does is the question
        if checked is not None:
            raise InvalidArgument(
                f"{type(self).__name__}.validate returned {type(checked).__name__}: it raises an error where an entity"
                " is not right, and returns nothing"
            )
        mapper.snapshots.carry(mapper.layout, entity, ready)
        return ready

    def _loaded(self, mapper: Mapper[T], entity: T) -> T:
        """The entity that the caller gets."""
        loaded = self.after_load(entity)
        self._check_returned(mapper, "after_load", loaded)
        mapper.snapshots.carry(mapper.layout, entity, loaded)
        return loaded

    def _written(self, mapper: Mapper[T], entity: T, stored: T) -> T:
        """The entity that the caller gets for one that was given and then written."""
        # Where ``before_save`` made a copy, the caller's own has to know too what is stored now.
        mapper.snapshots.carry(mapper.layout, stored, entity)
        return self._loaded(mapper, stored)

    def _check_kind(self, mapper: Mapper[T], entity: object) -> None:
        if not isinstance(entity, mapper.kind):
            raise InvalidArgument(f"{type(self).__name__} takes {_plural(mapper.kind)}, not {type(entity).__name__}")

    def _check_returned(self, mapper: Mapper[T], hook: str, entity: object) -> None:
        if not isinstance(entity, mapper.kind):
            what = "None" if entity is None else type(entity).__name__
            raise InvalidArgument(
                f"{type(self).__name__}.{hook} returned {what}: it returns the {mapper.kind.__name__}, changed or not"
            )

    def _all_ready(self, mapper: Mapper[T], entities: Iterable[T]) -> list[T]:
        given = list(members(entities, "entities"))
        found = [self._ready(mapper, entity) for entity in given]
        for entity in given:
            mapper.snapshots.drop(entity)  # what is stored of copies won't come back
        return found


def _copied(entity: T) -> T:
    """A dictionary's copy, so that hooks leave the caller's own alone; other objects as they are."""
    return cast("T", dict(entity)) if isinstance(entity, dict) else entity


def _plural(kind: type[Any]) -> str:
    return "dictionaries" if kind is dict else f"{kind.__name__} objects"
