"""Unique constraints of a model that indexes of the store keep, so that no guards are needed (rule REP-9)."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any, Final, TypeVar

from isthmus import operations as op
from isthmus import results as res
from isthmus.errors import IsthmusError, UniqueViolation
from isthmus.repository.model import Model
from isthmus.repository.shapes import Shape
from isthmus.requests import Requests
from isthmus.schema import Table, Unique
from isthmus.values import Item, canonical_bytes, equal, normalise
from isthmus.writes import write

R = TypeVar("R")
Steps = Generator[op.Operation, Any, R]
Claims = dict[tuple[Unique, bytes], list[Item]]

# What an index compares as guards do; the elements of lists it would look at one by one.
_COMPARABLE: Final = frozenset({"string", "number", "boolean", "binary"})


def constraints_of(model: Model, shape: Shape, table: Table) -> tuple[Unique, ...]:
    """The model's constraints, or none where one of them is not for an index: then guards keep all."""
    found = []
    for names in model.unique:
        fields = [shape.fields[name] for name in names]
        stored = [one.stored for one in fields]
        comparable = all(one.codec.present.stored - {"null"} <= _COMPARABLE for one in fields)
        if not comparable or set(stored) <= set(table.key_names):
            return ()
        only = None if model.discriminator is None else (model.discriminator_attribute, model.discriminator)
        found.append(Unique(stored, only))
    return tuple(found)


class UniqueIndexes:
    """The constraints of one class that indexes keep.

    :param constraints: each with the names of its fields
    """

    def __init__(self, constraints: Mapping[Unique, tuple[str, ...]], name: str, requests: Requests) -> None:
        self._constraints = constraints
        self._name = name
        self._requests = requests

    # ---- errors ----

    def named(self, plan: Steps[R]) -> Steps[R]:
        """A plan whose errors name fields in the place of stored attributes."""
        try:
            result = yield from plan
        except UniqueViolation as error:
            self._name_fields(error)
            raise
        if isinstance(result, res.WriteManyResult):
            for failure in result.failures:
                self._name_fields(failure.error)
        return result

    def _name_fields(self, error: IsthmusError) -> None:
        if isinstance(error, UniqueViolation):
            fields = (names for unique, names in self._constraints.items() if unique.attributes == error.constraint)
            error.constraint = next(fields, error.constraint)

    # ---- units of work ----

    def checked(self, plan: Steps[R], claims: Claims) -> Steps[R]:
        """A plan inside a unit of work, where writes wait: each is checked before it is kept.

        :param claims: the values that were taken in this unit of work, with the keys of those that took them
        :raises UniqueViolation: another item holds a value
        """
        step = _sent(plan, None)
        while not isinstance(step, _Done):
            operation = step
            try:
                yield from self._check(operation, claims)
                answer = yield operation
            except IsthmusError as error:
                step = _thrown(plan, error)
            else:
                step = _sent(plan, answer)
        result: R = step.result
        return result

    def _check(self, operation: op.Operation, claims: Claims) -> Steps[None]:
        if isinstance(operation, op.PutMany):
            for item in operation.items:
                yield from self._check_image(operation.table.key_of(item), item, None, claims)
        elif isinstance(operation, (op.Create, op.Put, op.Update)):
            current = (yield self._requests.get(operation.key, {}, None, True, None)).item
            try:
                image = write(operation, current, self._requests.limits, time.time())
            except IsthmusError:
                return  # the unit of work says why
            if image is not None:
                yield from self._check_image(operation.key, image, current, claims)

    def _check_image(self, key: Item, image: Item, current: Item | None, claims: Claims) -> Steps[None]:
        for unique, names in self._constraints.items():
            values = _values(unique, image)
            if values is None or (current is not None and equal(_values(unique, current), values)):
                continue
            claim = unique, canonical_bytes(normalise(values))
            holder = yield from self._holder(unique, values)
            others = [*claims.get(claim, ()), *([] if holder is None else [holder])]
            for other in others:
                item = None if equal(other, key) else (yield self._requests.get(other, {}, None, True, None)).item
                if item is not None and equal(_values(unique, item), values):
                    raise self._violation(names)
            claims.setdefault(claim, []).append(dict(key))

    def _holder(self, unique: Unique, values: list[Any]) -> Steps[Item | None]:
        table, context = self._requests.table, self._requests.context(None)
        found = (yield op.FindHolder(context, table, unique, tuple(values))).item
        return None if found is None else table.key_of(found)

    def _violation(self, names: tuple[str, ...]) -> UniqueViolation:
        return violation(self._requests.table.name, self._name, names)


def violation(table: str, name: str, constraint: tuple[str, ...]) -> UniqueViolation:
    """The error of a value that another item has.

    :param name: of the class
    """
    fields = " and ".join(repr(one) for one in constraint)
    error = UniqueViolation(
        f"another item of table {table!r} has the same {fields}, which is unique for {name}: choose another value",
        constraint=constraint,
    )
    error.table = table
    return error


class _Done:
    def __init__(self, result: Any) -> None:
        self.result = result


def _sent(plan: Steps[Any], answer: Any) -> op.Operation | _Done:
    try:
        return plan.send(answer)
    except StopIteration as stop:
        return _Done(stop.value)


def _thrown(plan: Steps[Any], error: IsthmusError) -> op.Operation | _Done:
    try:
        return plan.throw(error)
    except StopIteration as stop:
        return _Done(stop.value)


def _values(unique: Unique, item: Item) -> list[Any] | None:
    """What an item holds of a constraint, ``None`` where it holds nothing of it."""
    if unique.only is not None and item.get(unique.only[0]) != unique.only[1]:
        return None
    values = [item.get(name) for name in unique.attributes]
    return None if any(value is None for value in values) else values
