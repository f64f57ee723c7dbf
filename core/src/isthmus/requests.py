"""User arguments become operations: checked and normalised here, the same for the sync and the async database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from math import inf
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import evolve

from isthmus import operations as op
from isthmus.arguments import check_condition_size, check_returning, members
from isthmus.capabilities import Limits
from isthmus.errors import InvalidArgument, InvalidKey, ItemNotFound
from isthmus.expressions import (
    Changes,
    Condition,
    Set,
    SetIfAbsent,
    Target,
    changes,
    check_condition,
    projection,
)
from isthmus.operations import Context, ItemKey, Returning
from isthmus.results import Failure, GetManyResult
from isthmus.schema import Table
from isthmus.values import Item, Value, copy_item, normalise, normalise_item, normalise_key_value
from isthmus.writes import check_index_keys, is_number, value_limits

KeyArgument = Mapping[str, Any] | None
Projection = Iterable[Target] | None
Identity = tuple[Value, ...]
P = ParamSpec("P")
T = TypeVar("T")


def with_deadline(context: Context, timeout: float | None) -> Context:
    """The context, with a deadline where there is a timeout (seconds).

    :raises InvalidArgument: the timeout is not positive, or not finite
    """
    if timeout is None:
        return context
    if type(timeout) not in (int, float) or not 0 < timeout < inf:
        raise InvalidArgument("a timeout is a positive, finite number of seconds; leave it out to wait without end")
    return evolve(context, deadline=time.monotonic() + timeout)


def _locate(error: InvalidArgument, kind: str, table: Table) -> None:
    """Note the place that an error comes from; no backend was involved."""
    error.operation, error.table = kind, table.name


def _located(kind: str) -> Callable[[Callable[Concatenate[Requests, P], T]], Callable[Concatenate[Requests, P], T]]:
    """Errors of the decorated method say which kind of operation they refused, and for which table."""

    def decorate(build: Callable[Concatenate[Requests, P], T]) -> Callable[Concatenate[Requests, P], T]:
        @wraps(build)
        def located(self: Requests, /, *arguments: P.args, **named: P.kwargs) -> T:
            try:
                return build(self, *arguments, **named)
            except InvalidArgument as error:
                _locate(error, kind, self.table)
                raise

        return located

    return decorate


class Requests:
    """Builds the operations of one table."""

    __slots__ = (
        "_clock", "_context", "_key_names", "_keys", "_managed", "_timeout", "_values", "limits", "table",
    )  # fmt: skip

    def __init__(
        self, table: Table, limits: Limits, context: Context, timeout: float | None, clock: Callable[[], float]
    ) -> None:
        self.table = table
        self.limits = limits
        self._context = context
        self._timeout = timeout
        self._clock = clock
        self._values = value_limits(limits)
        sizes = (limits.partition_key_bytes, limits.sort_key_bytes)
        self._key_names = frozenset(table.key_names)
        self._managed = table.managed
        self._keys = tuple((key.name, key.type, size) for key, size in zip(table.keys, sizes, strict=False))

    def context(self, timeout: float | None) -> Context:
        """The caller's context, with a deadline where there is a timeout (seconds)."""
        if timeout is None:
            timeout = self._timeout
            if timeout is None:
                return self._context
        return with_deadline(self._context, timeout)

    # ---- keys and items ----

    def key(self, key: KeyArgument, attributes: Mapping[str, Any]) -> ItemKey:
        """The normal form of a key given as a mapping or as keyword arguments.

        :raises InvalidKey: an attribute is missing, unknown or not valid for the key
        """
        given = attributes if key is None else self.merged(key, attributes)
        if len(given) != len(self._keys):
            raise self._wrong_attributes(given)
        normal: ItemKey = {}
        for name, kind, size in self._keys:
            try:
                normal[name] = normalise_key_value(given[name], kind, size, self.limits.number_digits)
            except KeyError:
                raise self._wrong_attributes(given) from None
            except InvalidKey as error:
                raise self._wrong_value(name, error) from None
        return normal

    def merged(self, key: KeyArgument, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Key attributes given as a mapping, as keyword arguments, or both.

        :raises InvalidKey: ``key`` is no mapping, or an attribute is given twice
        """
        if key is None:
            return attributes
        if not isinstance(key, Mapping):
            raise InvalidKey(f"a key is a mapping of {' and '.join(self.table.key_names)}, not {type(key).__name__}")
        twice = [name for name in attributes if name in key]
        if twice:
            raise InvalidKey(f"key attribute {twice[0]!r} is in the mapping and a keyword argument: give it once")
        return {**key, **attributes}

    def _wrong_attributes(self, given: Mapping[str, Any]) -> InvalidKey:
        wanted = " and ".join(self.table.key_names)
        return InvalidKey(
            f"table {self.table.name!r} has the key {wanted}; got {', '.join(map(str, given)) or 'nothing'}"
        )

    def item(self, item: Any) -> Item:
        """The normal form of an item to be written.

        :raises InvalidArgument: a value, a name, a key or the whole item is not allowed
        """
        # Keys come first, so that whatever is wrong with one is InvalidKey, as it is for reads.
        keys = self._keys_of(item)
        normal = normalise_item(item, self._values)
        normal.update(keys)
        if self.table.indexes:
            check_index_keys(self.table, normal, self.limits)
        if self.table.ttl is not None:
            self._check_expiry(normal.get(self.table.ttl))
        return normal

    def _keys_of(self, item: Any) -> ItemKey:
        normal: ItemKey = {}
        if not isinstance(item, Mapping):
            return normal  # refused as an item
        for name, kind, size in self._keys:
            if name not in item:
                raise InvalidKey(f"an item of table {self.table.name!r} lacks its key attribute {name!r}")
            try:
                normal[name] = normalise_key_value(item[name], kind, size, self.limits.number_digits)
            except InvalidKey as error:
                raise self._wrong_value(name, error) from None
        return normal

    def _wrong_value(self, name: str, error: InvalidKey) -> InvalidKey:
        return InvalidKey(f"key attribute {name!r} of table {self.table.name!r}: {error.message}")

    def _check_expiry(self, expires: Value) -> None:
        if is_number(expires) and expires <= self._clock():
            raise InvalidArgument(
                f"{self.table.ttl!r} is an expiry time that has passed: delete the item instead (TTL-5)"
            )

    def _identity(self, key: Mapping[str, Value]) -> Identity:
        # Python compares normal key values as the contract does: numbers by value, and nothing else is equal to them.
        return tuple([key[name] for name in self.table.key_names])

    # ---- reads ----

    def get(
        self,
        key: KeyArgument,
        attributes: Mapping[str, Any],
        select: Projection,
        consistent: bool,
        timeout: float | None,
    ) -> op.Get:
        """Read one item."""
        # Not decorated: one more call would be felt by each point read.
        try:
            paths = None if select is None else projection(select)
            context = self._context if timeout is None and self._timeout is None else self.context(timeout)
            return op.Get(context, self.table, self.key(key, attributes), paths, consistent)
        except InvalidArgument as error:
            _locate(error, "get", self.table)
            raise

    @_located("get_many")
    def get_many(
        self, keys: Iterable[Mapping[str, Any]], select: Projection, consistent: bool, timeout: float | None
    ) -> tuple[op.GetMany, list[int]]:
        """Read many items: each key is asked for once; the list says where each answer stands (rule BAT-2)."""
        unique: dict[Identity, int] = {}
        wanted: list[ItemKey] = []
        places = []
        for key in members(keys, "keys"):
            normal = self.key(key, {})
            place = unique.setdefault(self._identity(normal), len(wanted))
            if place == len(wanted):
                wanted.append(normal)
            places.append(place)
        paths = None if select is None else projection(select)
        return op.GetMany(self.context(timeout), self.table, tuple(wanted), paths, consistent), places

    # ---- writes ----

    @_located("create")
    def create(self, item: Mapping[str, Any], returning: Returning, timeout: float | None) -> op.Create:
        """Write an item whose key must be free."""
        check_returning(returning, "new")
        return op.Create(self.context(timeout), self.table, self.item(item), returning)

    @_located("put")
    def put(
        self, item: Mapping[str, Any], when: Condition | None, returning: Returning, timeout: float | None
    ) -> op.Put:
        """Write an item in place of whatever has its key."""
        check_returning(returning, "old", "new")
        return op.Put(self.context(timeout), self.table, self.item(item), self._condition(when), returning)

    def update(
        self,
        key: KeyArgument,
        attributes: Mapping[str, Any],
        wanted: Mapping[str, Any],
        when: Condition | None,
        upsert: bool,
        expected_version: int | None,
        returning: Returning,
        timeout: float | None,
    ) -> op.Update:
        """Change attributes; ``wanted`` holds the arguments of :func:`isthmus.expressions.changes`."""
        # Not decorated, as ``get`` is not.
        try:
            check_returning(returning, "old", "new")
            tree = changes(**wanted)
            self._check_changes(tree)
            self._check_version(expected_version)
            return op.Update(
                self.context(timeout), self.table, self.key(key, attributes), tree, self._condition(when), upsert,
                returning, expected_version,
            )  # fmt: skip
        except InvalidArgument as error:
            _locate(error, "update", self.table)
            raise

    def _check_changes(self, tree: Changes) -> None:
        tree.check_against(self._key_names)
        for action in tree.actions:
            name = action.path[0]
            if name in self._managed:
                raise InvalidArgument(f"attribute {name!r} of table {self.table.name!r} is maintained by Isthmus")
            if action.path == (self.table.ttl,) and isinstance(action, (Set, SetIfAbsent)):
                self._check_expiry(action.value)
            if hasattr(action, "value"):
                normalise(action.value, self._values)

    def _check_version(self, expected: int | None) -> None:
        if expected is None:
            return
        if self.table.version is None:
            raise InvalidArgument(f"table {self.table.name!r} declares no version attribute: use when= instead")
        if type(expected) is not int or expected < 1:
            raise InvalidArgument("an expected version is a positive integer")

    @_located("delete")
    def delete(
        self,
        key: KeyArgument,
        attributes: Mapping[str, Any],
        when: Condition | None,
        expected_version: int | None,
        returning: Returning,
        timeout: float | None,
    ) -> op.Delete:
        """Remove one item."""
        check_returning(returning, "old")
        self._check_version(expected_version)
        normal = self.key(key, attributes)
        return op.Delete(self.context(timeout), self.table, normal, self._condition(when), returning, expected_version)

    @_located("check")
    def check(self, key: KeyArgument, attributes: Mapping[str, Any], when: Condition) -> op.Check:
        """Require a condition inside a transaction."""
        return op.Check(self._context, self.table, self.key(key, attributes), self._checked(when))

    def _condition(self, when: Condition | None) -> Condition | None:
        return None if when is None else self._checked(when)

    def _checked(self, condition: Condition) -> Condition:
        return check_condition_size(check_condition(condition), self.limits)

    @_located("put_many")
    def put_many(self, items: Iterable[Mapping[str, Any]], timeout: float | None) -> op.PutMany:
        """Write many items."""
        normal = tuple(self.item(item) for item in members(items, "items"))
        self._check_unique(normal)
        return op.PutMany(self.context(timeout), self.table, normal)

    @_located("delete_many")
    def delete_many(self, keys: Iterable[Mapping[str, Any]], timeout: float | None) -> op.DeleteMany:
        """Remove many items."""
        normal = tuple(self.key(key, {}) for key in members(keys, "keys"))
        self._check_unique(normal)
        return op.DeleteMany(self.context(timeout), self.table, normal)

    def _check_unique(self, batch: Iterable[Mapping[str, Value]]) -> None:
        seen: dict[Identity, int] = {}
        for position, member in enumerate(batch):
            first = seen.setdefault(self._identity(member), position)
            if first != position:
                raise InvalidArgument(
                    f"members {first} and {position} of the batch have the same key: send one of them"
                )


def not_found(operation: op.Get, backend: str) -> ItemNotFound:
    """The error of a read that had to find an item."""
    name = operation.table.name
    error = ItemNotFound(f"table {name!r} has no item with this key: use find() where that is expected")
    error.backend, error.operation, error.table, error.key = backend, operation.kind, name, operation.key
    return error


def spread(result: GetManyResult, places: list[int]) -> GetManyResult:
    """Answers for each place of the caller's request, from those for each different key."""
    errors = {failure.position: failure.error for failure in result.failures}
    failures = [Failure(position, errors[place]) for position, place in enumerate(places) if place in errors]
    return GetManyResult(at_places(result.items, places), failures=failures)


def at_places(items: Sequence[Item | None], places: list[int]) -> list[Item | None]:
    """The item for each place; one that was asked for twice is copied, so that no two places share it (rule LYR-3)."""
    if len(items) == len(places):  # each key was asked for once
        return list(items)
    found: list[Item | None] = []
    given: set[int] = set()
    for place in places:
        item = items[place]
        found.append(copy_item(item) if item is not None and place in given else item)
        given.add(place)
    return found
