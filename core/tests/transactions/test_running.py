"""Units of work that are run again: how often, how long, and what is settled by a token."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import isthmus
from core.tests.transactions.recording import Recording
from isthmus import BoundTable, Capability, RetryPolicy, UnitOfWork, Unsupported
from isthmus import operations as op
from isthmus.errors import Conflict, DeadlineExceeded, InvalidArgument, OutcomeUnknown, Unavailable

QUICK = RetryPolicy(base=0.001, cap=0.002)
LOST = Unavailable("the answer was lost", maybe_applied=True)


@pytest.fixture
def backend() -> Recording:
    """The store."""
    return Recording()


@pytest.fixture
def table(backend: Recording) -> Iterator[BoundTable]:
    """A table with one item."""
    with isthmus.connect(backend, retry_policy=QUICK) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "1", "n": 1})
        backend.take()
        yield table


def add(table: BoundTable) -> Any:
    """A body that adds one."""
    return lambda tx: tx.table(table).update(id="1", add={"n": 1}, returning="new")["n"]


def test_a_lost_answer_is_settled_by_a_token(backend: Recording, table: BoundTable) -> None:
    """The commit is sent again, and found to be applied; the body runs once."""
    backend.faults.append(LOST)
    assert table.database.run_transaction(add(table)) == 2
    assert table.get(id="1")["n"] == 2
    sent = [operation for operation in backend.take() if isinstance(operation, op.TransactWrite)]
    assert len(sent) == 2
    assert sent[0].token is not None
    assert sent[0] == sent[1]


def test_each_attempt_has_a_token_of_its_own(backend: Recording, table: BoundTable) -> None:
    """An attempt that failed and the next one are two transactions."""
    runs = []

    def body(tx: UnitOfWork) -> None:
        runs.append(tx.table(table).get(id="1"))
        if len(runs) == 1:
            table.update(id="1", add={"n": 1})
        tx.table(table).put({"id": "1"})

    table.database.run_transaction(body)
    tokens = [operation.token for operation in backend.take() if isinstance(operation, op.TransactWrite)]
    assert (len(tokens), len(set(tokens))) == (2, 2)


def test_without_tokens_an_unknown_outcome_is_told(backend: Recording) -> None:
    """And the body is not run again."""
    backend.capabilities = backend.capabilities.replace(
        {Capability.IDEMPOTENCY_TOKEN: Unsupported("this store has none")}
    )
    with isthmus.connect(backend, retry_policy=QUICK) as database:
        table = database.table("things", partition_key="id").ensure()
        table.put({"id": "1", "n": 1})
        backend.faults.append(LOST)
        with pytest.raises(OutcomeUnknown):
            database.run_transaction(add(table))
        assert table.get(id="1")["n"] == 2


def test_a_conflict_that_may_have_been_applied_is_not_run_again(table: BoundTable) -> None:
    """Only one of which nothing is left behind."""
    runs = []

    def body(_tx: UnitOfWork) -> None:
        runs.append(1)
        raise Conflict("half done", maybe_applied=True)

    with pytest.raises(Conflict, match="half done"):
        table.database.run_transaction(body)
    assert len(runs) == 1


def test_a_deadline_ends_the_attempts(table: BoundTable) -> None:
    """The error says how many there were."""

    def body(tx: UnitOfWork) -> None:
        tx.table(table).update(id="1", add={"n": 1})
        table.update(id="1", add={"n": 1})

    with pytest.raises(DeadlineExceeded, match=r"after \d+ attempts"):
        table.database.run_transaction(body, attempts=1_000_000, deadline=0.1)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"attempts": True}, {"deadline": 0}, {"deadline": -1}])
def test_options_are_checked(table: BoundTable, options: dict[str, Any]) -> None:
    """Before the body runs."""

    def body(_tx: UnitOfWork) -> None:
        raise AssertionError("the body ran")

    with pytest.raises(InvalidArgument):
        table.database.run_transaction(body, **options)


def test_an_async_function_is_refused(table: BoundTable) -> None:
    """Nobody would wait for it."""

    async def body(_tx: UnitOfWork) -> None:
        raise AssertionError("the body ran")

    with pytest.raises(InvalidArgument, match="aconnect"):
        table.database.run_transaction(body)  # type: ignore[unused-coroutine]  # on purpose


def test_a_generator_is_refused(table: BoundTable) -> None:
    """Its body would never run."""

    def body(tx: UnitOfWork) -> Iterator[Any]:
        yield tx.table(table).get(id="a")["n"]

    with pytest.raises(InvalidArgument, match="generator"):
        table.database.run_transaction(body)


def test_the_async_database_wants_an_async_function() -> None:
    """Anything else has nothing to wait for."""

    async def main() -> None:
        async with await isthmus.aconnect("memory://") as database:
            with pytest.raises(InvalidArgument, match="async def"):
                await database.run_transaction(lambda _tx: 5)  # type: ignore[arg-type, return-value]  # on purpose

    asyncio.run(main())


def test_a_program_without_units_of_work_does_not_load_them() -> None:
    """They cost only those who use them."""
    code = (
        "import sys, isthmus\n"
        "with isthmus.connect('memory://') as database:\n"
        "    table = database.table('things', partition_key='id').ensure()\n"
        "    database.transact_write([table.actions.put({'id': '1'})])\n"
        "print(sorted(name for name in sys.modules if name.startswith('isthmus.transactions.')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "['isthmus.transactions.one_shot']\n"
