"""Batches of entities as plans: one request of the table where that is safe, else one write after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from isthmus import results as res
from isthmus.errors import IsthmusError
from isthmus.repository.deadlines import Steps
from isthmus.repository.mapper import Mapper
from isthmus.repository.results import written
from isthmus.repository.templates import Template
from isthmus.repository.writing import Writes
from isthmus.requests import Requests
from isthmus.values import Item

T = TypeVar("T")


class Batches(Generic[T]):
    """The batches of one class.

    Unique values that guards keep need a transaction for each entity. A discriminator needs a condition for each,
    unless keys begin with text of the class's own, so that they alone tell it from others.
    """

    def __init__(self, mapper: Mapper[T], requests: Requests, writes: Writes[T]) -> None:
        self._mapper = mapper
        self._requests = requests
        self._writes = writes

    @property
    def _together(self) -> bool:
        model = self._mapper.model
        if self._writes.guarded or model.discriminator is None:
            return not self._writes.guarded
        # Classes that are stored together often share partitions, so what is their own is said by the last key.
        own = _beginnings(self._mapper)[-1] != ""
        return own and not any(_may_meet(self._mapper, other) for other in self._mapper.beside)

    def put(self, entities: Sequence[T], timeout: float | None) -> Steps[res.WriteManyResult]:
        """Write each in place of whatever has its key."""
        items = [self._mapper.item(entity) for entity in entities]  # all are checked before the first is written
        if not items:
            return res.WriteManyResult()
        if not self._together:
            return (yield from self._each(entities, lambda entity: self._writes.put(entity, None, timeout)))
        for entity in entities:
            self._mapper.snapshots.drop(entity)  # what is stored, of those that fail too, may not come back
        result: res.WriteManyResult = yield self._requests.put_many(items, timeout)
        failed = {failure.position for failure in result.failures}
        if not self._mapper.table.managed:
            for position, (entity, item) in enumerate(zip(entities, items, strict=True)):
                if position not in failed:
                    written(self._mapper, entity, item, {})
        return result

    def delete(self, keys: Sequence[Item], timeout: float | None) -> Steps[res.WriteManyResult]:
        """Remove what is there of these."""
        if not keys:
            return res.WriteManyResult()
        if not self._together:
            return (yield from self._each(keys, lambda key: self._writes.delete(key, None, None, timeout)))
        result: res.WriteManyResult = yield self._requests.delete_many(keys, timeout)
        return result

    def _each(self, members: Sequence[Any], write: Callable[[Any], Steps[Any]]) -> Steps[res.WriteManyResult]:
        failures = []
        for position, member in enumerate(members):
            try:
                yield from write(member)
            except IsthmusError as error:
                failures.append(res.Failure(position, error))
        return res.WriteManyResult(len(members) - len(failures), failures=failures)


def _beginnings(mapper: Mapper[Any]) -> list[str]:
    """The text that each key begins with, whatever the entity."""
    return [part.literals[0] if isinstance(part, Template) else "" for part in mapper.layout.keys if part is not None]


def _may_meet(one: Mapper[Any], other: Mapper[Any]) -> bool:
    """Whether entities of two classes can have the same keys."""
    if one.model.discriminator == other.model.discriminator:
        return False
    pairs = zip(_beginnings(one), _beginnings(other), strict=True)
    return all(left.startswith(right) or right.startswith(left) for left, right in pairs)
