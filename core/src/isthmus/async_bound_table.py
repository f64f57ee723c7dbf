"""A table of an async database: the same names as ``bound_table.py``, to be awaited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, cast

from isthmus import operations as op
from isthmus import requests as req
from isthmus import results as res
from isthmus import selection_spec as sel
from isthmus.actions import Actions
from isthmus.arguments import check_segments
from isthmus.async_selection import AsyncSelection
from isthmus.expressions import Condition, Target, Targets
from isthmus.operations import Returning
from isthmus.values import Item

if TYPE_CHECKING:
    from isthmus.async_database import AsyncDatabase


class AsyncBoundTable:
    """A table of an opened database.

    Keys are given as keyword arguments, or as one mapping where an attribute's name is taken by an option.
    """

    __slots__ = ("_execute", "_requests", "actions", "database", "schema")

    def __init__(self, database: AsyncDatabase, requests: req.Requests, execute: Any) -> None:
        self.database = database
        self.schema = requests.table
        self.actions = Actions(requests)
        self._requests = requests
        # Loosely typed and without a detour, because even a cast costs time on the path of each point read.
        self._execute = execute

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of {self.database.url}>"

    @property
    def name(self) -> str:
        """The table's name."""
        return self.schema.name

    async def ensure(self, *, timeout: float | None = None) -> Self:
        """Create the table unless it exists as declared; see ``Tables.ensure``."""
        await self.database.tables.ensure(self.schema, timeout=timeout)
        return self

    async def drop(self, *, timeout: float | None = None) -> None:
        """Remove the table with all its items."""
        await self.database.tables.drop(self.name, timeout=timeout)

    # ---- single items ----

    async def get(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        select: req.Projection = None,
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item:
        """Read an item.

        :raises ItemNotFound: there is none
        """
        operation = self._requests.get(key, attributes, select, consistent, timeout)
        item: Item | None = (await self._execute(operation)).item
        if item is None:
            raise req.not_found(operation, self.database.backend_name)
        return item

    async def find(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        select: req.Projection = None,
        consistent: bool = True,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item | None:
        """Read an item, or ``None`` when there is none."""
        result = await self._execute(self._requests.get(key, attributes, select, consistent, timeout))
        item: Item | None = result.item
        return item

    async def create(
        self, item: Mapping[str, Any], /, *, returning: Returning = None, timeout: float | None = None
    ) -> Item | None:
        """Write a new item; ``returning="new"`` gives it as it is stored, with its version and timestamps.

        :raises AlreadyExists: there is one with this key
        """
        return cast("res.WriteResult", await self._execute(self._requests.create(item, returning, timeout))).item

    async def put(
        self,
        item: Mapping[str, Any],
        /,
        *,
        when: Condition | None = None,
        returning: Returning = None,
        timeout: float | None = None,
    ) -> Item | None:
        """Write an item in place of whatever has its key.

        ``returning="old"`` gives the item that was replaced, ``"new"`` the written one with its version and timestamps.

        :raises ConditionFailed: ``when`` is false; the error carries the current item
        :raises VersionConflict: the table is versioned and the item was changed since it was read
        """
        return cast("res.WriteResult", await self._execute(self._requests.put(item, when, returning, timeout))).item

    async def update(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        set: Targets | None = None,
        set_if_absent: Targets | None = None,
        copy: Targets | None = None,
        add: Targets | None = None,
        remove: Target | Iterable[Target] | None = None,
        delete: Targets | None = None,
        append: Targets | None = None,
        prepend: Targets | None = None,
        create_lists: bool = False,
        when: Condition | None = None,
        upsert: bool = False,
        expected_version: int | None = None,
        returning: Returning = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item | None:
        """Change attributes of an item; ``returning`` gives the item before (``"old"``) or after (``"new"``).

        The changes are those of :func:`isthmus.expressions.changes`.

        :raises ItemNotFound: there is no item, and no ``upsert``
        :raises ConditionFailed: ``when`` is false; the error carries the current item
        :raises InvalidPath: a parent is missing or of another type
        :raises OutOfRange: arithmetic left the range of portable numbers
        """
        wanted = {
            "set": set, "set_if_absent": set_if_absent, "copy": copy, "add": add, "remove": remove, "delete": delete,
            "append": append, "prepend": prepend, "create_lists": create_lists,
        }  # fmt: skip
        operation = self._requests.update(key, attributes, wanted, when, upsert, expected_version, returning, timeout)
        return cast("res.WriteResult", await self._execute(operation)).item

    async def delete(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        when: Condition | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> bool:
        """Remove an item; whether there was one.

        :raises ConditionFailed: ``when`` is false; the error carries the current item
        """
        operation = self._requests.delete(key, attributes, when, expected_version, None, timeout)
        return cast("res.DeleteResult", await self._execute(operation)).existed

    async def pop(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        when: Condition | None = None,
        expected_version: int | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> Item | None:
        """Remove an item and return it, or ``None`` when there was none."""
        operation = self._requests.delete(key, attributes, when, expected_version, "old", timeout)
        return cast("res.DeleteResult", await self._execute(operation)).item

    # ---- batches ----

    async def get_many(
        self,
        keys: Iterable[Mapping[str, Any]],
        /,
        *,
        select: req.Projection = None,
        consistent: bool = True,
        timeout: float | None = None,
    ) -> res.GetManyResult:
        """Read any number of items: in order, ``None`` for missing ones; ``failures`` lists what could not be read."""
        operation, places = self._requests.get_many(keys, select, consistent, timeout)
        return (
            req.spread(cast("res.GetManyResult", await self._execute(operation)), places)
            if places
            else res.GetManyResult()
        )

    async def put_many(
        self, items: Iterable[Mapping[str, Any]], /, *, timeout: float | None = None
    ) -> res.WriteManyResult:
        """Write any number of items, not atomically; ``failures`` lists what was not written."""
        operation = self._requests.put_many(items, timeout)
        return cast("res.WriteManyResult", await self._execute(operation)) if operation.items else res.WriteManyResult()

    async def delete_many(
        self, keys: Iterable[Mapping[str, Any]], /, *, timeout: float | None = None
    ) -> res.WriteManyResult:
        """Remove any number of items, not atomically; ``failures`` lists what was not removed."""
        operation = self._requests.delete_many(keys, timeout)
        return cast("res.WriteManyResult", await self._execute(operation)) if operation.keys else res.WriteManyResult()

    # ---- selections ----

    def query(
        self,
        key: req.KeyArgument = None,
        /,
        *,
        index: str | None = None,
        timeout: float | None = None,
        **attributes: Any,
    ) -> AsyncSelection:
        """The items of one partition, in sort-key order. Nothing is read before the selection is used."""
        query, chosen, condition = sel.query_spec(self._requests, index, self._requests.merged(key, attributes))
        return AsyncSelection(self._requests, query, chosen, condition, None, timeout, database=self.database)

    def scan(self, *, segment: int | None = None, segments: int = 1, timeout: float | None = None) -> AsyncSelection:
        """All items in no promised order.

        :param segment: only this one of ``segments`` disjoint parts; without it all of them, read in parallel
        """
        check_segments(segment, segments)
        scan = op.Scan(self._requests.context(None), self.schema, segment=segment or 0, segments=segments)
        parallel = segment is None and segments > 1
        return AsyncSelection(self._requests, scan, timeout=timeout, database=self.database, parallel=parallel)
