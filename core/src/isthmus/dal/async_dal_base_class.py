"""The async class for each kind of record. ``dal_base_class.py`` has the same names, without ``await``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, TypeVar

from isthmus.async_bound_table import AsyncBoundTable
from isthmus.async_database import AsyncDatabase
from isthmus.dal.async_holding import AsyncHolding, Source
from isthmus.dal.base import DalBase
from isthmus.dal.sources import not_open
from isthmus.expressions import Condition
from isthmus.repository.async_query import AsyncQuery
from isthmus.repository.async_repository import AsyncRepository
from isthmus.repository.base import KeyValue
from isthmus.results import WriteManyResult

T = TypeVar("T")


class AsyncDalBaseClass(AsyncHolding, DalBase[T]):
    """The records of one kind: derive a class for each, ``class Orders(AsyncDalBaseClass[Order])``.

    ``Order`` is an attrs class with a ``Model``. A class of dictionaries names their table instead: ``class
    Orders(AsyncDalBaseClass): table = Table("orders", "id")``. The hooks of ``DalHooks`` may be overridden.

    Keys are given by the names of fields, ``get(org="acme", id="7")``; by values in the order of the key, ``get("acme",
    "7")``; by a function that type checkers understand, ``get(lambda u: (u.org == "acme") & (u.id == "7"))``; or as one
    mapping.

    :param source: an open database, which stays open; else what ``connect`` takes, a URL say, or a function that opens
        a database. Without it the environment and ``isthmus.toml`` say which one
    :param options: of ``connect``: ``config_file``, ``timeout``, ``plugins``, sections
    :raises InvalidArgument: the class doesn't say what it stores
    """

    def __init__(self, source: Source = None, /, **options: Any) -> None:
        self.declaration()
        self._repository: AsyncRepository[T] | None = None
        super().__init__(source, **options)

    def _attach(self, database: AsyncDatabase) -> None:
        super()._attach(database)
        mapper = self._mapper_in(database)
        self._repository = AsyncRepository(
            database, mapper, database.table(mapper.table), counted=not database.writes_wait
        )
        self._mapper = mapper

    def _detach(self) -> None:
        super()._detach()
        self._repository = None

    @property
    def _records(self) -> AsyncRepository[T]:
        if self._repository is None:
            raise not_open(self, self._closed)
        return self._repository

    @property
    def bound_table(self) -> AsyncBoundTable:
        """The table, for items as dictionaries. No hook sees what goes through it."""
        return self._records.table

    async def ensure(self, *, timeout: float | None = None) -> Self:
        """Create the table, and the one that keeps unique values, unless they exist as declared."""
        await self._records.ensure(timeout=timeout)
        return self

    async def drop(self, *, timeout: float | None = None) -> None:
        """Remove the table with all its items, also those of other classes, and the one that keeps unique values."""
        await self._records.drop(timeout=timeout)

    # ---- reads ----

    async def get(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any],
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> T:
        """Read an entity.

        :raises ItemNotFound: there is none
        :raises InvalidStoredValue: the stored item does not fit the class
        """
        return await self._records.get(*key, consistent=consistent, timeout=timeout, **attributes)

    async def find(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any],
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> T | None:
        """Read an entity, or ``None`` when there is none."""
        return await self._records.find(*key, consistent=consistent, timeout=timeout, **attributes)

    async def get_many(
        self, keys: Iterable[Any], /, *, consistent: bool = True, timeout: float | None = None
    ) -> list[T | None]:
        """Read any number of entities: in order, ``None`` for missing ones.

        :param keys: each a value, a tuple of values in the order of the key, or a mapping of fields to values
        """
        return await self._records.get_many(keys, consistent=consistent, timeout=timeout)

    # ---- writes ----

    async def create(self, entity: T, /, *, timeout: float | None = None) -> T:
        """Write a new entity; the entity as it is stored.

        :raises AlreadyExists: its key is taken
        :raises UniqueViolation: another entity has a value that must be unique
        """
        records = self._records
        return self._written(
            self._mapper, entity, await records.create(self._ready(self._mapper, entity), timeout=timeout)
        )

    async def put(
        self, entity: T, /, *, when: Callable[[T], bool] | Condition | None = None, timeout: float | None = None
    ) -> T:
        """Write an entity in place of whatever has its key, attributes that the class doesn't know included.

        :raises ConditionFailed: ``when`` is false for the stored entity
        :raises VersionConflict: the stored entity is of another version
        :raises UniqueViolation: another entity has a value that must be unique
        """
        records = self._records
        return self._written(
            self._mapper, entity, await records.put(self._ready(self._mapper, entity), when=when, timeout=timeout)
        )

    async def save(self, entity: T, /, *, since: T | None = None, timeout: float | None = None) -> T:
        """Write what changed since the entity was loaded; attributes that the class doesn't know are kept.

        An entity that was not loaded or written here, and any dictionary, is written with all that it has.

        :param since: the entity that was loaded, where this one is a changed copy of it
        :raises VersionConflict: somebody changed the stored entity since then
        :raises ItemNotFound: it was deleted since then
        :raises UniqueViolation: another entity has a value that must be unique
        """
        records = self._records
        return self._written(
            self._mapper, entity, await records.save(self._ready(self._mapper, entity), since=since, timeout=timeout)
        )

    async def update(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any],
        set: Callable[[T], T] | Mapping[Any, Any] | None = None,
        add: Mapping[Any, Any] | None = None,
        remove: str | Iterable[str] | None = None,
        when: Callable[[T], bool] | Condition | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> T:
        """Change fields of a stored entity without reading it first; the entity afterwards.

        Nobody has the entity before it is written, so neither ``before_save`` nor ``validate`` is called: use ``save``
        where they have to be.

        :param set: fields and values, or a function: ``set=lambda u: evolve(u, age=u.age + 1)`` with ``attrs.evolve``
        :param add: fields and what is added to their number or set
        :raises ItemNotFound: there is none
        :raises ConditionFailed: ``when`` is false
        :raises UniqueViolation: another entity has a value that must be unique
        """
        return await self._records.update(
            *key, set=set, add=add, remove=remove, when=when, expected_version=expected_version, timeout=timeout,
            **attributes,
        )  # fmt: skip

    async def delete(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any] | T,
        when: Callable[[T], bool] | Condition | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> bool:
        """Remove an entity, given by its key or itself; whether there was one.

        :raises ConditionFailed: ``when`` is false
        """
        return await self._records.delete(
            *key, when=when, expected_version=expected_version, timeout=timeout, **attributes
        )

    # ---- batches ----

    async def put_many(self, entities: Iterable[T], /, *, timeout: float | None = None) -> WriteManyResult:
        """Write any number of entities, not atomically; ``failures`` lists what was not written, and why.

        Hooks run for all of them before anything is sent. Versions, timestamps and changed copies don't come back: read
        entities again before they are saved.
        """
        return await self._records.put_many(self._all_ready(self._mapper, entities), timeout=timeout)

    async def delete_many(self, keys: Iterable[Any], /, *, timeout: float | None = None) -> WriteManyResult:
        """Remove any number of entities, not atomically; ``failures`` lists what was not removed, and why.

        :param keys: as for ``get_many``, or entities
        """
        return await self._records.delete_many(keys, timeout=timeout)

    # ---- queries ----

    def query(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any],
        index: str | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> AsyncQuery[T]:
        """The entities of one partition, in the order of the sort key. Nothing is read before the query is used.

        The fields of the partition key are given, and perhaps those of the sort key, from the first one on.
        """
        return self._records.query(*key, index=index, timeout=timeout, **attributes)

    def scan(self, *, segment: int | None = None, segments: int = 1, timeout: float | None = None) -> AsyncQuery[T]:
        """All entities of the class, in no promised order.

        :param segment: only this one of ``segments`` disjoint parts; without it all of them, read in parallel
        """
        return self._records.scan(segment=segment, segments=segments, timeout=timeout)
