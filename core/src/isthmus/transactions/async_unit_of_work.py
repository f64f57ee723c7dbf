"""The async unit of work, to be awaited. ``unit_of_work.py`` has the same names."""

from __future__ import annotations

from typing import Any, NoReturn, Self, cast

from isthmus import operations as op
from isthmus import requests as req
from isthmus import results as res
from isthmus.async_bound_table import AsyncBoundTable
from isthmus.async_database import AsyncDatabase
from isthmus.expressions import Condition
from isthmus.operations import Context
from isthmus.pipeline import Pipeline
from isthmus.planned import adrive
from isthmus.schema import Table
from isthmus.transactions.unit_base import Course, no_part, schema_of

Declared = str | Table | AsyncBoundTable


class AsyncUnitTable(AsyncBoundTable):
    """A table inside a unit of work: its reads are validated at the commit, its writes wait for it."""

    __slots__ = ()

    async def check(self, key: req.KeyArgument = None, /, *, when: Condition, **attributes: Any) -> None:
        """Require a condition of an item, now and at the commit.

        :raises ConditionFailed: ``when`` is false; the error carries the current item
        """
        await self._execute(self._requests.check(key, attributes, when))


class AsyncUnitOfWork(AsyncDatabase):
    """A view of a database in which writes wait for the end of a ``with`` block, then all are applied or none.

    Reads see the writes that wait. What was read is validated at the end: if any of it has changed, nothing is applied.
    Items are read and written by their keys; queries and scans are refused. One thread or task uses it at a time.
    """

    writes_wait = True

    def __init__(
        self, pipeline: Pipeline, context: Context, *, token: str | None = None, timeout: float | None = None
    ) -> None:
        super().__init__(pipeline, context)
        self._course = Course.of(pipeline, context, token, req.with_deadline(Context(), timeout).deadline)

    async def __aenter__(self) -> Self:
        self._course.begin(self)
        return self

    async def __aexit__(self, *raised: object) -> None:
        error = raised[1]
        if isinstance(error, BaseException):
            self._course.roll_back(error, self._context)
        else:
            await adrive(self._course.commit(self.context(None)), self._pipeline.aexecute)

    async def execute(self, operation: op.Operation) -> res.Result:
        """Answer one operation inside the unit of work; what every other method does in the end.

        :raises Closed: the unit of work has ended
        """
        return cast("res.Result", await adrive(self._course.plan(operation), self._pipeline.aexecute))

    def table(self, name: Declared, **declaration: Any) -> AsyncUnitTable:
        """A table inside the unit of work.

        :param name: a table of the database, or what its ``table`` takes, with the same options
        :raises InvalidArgument: the declaration is not valid, or the table is one of another database
        """
        self._course.check_open()
        schema = schema_of(name, self._pipeline)
        if schema is None:
            schema = super().table(cast("str | Table", name), **declaration).schema
        return AsyncUnitTable(self, self._requests(schema), self.execute)

    @property
    def spans_moments(self) -> bool:
        """Whether it was read from at more than one moment, so that the items may not fit together yet."""
        return self._course.unit.spans_moments

    async def validate(self) -> None:
        """Require that everything is still as it was read; useful before something that can't be undone.

        At the end that is required anyway.

        :raises Conflict: an item was changed since
        """
        await adrive(self._course.validate(self.context(None)), self._pipeline.aexecute)

    def bind(self, *, actor: str | None) -> NoReturn:
        """Refused: the caller's name is given to the database from which the unit of work is made."""
        raise no_part("bind()")

    async def close(self) -> NoReturn:
        """Refused: a unit of work ends with its ``with`` block."""
        raise no_part("close()")
