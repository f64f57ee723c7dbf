"""The VALIDATE layer of the core: versions with optimistic locking, and timestamps, for tables that declare them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol, TypeVar

from attrs import evolve

from isthmus.capabilities import Limits
from isthmus.errors import (
    ConditionFailed,
    InvalidValue,
    IsthmusError,
    ItemTooLarge,
    TransactionFailed,
    VersionConflict,
)
from isthmus.expressions import Add, Attribute, Changes, Comparison, Condition, NotExists, Set, SetIfAbsent, all_of
from isthmus.layers import Flow, Layer, Stage
from isthmus.operations import (
    Action,
    Check,
    Create,
    Delete,
    Operation,
    Put,
    PutMany,
    TableOperation,
    TransactWrite,
    Update,
)
from isthmus.results import Failure, Result, WriteManyResult
from isthmus.schema import Table
from isthmus.types import timestamp
from isthmus.values import Item, Value, item_size

Clock = Callable[[], float]
E = TypeVar("E", bound=IsthmusError)


class ValidationLayer(Layer):
    """Rewrites writes to tables with a version or timestamps; everything else passes."""

    name = "validation"
    stage = Stage.VALIDATE
    handles = (Create, Put, Update, Delete, PutMany, TransactWrite)

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits

    def concerns(self, operation: Operation) -> bool:
        return not isinstance(operation, TableOperation) or bool(operation.table.managed)

    def flow(self, operation: Operation) -> Flow:
        if isinstance(operation, TransactWrite):
            return (yield from self._transaction(operation))
        if isinstance(operation, PutMany) and operation.table.managed:
            return (yield from self._one_by_one(operation))
        if isinstance(operation, (Create, Put, Update, Delete)) and operation.table.managed:
            return (yield from self._single(operation))
        result: Result = yield operation
        return result

    def _single(self, action: Action) -> Flow:
        return (yield from self._sent(action, self.managed(action)))

    def _sent(self, action: Action, managed: Action) -> Flow:
        try:
            result: Result = yield managed
        except ConditionFailed as error:
            better = explained(action, error)
            if better is error:
                raise
            raise better from error
        return result

    def _one_by_one(self, operation: PutMany) -> Flow:
        """Versions need conditions, and a batch has none: its members are written one by one (rule BAT-6)."""
        puts = [Put(operation.context, operation.table, item) for item in operation.items]
        # All of them before the first is sent: one that is invalid writes nothing.
        managed = [self.managed(put) for put in puts]
        failures = []
        for position, put in enumerate(puts):
            try:
                yield from self._sent(put, managed[position])
            except IsthmusError as error:
                failures.append(Failure(position, error))
        return WriteManyResult(len(operation.items) - len(failures), failures=failures)

    def _transaction(self, operation: TransactWrite) -> Generator[Any, Any, Result]:
        actions = tuple(self.managed(action) for action in operation.actions)
        try:
            result: Result = yield evolve(operation, actions=actions)
        except TransactionFailed as error:
            reasons = [
                explained(action, reason) if isinstance(reason, ConditionFailed) else reason
                for action, reason in zip(operation.actions, error.reasons, strict=True)
            ]
            if all(better is reason for better, reason in zip(reasons, error.reasons, strict=True)):
                raise
            raise _located(TransactionFailed(error.message, reasons=reasons), error) from error
        return result

    def managed(self, action: Action) -> Action:
        """The action with what the table's version and timestamps add to it."""
        if isinstance(action, Check) or not action.table.managed:
            return action
        if isinstance(action, Create):
            stored_version(action.table, action.item)  # refuses what is no version; a copied item starts again at 1
            return evolve(action, item=self._stamped(action.table, action.item, 1))
        if isinstance(action, Put):
            return self._put(action)
        if isinstance(action, Update):
            return self._update(action)
        return evolve(action, condition=_expecting(action), expected_version=None)

    def _put(self, action: Put) -> Put:
        table = action.table
        if table.version is None:
            return evolve(action, item=self._stamped(table, action.item, 0))
        found = stored_version(table, action.item)
        free = NotExists((table.version,))
        condition = free if found is None else Comparison(Attribute((table.version,)), "==", found)
        item = self._stamped(table, action.item, (found or 0) + 1)
        return evolve(action, item=item, condition=_both(condition, action.condition))

    def _stamped(self, table: Table, item: Item, version: int) -> Item:
        now = timestamp(self._clock())
        stamped = dict(item)
        if table.version is not None:
            stamped[table.version] = version
        if table.created_at is not None:
            stamped[table.created_at] = _time(table, table.created_at, item) or now
        if table.updated_at is not None:
            _time(table, table.updated_at, item)
            stamped[table.updated_at] = now
        self._check_size(table, stamped)
        return stamped

    def _check_size(self, table: Table, stamped: Item) -> None:
        """What was added counts too."""
        size, most = item_size(stamped), self._limits.item_bytes
        if size > most:
            raise ItemTooLarge(
                f"an item of table {table.name!r} has {size} bytes with its version and timestamps, {most} are allowed:"
                " make it smaller, or split it"
            )

    def _update(self, action: Update) -> Update:
        table, now = action.table, timestamp(self._clock())
        more: list[Any] = []
        if table.version is not None:
            more.append(Add((table.version,), 1))
        if table.created_at is not None and action.upsert:
            more.append(SetIfAbsent((table.created_at,), now))
        if table.updated_at is not None:
            more.append(Set((table.updated_at,), now))
        changes = Changes((*action.changes.actions, *more))
        return evolve(action, changes=changes, condition=_expecting(action), expected_version=None)


