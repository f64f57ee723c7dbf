"""How the writes of entities are sent: alone, with guards, and again while what they depend on changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

from isthmus import operations as op
from isthmus.errors import (
    AlreadyExists,
    ConditionFailed,
    Conflict,
    IsthmusError,
    TransactionFailed,
    VersionConflict,
)
from isthmus.evaluate import matches
from isthmus.expressions import ALWAYS, Condition, all_of
from isthmus.expressions import Field as PathField
from isthmus.repository.deadlines import Steps
from isthmus.repository.guards import GuardAction, Guards
from isthmus.repository.mapper import Mapper
from isthmus.repository.shapes import ABSENT
from isthmus.requests import Requests
from isthmus.transactions import transact_write
from isthmus.values import Item

T = TypeVar("T")
# What is sent when an item is as it was read, and the item that it leaves.
Decide = Callable[[Item | None, Condition], tuple[op.Action, Item | None]]

ATTEMPTS: Final = 16
"""How often a write that depends on what is stored is decided anew when that changes meanwhile."""


class Sender(Generic[T]):
    """What all writes of one class share."""

    def __init__(self, mapper: Mapper[T], requests: Requests, guards: Guards | None) -> None:
        self._mapper = mapper
        self._requests = requests
        self._guards = guards

    @property
    def guarded(self) -> bool:
        """Whether there are guards of unique values."""
        return self._guards is not None

    # ---- writes that depend on what is stored ----

    def _guarded(self, key: Item, decide: Decide,
                 relies: Iterable[str], timeout: float | None) -> Steps[Any]:  # fmt: skip
        """Read, decide and write until nothing of what was relied on changed in between; the new item."""
        stale: set[Item | str] = set()
        for _attempt in range(ATTEMPTS):
            current = (yield self._requests.get(key, {}, None, True, timeout)).item
            if current is not None and not self._mapper.is_mine(current):
                raise self._taken(None)
            relied = self.as_read(current, relies)
            action, new = decide(current, relied)
            moves = self._guards.moves(key, current, new) if self._guards is not None else ()
            guards = [move for move in moves if not (move.frees and _identity(move) in stale)]
            try:
                yield from self._together(action, guards, timeout)
            except _Lost as lost:
                stale.add(lost.guard)
            except ConditionFailed as error:
                if isinstance(error, VersionConflict) or matches(relied, error.current or {}):
                    raise
            else:
                return new
        raise Conflict(
            f"an item of table {self._mapper.table.name!r} changed {ATTEMPTS} times while it was written: try again"
        )

    def as_read(self, current: Item | None, relies: Iterable[str]) -> Condition:
        """The condition that what was relied on is still as it was."""
        names = sorted(set(relies) - set(self._mapper.table.key_names))
        if current is None:
            return PathField((self._mapper.table.key_names[0],)).not_exists()
        fields = ((PathField((name,)), current.get(name, ABSENT)) for name in names)
        found = [one.not_exists() if value is ABSENT else one == value for one, value in fields]
        return all_of(found) if found else ALWAYS

    def _together(self, action: op.Action, guards: list[GuardAction], timeout: float | None) -> Steps[None]:
        """The action and those on guards, all or none.

        :raises UniqueViolation: a value is taken
        """
        if not guards:
            yield from self._single(action)
            return
        actions = [action, *(guard.action for guard in guards)]
        try:
            yield transact_write(actions, None, self._requests.limits, self._requests.context(timeout))
        except TransactionFailed as error:
            raise self._reason(error, guards) from error

    def _reason(self, error: TransactionFailed, guards: list[GuardAction]) -> Exception:
        first, *others = error.reasons
        if isinstance(first, IsthmusError):
            return self._translated(first)
        for guard, reason in zip(guards, others, strict=True):
            if isinstance(reason, (AlreadyExists, ConditionFailed)):
                return _Lost(_identity(guard)) if guard.frees else self._violation(guard, reason)
        return next((reason for reason in others if reason is not None), error)

    def _violation(self, guard: GuardAction, reason: IsthmusError) -> IsthmusError:
        assert self._guards is not None
        return self._guards.violation(guard, reason)

    # ---- what single operations share ----

    def _single(self, action: op.Action) -> Steps[Any]:
        try:
            return (yield action)
        except ConditionFailed as error:
            better = self._translated(error)
            if better is error:
                raise
            raise better from error

    def _mine(self, *conditions: Condition | None) -> Condition | None:
        found = [one for one in (*conditions, self._mapper.mine()) if one is not None]
        return all_of(found) if found else None

    def _foreign(self, error: IsthmusError) -> bool:
        current = getattr(error, "current", None)
        return current is not None and not self._mapper.is_mine(dict(current))

    def _translated(self, error: IsthmusError) -> IsthmusError:
        """The error, unless it comes from another entity's item under the same key."""
        return self._taken(error) if self._foreign(error) else error

    def _taken(self, origin: IsthmusError | None) -> AlreadyExists:
        error = AlreadyExists(
            f"an item of another class than {self._mapper.name} has this key in table {self._mapper.table.name!r}: give"
            " their keys different templates"
        )
        error.table = self._mapper.table.name
        if origin is not None:
            error.backend, error.operation = origin.backend, origin.operation
        return error


class _Lost(Exception):
    """A guard that was to be freed belongs to another item."""

    def __init__(self, guard: str) -> None:
        super().__init__(guard)
        self.guard = guard


def _identity(guard: GuardAction) -> str:
    return str(guard.action.key)
