"""The steps of a history: calls that run on any database, compare by their outcome, and print as Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from isthmus import BoundTable, Database
from isthmus.errors import ConditionFailed, IsthmusError, TransactionFailed
from isthmus.expressions import Condition
from isthmus.operations import Action
from isthmus.results import GetManyResult, Page, TransactGetResult, TransactWriteResult, WriteManyResult
from isthmus_conformance.base import FakeClock
from isthmus_conformance.comparing import typed


@frozen
class Run:
    """One run of a history on one database; ``label`` tells its tokens from those of every other run."""

    database: Database
    table: BoundTable
    clock: FakeClock
    label: str


@frozen
class Step:
    """One call of a history."""

    @property
    def eventual(self) -> bool:
        """Whether its answer may lag behind writes."""
        return False

    def run(self, run: Run) -> Any:
        """Do it; what it gave."""
        raise NotImplementedError


@frozen
class Call(Step):
    """A method of the table, or one of the table's actions."""

    method: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any] = field(factory=dict)

    def __str__(self) -> str:
        return f"table.{self.text}"

    @property
    def text(self) -> str:
        """The call without its object."""
        parts = [
            *map(repr, self.arguments),
            *(f"{name}={value!r}" for name, value in self.named.items() if value is not None),
        ]
        return f"{self.method}({', '.join(parts)})"

    def run(self, run: Run) -> Any:  # one signature
        return getattr(run.table, self.method)(*self.arguments, **self.named)

    def action(self, table: BoundTable) -> Action:
        """The same inside a transaction."""
        action: Action = getattr(table.actions, self.method)(*self.arguments, **self.named)
        return action


def _calls(calls: Iterable[Call]) -> tuple[Call, ...]:
    return tuple(calls)


@frozen
class Transaction(Step):
    """Several calls as one."""

    calls: tuple[Call, ...] = field(converter=_calls)
    token: str | None = None

    def __str__(self) -> str:
        actions = ", ".join(f"table.actions.{call.text}" for call in self.calls)
        return f"database.transact_write([{actions}]{'' if self.token is None else f', token={self.token!r}'})"

    def run(self, run: Run) -> Any:  # one signature
        token = None if self.token is None else f"{self.token}-{run.label}"
        return run.database.transact_write([call.action(run.table) for call in self.calls], token=token)


@frozen
class Snapshot(Step):
    """A transactional read."""

    keys: Sequence[Mapping[str, Any]]

    def __str__(self) -> str:
        return f"database.transact_get([{', '.join(f'table.actions.get({key!r})' for key in self.keys)}])"

    def run(self, run: Run) -> Any:  # one signature
        return run.database.transact_get([run.table.actions.get(key) for key in self.keys])


@frozen
class Walk(Step):
    """A selection by pages.

    :param ordered: whether the order and the borders of pages are promised; else items are compared as a multiset
    """

    target: Call
    condition: Condition | None
    select: tuple[str, ...]
    forward: bool
    size: int
    ordered: bool

    @property
    def eventual(self) -> bool:
        return "index" in self.target.named

    def __str__(self) -> str:
        return f"walk({self._text()}, size={self.size})"

    def _text(self) -> str:
        where = "" if self.condition is None else f".where({self.condition!r})"
        select = f".select({', '.join(map(repr, self.select))})" if self.select else ""
        return f"{self.target}{where}{select}{'' if self.forward else '.descending()'}"

    def run(self, run: Run) -> Any:
        selection = self.target.run(run)
        selection = selection if self.condition is None else selection.where(self.condition)
        selection = selection.select(*self.select) if self.select else selection
        selection = selection if self.forward else selection.descending()
        pages = list(_pages(selection, self.size))
        found = [[typed(item) for item in page.items] for page in pages]
        return found if self.ordered else Counter(item for page in found for item in page)


@frozen
class Advance(Step):
    """Time passes."""

    seconds: float

    def __str__(self) -> str:
        return f"clock.advance({self.seconds!r})"

    def run(self, run: Run) -> Any:  # one signature
        run.clock.advance(self.seconds)


def outcome_of(step: Step, run: Run) -> Any:
    """What a step gave, in a form that compares by type: an answer, or an error's class and what it carries."""
    try:
        return _answer(step.run(run))
    except IsthmusError as error:
        return _error(error)


def _pages(selection: Any, size: int) -> Iterable[Page]:
    cursor = None
    while True:
        page = selection.page(size=size, cursor=cursor)
        yield page
        cursor = page.cursor
        if cursor is None:
            return


def _answer(value: Any) -> Any:
    if isinstance(value, WriteManyResult):
        return "written", value.written, _failures(value)
    if isinstance(value, GetManyResult):
        return "items", typed(list(value)), _failures(value)
    if isinstance(value, TransactGetResult):
        return "items", typed(list(value))
    if isinstance(value, TransactWriteResult):
        return "applied", value.replayed
    return typed(value) if not isinstance(value, Counter) else value


def _failures(value: Any) -> Any:
    return [(failure.position, _error(failure.error)) for failure in value.failures]


def _error(error: IsthmusError | None) -> Any:
    if isinstance(error, TransactionFailed):
        return type(error).__name__, [_error(reason) for reason in error.reasons]
    if isinstance(error, ConditionFailed):
        return type(error).__name__, typed(error.current)
    return type(error).__name__
