"""Typed repositories of a sync database. ``async_repository.py`` has the same names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from isthmus import requests as req
from isthmus import results as res
from isthmus.bound_table import BoundTable
from isthmus.errors import UniqueViolation
from isthmus.expressions import Condition
from isthmus.planned import drive
from isthmus.repository.base import KeyValue, RepositoryBase
from isthmus.repository.deadlines import Steps
from isthmus.repository.mapper import Mapper
from isthmus.repository.query import Query
from isthmus.repository.query_spec import query_parts
from isthmus.repository.rebuilding import Rebuilding
from isthmus.selection import Selection

if TYPE_CHECKING:
    from isthmus.database import Database

T = TypeVar("T")
R = TypeVar("R")


class Repository(RepositoryBase[T]):
    """The entities of one class in a database.

    Wherever a key is asked for, it is given by the names of fields, ``get(org="acme", id="7")``; by values in the order
    of the key, ``get("acme", "7")``; by a function that type checkers understand, ``get(lambda u: (u.org == "acme") &
    (u.id == "7"))``; or as one mapping of fields to values.
    """

    def __init__(self, database: Database, mapper: Mapper[T], table: BoundTable, *, counted: bool = True) -> None:
        super().__init__(mapper, database._requests, database.backend_name, counted)  # noqa: SLF001
        self._database = database
        self._table = table
        self._execute = table._execute  # noqa: SLF001  # past the table's checks, which keys went through already

    @property
    def table(self) -> BoundTable:
        """The table that the entities are in, for items as dictionaries."""
        return self._table

    def ensure(self, *, timeout: float | None = None) -> Self:
        """Create the table, and the one that keeps unique values, unless they exist as declared."""
        self._database.tables.ensure(self._bare_table(), timeout=timeout)
        if self._indexes is not None:
            self._run(self._keeping(timeout))
        if self._guard_table is not None:
            self._database.tables.ensure(self._guard_table, timeout=timeout)
        return self

    def drop(self, *, timeout: float | None = None) -> None:
        """Remove the table with all its items, also those of other classes, and the one that keeps unique values."""
        self._table.drop(timeout=timeout)
        if self._guard_table is not None:
            self._database.tables.drop(self._guard_table.name, timeout=timeout)

    def rebuild_unique_values(self) -> list[UniqueViolation]:
        """Make unique what items hold that this repository did not write: copied ones, say, or those of another store.

        Where guards keep values unique, missing ones are written and those that are left over removed; where an index
        does, it is built, unless items have equal values, and indexes of constraints that the model has no more are
        dropped. Reads all items, may run again, and while others write through repositories.

        :return: a violation for each item whose values another one has; ``key`` and ``constraint`` say which. Settle
            these and run it again
        :raises InvalidArgument: the class has no unique constraint
        """
        run = self._rebuilding()
        if self._guard_table is None:
            self._compare(run)
            return run.violations
        self.ensure()
        for guard in self._database.table(self._guard_table).scan():
            self._run(run.release(guard))
        for item in self._items():
            self._run(run.keep(item))
        return run.violations

    def _compare(self, run: Rebuilding) -> None:
        self._database.tables.ensure(self._bare_table())
        for item in self._items():
            run.compare(item)
        if not run.violations:
            stored = self._database.tables.describe(self._table.name)
            self._run(self._keeping(None, self._no_longer(stored)))

    def _items(self) -> Selection:
        found, mine = self._table.scan(), self._mapper.only_mine()
        return found if mine is None else found.where(mine)

    def _run(self, plan: Steps[R]) -> R:
        return drive(self._in_full(plan), self._execute)

    # ---- reads ----

    def get(
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
        operation = self._get(key, attributes, consistent, timeout)
        return self._found(operation, self._execute(operation).item)

    def find(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any],
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> T | None:
        """Read an entity, or ``None`` when there is none."""
        return self._perhaps(self._execute(self._get(key, attributes, consistent, timeout)).item)

    def get_many(
        self, keys: Iterable[Any], /, *, consistent: bool = True, timeout: float | None = None
    ) -> list[T | None]:
        """Read any number of entities: in order, ``None`` for missing ones.

        :param keys: each a value, a tuple of values in the order of the key, or a mapping of fields to values
        """
        operation, places = self._many(keys, consistent, timeout)
        if not places:
            return []
        found = cast("res.GetManyResult", self._execute(operation))
        return [self._perhaps(item) for item in req.spread(found, places).raise_for_failures()]

    # ---- writes ----

    def create(self, entity: T, /, *, timeout: float | None = None) -> T:
        """Write a new entity; the entity as it is stored, a copy where its class is frozen.

        :raises AlreadyExists: its key is taken
        :raises UniqueViolation: another entity has a value that must be unique
        """
        return self._run(self._writes.create(self._entity(entity), timeout))

    def put(
        self, entity: T, /, *, when: Callable[[T], bool] | Condition | None = None, timeout: float | None = None
    ) -> T:
        """Write an entity in place of whatever has its key, attributes that the class doesn't know included.

        :raises ConditionFailed: ``when`` is false for the stored entity
        :raises VersionConflict: the stored entity is of another version
        :raises UniqueViolation: another entity has a value that must be unique
        """
        return self._run(self._writes.put(self._entity(entity), self._condition(when), timeout))

    def save(self, entity: T, /, *, since: T | None = None, timeout: float | None = None) -> T:
        """Write what changed since the entity was loaded; attributes that the class doesn't know are kept.

        An entity that was not loaded, or written, by a repository of this database is written with all its fields.

        :param since: the entity that was loaded, where this one is a changed copy of it
        :raises VersionConflict: somebody changed the stored entity since then
        :raises ItemNotFound: it was deleted since then
        :raises UniqueViolation: another entity has a value that must be unique
        """
        return self._run(self._writes.save(self._entity(entity), since, timeout))

    def update(
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

        :param set: fields and values, or a function: ``set=lambda u: evolve(u, age=u.age + 1)`` with ``attrs.evolve``
        :param add: fields and what is added to their number or set
        :raises ItemNotFound: there is none
        :raises ConditionFailed: ``when`` is false
        :raises UniqueViolation: another entity has a value that must be unique
        """
        return self._run(self._updating(key, attributes, (set, add, remove), when, expected_version, timeout))

    def delete(
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
        where = self._mapper.key(key, attributes)
        return self._run(self._writes.delete(where, self._condition(when), expected_version, timeout))

    def put_many(self, entities: Iterable[T], /, *, timeout: float | None = None) -> res.WriteManyResult:
        """Write any number of entities, not atomically; ``failures`` lists what was not written, and why.

        Versions, timestamps and changed copies don't come back: read entities again before they are saved.
        """
        return self._run(self._batches.put(self._entities(entities), timeout))

    def delete_many(self, keys: Iterable[Any], /, *, timeout: float | None = None) -> res.WriteManyResult:
        """Remove any number of entities, not atomically; ``failures`` lists what was not removed, and why.

        :param keys: as for ``get_many``, or entities
        """
        return self._run(self._batches.delete(self._keys(keys), timeout))

    # ---- queries ----

    def query(
        self,
        *key: Callable[[T], bool] | KeyValue | Mapping[str, Any],
        index: str | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Query[T]:
        """The entities of one partition, in the order of the sort key. Nothing is read before the query is used.

        The fields of the partition key are given, and perhaps those of the sort key, from the first one on.
        """
        where, reach = query_parts(self._mapper, index, key, attributes)
        return self._selecting(self._table.query(where, index=index, timeout=timeout), reach)

    def scan(self, *, segment: int | None = None, segments: int = 1, timeout: float | None = None) -> Query[T]:
        """All entities of the class, in no promised order.

        :param segment: only this one of ``segments`` disjoint parts; without it all of them, read in parallel
        """
        return self._selecting(self._table.scan(segment=segment, segments=segments, timeout=timeout), None)

    def _selecting(self, selection: Any, reach: Any) -> Query[T]:
        mine = self._mapper.only_mine()
        return Query(self._mapper, selection if mine is None else selection.where(mine), reach)