class _Versioned(Protocol):
    @property
    def table(self) -> Table: ...
    @property
    def condition(self) -> Condition | None: ...
    @property
    def expected_version(self) -> int | None: ...


def _expecting(action: _Versioned) -> Condition | None:
    """The action's condition, with the version that it expects."""
    if action.expected_version is None or action.table.version is None:
        return action.condition
    wanted = Comparison(Attribute((action.table.version,)), "==", action.expected_version)
    return _both(wanted, action.condition)


def _both(first: Condition, second: Condition | None) -> Condition:
    return first if second is None else all_of((first, second))


def stored_version(table: Table, item: Mapping[str, Value]) -> int | None:
    """The version that an item carries, or ``None`` for a new item.

    :raises InvalidValue: the attribute is no positive integer
    """
    found = item.get(table.version) if table.version is not None else None
    if found is None or (type(found) is int and found > 0):
        return found
    raise InvalidValue(f"attribute {table.version!r} of table {table.name!r} counts versions: leave it as it was read")


def expected_version(action: Action) -> int | None:
    """The version that an action relies on; 0 where it relies on there being no item."""
    if isinstance(action, Put) and action.table.version is not None:
        return stored_version(action.table, action.item) or 0
    return action.expected_version if isinstance(action, (Update, Delete)) else None


def explained(action: Action, error: ConditionFailed) -> ConditionFailed:
    """A version conflict where the version was the reason, else the error itself."""
    expected = expected_version(action)
    if expected is None or action.table.version is None:
        return error
    found = (error.current or {}).get(action.table.version, 0)
    if found == expected:
        return error
    wanted = f"the item was expected at version {expected}" if expected else "no item was expected"
    state = "it is gone" if error.current is None else f"it is at version {found}"
    conflict = VersionConflict(f"{wanted}, but {state}: read it again and repeat", current=error.current)
    return _located(conflict, error)


def _located(error: E, origin: IsthmusError) -> E:
    """The error, as one from where another came from."""
    error.backend, error.operation, error.request_id = origin.backend, origin.operation, origin.request_id
    error.table, error.key = origin.table, origin.key
    return error


def _time(table: Table, name: str, item: Item) -> Value:
    """The time that an item carries, or ``None``.

    :raises InvalidValue: it is no text
    """
    found = item.get(name)
    if found is None or type(found) is str:
        return found
    raise InvalidValue(f"attribute {name!r} of table {table.name!r} holds a time: leave it as it was read")
