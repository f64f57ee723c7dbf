"""What the sync and the async unit of work share: how one begins and ends."""

from __future__ import annotations

from typing import Literal

from attrs import define

from isthmus import operations as op
from isthmus.arguments import check_operation
from isthmus.capabilities import Capability, refuse
from isthmus.errors import Closed, InvalidArgument, IsthmusError, RolledBack
from isthmus.operations import Context
from isthmus.pipeline import Pipeline
from isthmus.schema import Table
from isthmus.tokens import check_token
from isthmus.transactions.conflicts import sent
from isthmus.transactions.nesting import Place, enter, leave
from isthmus.transactions.unit import Steps, Unit

State = Literal["new", "open", "committing", "committed", "failed", "rolled back"]
_NEEDED = (Capability.TRANSACT_WRITE, Capability.REVISION)
_ENDED = "this unit of work has ended ({state}): begin another one, and read again what you need"


@define(eq=False)
class Course:
    """The course of one unit of work, from its beginning to its end.

    :param token: of the transaction that is sent at the end
    """

    pipeline: Pipeline
    context: Context
    token: str | None
    unit: Unit
    state: State = "new"
    _place: Place | None = None

    @classmethod
    def of(cls, pipeline: Pipeline, context: Context, token: str | None, deadline: float | None) -> Course:
        """One that has not begun.

        :raises InvalidArgument: the token is not valid
        """
        unit = Unit(pipeline.backend_name, pipeline.limits, pipeline.clock, deadline)
        return cls(pipeline, context, check_token(token), unit)

    def begin(self, owner: object) -> None:
        """Open it.

        :raises Closed: it was used before
        :raises UnsupportedOperation: the backend has no transactions, or no revisions
        :raises InvalidArgument: another one of this database is open here, or a token is not supported
        """
        if self.state != "new":
            raise Closed(_ENDED.format(state=self.state))
        needed = _NEEDED if self.token is None else (*_NEEDED, Capability.IDEMPOTENCY_TOKEN)
        refused = self.pipeline.capabilities.unsupported()
        for capability in needed:
            if capability in refused:
                raise refuse(capability, refused[capability].reason, self.pipeline.backend_name)
        self._place = enter(self.pipeline, owner)
        self.state = "open"

    def plan(self, operation: op.Operation) -> Steps[object]:
        """Answer an operation inside.

        :raises Closed: it has not begun, or has ended
        """
        self.check_open()
        if not isinstance(operation, op.Check):
            check_operation(operation)
        return self.unit.plan(operation)

    def check_open(self) -> None:
        """Refuse what comes before the beginning or after the end.

        :raises Closed: it does
        """
        if self.state == "new":
            raise Closed("this unit of work has not begun: use it in a with block")
        if self.state != "open":
            raise Closed(_ENDED.format(state=self.state))

    def validate(self, context: Context) -> Steps[None]:
        """Require that everything is still as it was read.

        :raises Closed: it has not begun, or has ended
        """
        self.check_open()
        return self.unit.validate(context)

    def commit(self, context: Context) -> Steps[object]:
        """The end of a body that succeeded."""
        self._leave("committing")
        self.state = "failed"
        try:
            transaction = self.unit.transaction(context, self.token)
        except IsthmusError as error:
            self._tell(error, context)
            raise
        result = None if transaction is None else (yield from sent(transaction))
        self.state = "committed"
        return result

    def roll_back(self, raised: BaseException, context: Context) -> None:
        """The end of a body that raised: nothing is sent, observers are told."""
        self._leave("rolled back")
        self._tell(_described(raised), context)

    def _tell(self, error: IsthmusError, context: Context) -> None:
        """Tell observers of a transaction that was never sent."""
        transaction = op.TransactWrite(context, self.unit.actions(context), self.token)
        self.pipeline.observers.rolled_back(transaction, error)

    def _leave(self, state: State) -> None:
        if self._place is not None:
            leave(self._place)
            self._place = None
        self.state = state


def _described(raised: BaseException) -> IsthmusError:
    if isinstance(raised, IsthmusError):
        return raised
    error = RolledBack(f"the body of a unit of work raised {type(raised).__name__}: nothing was sent")
    error.__cause__ = raised
    return error


def no_part(what: str) -> InvalidArgument:
    """The error for what a database has and a unit of work has not."""
    return InvalidArgument(f"a unit of work has no {what}: use the database itself")


def schema_of(given: object, pipeline: Pipeline) -> Table | None:
    """The declaration behind a table of this database; ``None`` if it is none.

    :raises InvalidArgument: it belongs to another database
    """
    database = getattr(given, "database", None)
    if database is None:
        return None
    if getattr(database, "_pipeline", None) is not pipeline:
        raise InvalidArgument("the table belongs to another database: a unit of work spans the tables of one")
    schema: Table = getattr(given, "schema")  # noqa: B009  # of a sync or an async table
    return schema
