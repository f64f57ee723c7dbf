"""Unique constraints: for each taken value there is a guard, an item of a companion table (rule REP-9).

A guard is written and removed in the transaction that writes its item, expires with it, and names it. The companion
table is called ``<table>-unique``, so guards fit tables with any keys and no query or scan ever meets one. Its key says
which constraint a guard belongs to, and holds a digest instead of the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from attrs import frozen

from isthmus import operations as op
from isthmus.errors import IsthmusError, UniqueViolation
from isthmus.expressions import F
from isthmus.repository.mapper import Mapper
from isthmus.repository.unique_indexes import violation
from isthmus.requests import Requests
from isthmus.schema import Key, Table
from isthmus.values import Item, canonical_bytes, normalise
from isthmus.writes import is_number

SUFFIX = "-unique"
KEY, OWNER, EXPIRES = "value", "owner", "expires"


def guard_table(table: Table) -> Table:
    """The companion of a table."""
    return Table(f"{table.name}{SUFFIX}", Key(KEY), ttl=EXPIRES)


@frozen
class GuardAction:
    """An action on a guard.

    :param constraint: names of the fields whose values are unique together
    :param frees: whether it frees a value
    """

    action: op.Action
    constraint: tuple[str, ...]
    frees: bool


class Guards:
    """The guards of one class's items."""

    def __init__(self, mapper: Mapper[Any], requests: Requests) -> None:
        self._mapper = mapper
        self._requests = requests
        self.constraints = mapper.model.unique
        names = {mapper.field(name).stored for constraint in self.constraints for name in constraint}
        self.relies_on = names | ({mapper.table.ttl} if mapper.table.ttl is not None else set())
        """The attributes that guards depend on."""

    def moves(self, key: Item, old: Item | None, new: Item | None) -> Iterator[GuardAction]:
        """What becomes of the guards when an item changes; ``None`` stands for no item."""
        for constraint in self.constraints:
            before = self.taken(constraint, old)
            after = self.taken(constraint, new)
            if before is not None and before != after:
                yield GuardAction(self.freed(before, key), constraint, frees=True)
            if after is not None and new is not None:
                guard = self._guard(after, key, new)
                same = before == after
                action = self._requests.put(guard, self._free_or(key), None, None) if same else self._create(guard)
                yield GuardAction(action, constraint, frees=False)

    def freed(self, value: str, owner: Item) -> op.Delete:
        """The removal of a guard, unless it is another item's by now."""
        return self._requests.delete(None, {KEY: value}, self._free_or(owner), None, None, None)

    def _create(self, guard: Item) -> op.Create:
        return self._requests.create(guard, None, None)

    def _guard(self, value: str, key: Item, item: Mapping[str, Any]) -> Item:
        expires = item.get(self._mapper.table.ttl or "")
        return {KEY: value, OWNER: key, **({EXPIRES: expires} if is_number(expires) else {})}

    def _free_or(self, key: Item) -> Any:
        return F[KEY].not_exists() | (F[OWNER] == key)

    @property
    def prefix(self) -> str:
        """What the keys of all guards of this class begin with."""
        return f"{self._mapper.model.discriminator or ''}#"

    def taken(self, constraint: tuple[str, ...], item: Mapping[str, Any] | None) -> str | None:
        """The key of the guard of an item's values; ``None`` where one of them is missing."""
        values = [(item or {}).get(self._mapper.fields[name].stored) for name in constraint]
        if any(value is None for value in values):
            return None
        return f"{self.prefix}{'+'.join(constraint)}#{sha256(canonical_bytes(normalise(values))).hexdigest()}"

    def violation(self, guard: GuardAction, reason: IsthmusError) -> UniqueViolation:
        """The error of a value that another item has."""
        error = violation(self._mapper.table.name, self._mapper.name, guard.constraint)
        error.backend, error.operation = reason.backend, reason.operation
        return error
