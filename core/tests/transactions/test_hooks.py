"""What observers are told of units of work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

import isthmus
from isthmus import BoundTable, Plugin, UnitOfWork, hookimpl
from isthmus import operations as op
from isthmus.errors import Conflict, InvalidArgument, IsthmusError, ItemNotFound, TransactionFailed
from isthmus.observing import Attempt
from isthmus.results import TransactWriteResult


class Watching(Plugin):
    """Remembers what became of transactions."""

    name: ClassVar[str] = "watching"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []
        self.errors: list[IsthmusError] = []

    @hookimpl
    def isthmus_transaction_committed(self, transaction: op.TransactWrite, result: TransactWriteResult) -> None:
        self.seen.append(("committed", len(transaction.actions)))

    @hookimpl
    def isthmus_transaction_rolled_back(self, transaction: op.TransactWrite, error: IsthmusError) -> None:
        self.seen.append(("rolled back", len(transaction.actions)))
        self.errors.append(error)

    @hookimpl
    def isthmus_operation_retried(self, attempt: Attempt) -> None:
        self.seen.append((f"retried {attempt.kind} {','.join(attempt.tables)}", attempt.number))


@pytest.fixture
def watching() -> Watching:
    """The observer."""
    return Watching()


@pytest.fixture
def table(watching: Watching) -> Iterator[BoundTable]:
    """A table with one item."""
    with isthmus.connect("memory://", plugins=[watching]) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "1", "n": 1})
        yield table


def test_a_commit_is_told(watching: Watching, table: BoundTable) -> None:
    """Once, with all actions; one that sends nothing is none."""
    with table.database.transaction() as tx:
        tx.table(table).get(id="1")
    assert watching.seen == []
    with table.database.transaction() as tx:
        tx.table(table).get(id="1")
        tx.table(table).put({"id": "2"})
    assert watching.seen == [("committed", 2)]


def test_a_validation_is_no_transaction(watching: Watching, table: BoundTable) -> None:
    """What is told is the end of the unit of work, once."""
    with table.database.transaction() as tx:
        tx.table(table).get(id="1")
        tx.validate()
        tx.table(table).find(id="2")
        tx.validate()
        tx.table(table).put({"id": "2"})
    assert watching.seen == [("committed", 2)]


def test_a_body_that_is_believed_is_told_once(watching: Watching, table: BoundTable) -> None:
    """Although what it read was validated before."""

    def body(tx: UnitOfWork) -> None:
        tx.table(table).get(id="1")
        tx.table(table).get(id="2")

    with pytest.raises(ItemNotFound):
        table.database.run_transaction(body)
    assert watching.seen == [("rolled back", 2)]


def test_what_is_too_large_to_be_sent_is_told(watching: Watching, table: BoundTable) -> None:
    """It was never sent, as where the body raises."""
    with pytest.raises(InvalidArgument, match="split it"), table.database.transaction() as tx:
        tx.table(table).put_many([{"id": str(number), "x": "x" * 400_000} for number in range(11)])
    assert watching.seen == [("rolled back", 11)]
    assert [one.code for one in watching.errors] == ["invalid_argument"]


@pytest.mark.parametrize(
    ("error", "code"), [(ItemNotFound("theirs"), "item_not_found"), (ZeroDivisionError("theirs"), "rolled_back")]
)
def test_a_body_that_raises_is_told(watching: Watching, table: BoundTable, error: Exception, code: str) -> None:
    """With what it had asked for, and what it raised."""

    def work() -> None:
        with table.database.transaction() as tx:
            tx.table(table).update(id="1", add={"n": 1})
            tx.table(table).put({"id": "2"})
            raise error

    with pytest.raises(type(error), match="theirs"):
        work()
    assert watching.seen == [("rolled back", 2)]
    assert [one.code for one in watching.errors] == [code]
    assert error in (watching.errors[0], watching.errors[0].__cause__)


def test_conflicts_and_further_runs_are_told(watching: Watching, table: BoundTable) -> None:
    """The reasons say that it was a conflict."""
    runs = []

    def body(tx: UnitOfWork) -> None:
        runs.append(tx.table(table).update(id="1", add={"n": 1}))
        if len(runs) == 1:
            table.update(id="1", add={"n": 1})

    table.database.run_transaction(body)
    assert watching.seen == [("rolled back", 1), ("retried transact_write things", 1), ("committed", 1)]
    (error,) = watching.errors
    assert isinstance(error, TransactionFailed)
    assert isinstance(error.reasons[0], Conflict)
